//! What users do and are told.

use std::{collections::BTreeSet, sync::Weak, time::Duration};

use dlock_runtime::{
    Guard, LockError,
    simulated::{Place, within},
};

use super::{Holder, Judge, Lock, Rule, Turn, Wait, true_end};
use crate::{
    plan::{MILLISECOND, Time},
    sim::Sim,
    trace::Lane,
};

impl Sim {
    /// A task begins to ask, and waits for so long.
    pub(crate) fn asks(&self, key: usize, life: u32, wait: Option<Duration>) -> Turn {
        let since = self.now();
        let until = wait.map_or(Time::MAX, |wait| since + wait.as_nanos() as Time * 98 / 100);
        self.lives.borrow()[life as usize].looks.set(0);
        self.note(since, Lane::Life(life), None, || format!("asks for k{key}, waits {wait:?}"));
        let judge = &mut *self.judge.borrow_mut();
        judge.requests += 1;
        let turn = Turn { key, life, since, number: judge.requests };
        let queues = wait != Some(Duration::ZERO);
        judge.keys[key].waits.push(Wait { turn, until, queues, places: BTreeSet::new(), overtaken: None });
        turn
    }

    /// A task asks no more, whatever came of it.
    pub(crate) fn asks_no_more(&self, turn: Turn) {
        let now = self.now();
        self.judged(turn.key, |file| {
            let before = file.waits.len();
            file.waits.retain(|wait| wait.turn.number != turn.number);
            // It may have had the baton, with a lease that is kept for a while from now on.
            if file.waits.len() < before && self.plan.linger > 0 {
                file.left.insert(turn.life, now);
            }
        });
    }

    /// A user was told of an error.
    pub(crate) fn failed(&self, turn: Turn, may_be_lost: bool, error: &LockError) {
        let Turn { key, life, since, .. } = turn;
        let disturbed = self.disturbed(life).max(self.judge.borrow().lenient);
        self.note(self.now(), Lane::Life(life), None, || format!("k{key}: {error}"));
        self.count(|figures| match error {
            LockError::Busy { .. } => figures.busy += 1,
            LockError::Lost { .. } => figures.lost_turns += 1,
            _ => figures.unavailable += 1,
        });
        let is_expected = match error {
            LockError::Busy { .. } | LockError::ShutDown => true,
            // What is late for long ends in doubt, or after the lease.
            LockError::Lost { .. } => may_be_lost || self.plan.delayed > 0,
            // Who is out of time has 50 ms for an answer, which may need a connection first.
            LockError::Unavailable { .. } => self.plan.delayed > 0 || self.plan.longest_way() > 50 * MILLISECOND,
            _ => false,
        };
        if !is_expected && disturbed < since {
            self.accuse(Rule::Failure, format!("p{life} is told of k{key}: {error:?}"));
        }
    }

    /// A turn begins.
    pub(crate) fn begins(&self, turn: Turn, guard: Option<Weak<Guard>>, (fence, remaining): (u64, Duration)) {
        let (now, Turn { key, life, number, .. }) = (self.now(), turn);
        self.note(now, Lane::Life(life), None, || format!("holds k{key} with fence {fence} for {remaining:?}"));
        self.count(|figures| figures.acquisitions += 1);
        self.mix(fence);
        let [is_excused, _] = self.is_soon_after_loss();
        {
            let Judge { keys, verdict, .. } = &mut *self.judge.borrow_mut();
            let file = &mut keys[key];
            let own = file.waits.iter().find(|wait| wait.turn.number == number && wait.queues && now < wait.until);
            if let Some(own) = own {
                // Of one whose turn was over before it noticed another may have noticed its own earlier.
                if let Some(at) = own.overtaken.filter(|_| !remaining.is_zero()) {
                    let text = format!("k{key}: p{life} asked at {} and was overtaken at {at}", turn.since);
                    verdict.accuse(Rule::LocalOrder, now, text);
                }
                // It counts if it gets the lock later: it may be told of an error this moment.
                let before = |wait: &&mut Wait| wait.turn.life == life && wait.turn.number < number && wait.queues;
                file.waits.iter_mut().filter(before).for_each(|wait| wait.overtaken = wait.overtaken.or(Some(now)));
            }
            let ends = (fence == 0 && guard.is_none()).then_some(0);
            file.holders.push(Holder { turn, guard, ends, is_excused });
        }
        if fence > 0 {
            self.gets_fence(turn, fence);
        }
        self.asks_no_more(turn);
        self.works(turn, remaining);
    }

    /// Whether leases from before the last disaster may be believed yet, and those from before the fence clock was lost.
    fn is_soon_after_loss(&self) -> [bool; 2] {
        let (now, judge) = (self.now(), self.judge.borrow());
        let longest = self.plan.longest_ttl() * 102 / 100 + 100 * MILLISECOND;
        [judge.disaster, judge.fences_lost].map(|loss| loss.is_some_and(|loss| now < loss + longest))
    }

    /// A turn has a fence, from the beginning or since it was joined by who needs one.
    pub(crate) fn gets_fence(&self, turn: Turn, fence: u64) {
        let [_, begins_anew] = self.is_soon_after_loss();
        let last = self.judged(turn.key, |file| {
            // A resource refuses the fences of a lease that the store does not know any more.
            let last = file.last_fence;
            let counts = file.holder(turn).is_some_and(|holder| !holder.is_excused);
            file.last_fence = if counts && !begins_anew { last.max(fence) } else { last };
            if counts { last } else { 0 }
        });
        if fence <= last {
            self.accuse(Rule::Fences, format!("a turn on k{} has fence {fence} after {last}", turn.key));
        }
    }

    /// A turn goes on: nobody else may have the lock, and the store must keep it for longer.
    pub(crate) fn works(&self, turn: Turn, remaining: Duration) {
        let ends = self.now() + self.true_span(turn.life, remaining);
        let is_judged = self.judged(turn.key, |file| {
            file.holder(turn).filter(|_| !remaining.is_zero()).is_some_and(|holder| {
                holder.ends = holder.ends.map(|_| ends);
                !holder.is_excused
            })
        });
        if is_judged {
            if let Some((other, _)) = self.holders(turn.key).iter().find(|(other, _)| other.number != turn.number) {
                self.accuse(Rule::Exclusion, format!("p{} and p{} hold k{}", turn.life, other.life, turn.key));
            }
            self.is_covered(turn, ends);
        }
    }

    pub(super) fn is_covered(&self, Turn { key, life, .. }: Turn, ends: Time) {
        // After a failover the store may lack the lock until it opens, and nobody else is granted it.
        if self.plan.quarantine > 0 && self.now() < self.judge.borrow().lenient {
            return;
        }
        let (now, step) = (self.now(), self.with_servers(|servers| servers.step));
        let lock = self.judged(key, |file| {
            file.expire(now, step);
            file.lock.clone()
        });
        let is_foreign = |lock: &Lock| lock.life.is_none() && lock.token.starts_with(&format!("foreign-{life}-"));
        let own = lock.as_ref().filter(|lock| lock.life == Some(life) || is_foreign(lock));
        if own.is_none_or(|lock| true_end(lock.expires, step) < ends) {
            let text = lock.map(|lock| format!("{} until {}", lock.token, true_end(lock.expires, step)));
            self.accuse(Rule::Covered, format!("p{life} holds k{key} until {ends}, in the store {text:?}"));
        }
    }

    /// Who holds a lock by its own clock, and until when.
    pub(super) fn holders(&self, key: usize) -> Vec<(Turn, Time)> {
        let now = self.now();
        let known = self.judged(key, |file| file.holders.clone());
        let held =
            known.into_iter().filter(|holder| !holder.is_excused).filter_map(|Holder { turn, guard, ends, .. }| {
                let Some(guard) = guard else { return Some((turn, ends.filter(|ends| now < *ends)?)) };
                let guard = guard.upgrade()?;
                let place = Place { process: turn.life, lane: Place::TASKS };
                // It is not the process that looks at its clock.
                let looks = self.lives.borrow()[turn.life as usize].looks.get();
                let (is_held, remaining) = within(place, || (guard.is_held(), guard.remaining()));
                self.lives.borrow()[turn.life as usize].looks.set(looks);
                is_held.then(|| (turn, now + self.true_span(turn.life, remaining)))
            });
        held.collect()
    }

    /// A turn ends, or its lock is given up.
    pub(crate) fn stops(&self, turn: Turn) {
        let now = self.now();
        self.judged(turn.key, |file| {
            if let Some(at) = file.holders.iter().position(|holder| holder.turn.number == turn.number) {
                file.holders.swap_remove(at);
                file.left.insert(turn.life, now);
            }
        });
    }
}
