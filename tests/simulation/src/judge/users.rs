//! What users do and are told.

use std::{sync::Weak, time::Duration};

use dlock_runtime::{
    Guard, LockError,
    simulated::{Place, within},
};

use super::{Holder, Lock, Rule, Wait, true_end};
use crate::{
    plan::{MILLISECOND, Time},
    sim::Sim,
    trace::Lane,
};

impl Sim {
    /// A task begins to ask, and waits until `until`.
    pub(crate) fn asks(&self, key: usize, life: u32, wait: Option<Duration>) -> u64 {
        let since = self.now();
        let until = wait.map_or(Time::MAX, |wait| since + wait.as_nanos() as Time * 98 / 100);
        self.lives.borrow()[life as usize].looks.set(0);
        self.note(since, Lane::Life(life), None, || format!("asks for k{key}, waits {wait:?}"));
        self.judged(key, |key, number| {
            *number += 1;
            let queues = wait != Some(Duration::ZERO);
            key.waits.push(Wait { number: *number, life, since, until, queues, overtaken: None });
            *number
        })
    }

    /// A task asks no more, whatever came of it.
    pub(crate) fn asks_no_more(&self, key: usize, number: u64) {
        let (now, lingers) = (self.now(), self.plan.linger > 0);
        self.judged(key, |key, _| {
            // It may have had the baton, with a lease that is kept for a while from now on.
            let gone = key.waits.iter().find(|wait| wait.number == number).filter(|_| lingers);
            gone.map(|wait| wait.life).map(|life| key.left.insert(life, now));
            key.waits.retain(|wait| wait.number != number);
        });
    }

    /// A user was told of an error.
    pub(crate) fn failed(&self, key: usize, life: u32, since: Time, may_be_lost: bool, error: &LockError) {
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
    pub(crate) fn begins(
        &self,
        key: usize,
        life: u32,
        wait: u64,
        guard: Option<Weak<Guard>>,
        (fence, remaining): (u64, Duration),
    ) -> u64 {
        let (now, mut faults) = (self.now(), Vec::new());
        self.note(now, Lane::Life(life), None, || format!("holds k{key} with fence {fence} for {remaining:?}"));
        self.count(|figures| figures.acquisitions += 1);
        self.mix(fence);
        let [is_excused, begins_anew] = self.is_soon_after_loss();
        let is_foreign = fence == 0 && guard.is_none();
        let number = self.judged(key, |file, number| {
            let own = file.waits.iter().find(|other| other.number == wait).filter(|own| own.queues && now < own.until);
            if let Some(own) = own {
                if let Some(at) = own.overtaken {
                    let text = format!("k{key}: p{life} asked at {} and was overtaken at {at}", own.since);
                    faults.push((Rule::LocalOrder, text));
                }
                // It counts if it gets the lock later: it may be told of an error this moment.
                let before = |other: &&mut Wait| other.life == life && other.number < wait && other.queues;
                file.waits.iter_mut().filter(before).for_each(|other| other.overtaken = other.overtaken.or(Some(now)));
            }
            let last = file.last_fence;
            if !(is_excused || begins_anew) {
                file.last_fence = last.max(fence);
            }
            // A resource refuses the fences of a lease that the store does not know any more.
            if fence <= last && fence > 0 && !is_excused {
                faults.push((Rule::Fences, format!("a turn on k{key} has fence {fence} after {last}")));
            }
            *number += 1;
            file.holders.push(Holder { number: *number, wait, life, guard, ends: 0, is_foreign, is_excused });
            *number
        });
        self.asks_no_more(key, wait);
        faults.into_iter().for_each(|(rule, text)| self.accuse(rule, text));
        self.works(key, number, remaining);
        number
    }

    /// Whether leases from before the last disaster may be believed yet, and those from before the fence clock was lost.
    fn is_soon_after_loss(&self) -> [bool; 2] {
        let (now, judge) = (self.now(), self.judge.borrow());
        let longest = self.plan.longest_ttl() * 102 / 100 + 100 * MILLISECOND;
        [judge.disaster, judge.fences_lost].map(|loss| loss.is_some_and(|loss| now < loss + longest))
    }

    /// A turn without a fence was joined by who needs one.
    pub(crate) fn gets_fence(&self, key: usize, number: u64, fence: u64) {
        let [_, begins_anew] = self.is_soon_after_loss();
        let last = self.judged(key, |file, _| {
            let is_excused = file.holders.iter().all(|holder| holder.number != number || holder.is_excused);
            let last = if is_excused { 0 } else { file.last_fence };
            if !begins_anew {
                file.last_fence = file.last_fence.max(fence);
            }
            last
        });
        if fence <= last {
            self.accuse(Rule::Fences, format!("a hold on k{key} that was joined has fence {fence} after {last}"));
        }
    }

    /// A turn goes on: nobody else may have the lock, and the store must keep it for longer.
    pub(crate) fn works(&self, key: usize, number: u64, remaining: Duration) {
        if remaining.is_zero() {
            return;
        }
        let now = self.now();
        let Some((life, is_excused)) = self.judged(key, |file, _| {
            file.holders.iter().find(|holder| holder.number == number).map(|holder| (holder.life, holder.is_excused))
        }) else {
            return;
        };
        let ends = now + self.true_span(life, remaining);
        self.judged(key, |file, _| {
            if let Some(holder) = file.holders.iter_mut().find(|holder| holder.number == number && holder.is_foreign) {
                holder.ends = ends;
            }
        });
        if is_excused {
            return;
        }
        if let Some(other) = self.holders(key).into_iter().find(|other| other.0 != number) {
            self.accuse(Rule::Exclusion, format!("p{life} and p{} hold k{key}", other.1));
        }
        self.is_covered(key, life, ends);
    }

    pub(super) fn is_covered(&self, key: usize, life: u32, ends: Time) {
        // After a failover the store may lack the lock until it opens, and nobody else is granted it.
        if self.plan.quarantine > 0 && self.now() < self.judge.borrow().lenient {
            return;
        }
        let (now, step) = (self.now(), self.with_servers(|servers| servers.step));
        let lock = self.judged(key, |file, _| {
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

    /// Who holds a lock by its own clock.
    pub(super) fn holders(&self, key: usize) -> Vec<(u64, u32, Time)> {
        let now = self.now();
        let known = self.judged(key, |file, _| {
            let live = file.holders.iter().filter(|holder| !holder.is_excused);
            live.map(|holder| (holder.number, holder.life, holder.ends, holder.guard.clone())).collect::<Vec<_>>()
        });
        let held = known.into_iter().filter_map(|(number, life, ends, guard)| match guard {
            Some(guard) => {
                let guard = guard.upgrade()?;
                let place = Place { process: life, lane: Place::TASKS };
                // It is not the process that looks at its clock.
                let looks = self.lives.borrow()[life as usize].looks.get();
                let (is_held, remaining) = within(place, || (guard.is_held(), guard.remaining()));
                self.lives.borrow()[life as usize].looks.set(looks);
                is_held.then(|| (number, life, now + self.true_span(life, remaining)))
            }
            None => (now < ends).then_some((number, life, ends)),
        });
        held.collect()
    }

    /// The turn that began for a request, if there was one.
    pub(crate) fn last_turn(&self, key: usize, life: u32, wait: u64) -> u64 {
        self.judged(key, |file, _| {
            let own = file.holders.iter().find(|holder| holder.life == life && holder.wait == wait);
            own.map_or(0, |holder| holder.number)
        })
    }

    /// A turn ends, or its lock is given up.
    pub(crate) fn stops(&self, key: usize, number: u64) {
        let now = self.now();
        self.judged(key, |file, _| {
            if let Some(at) = file.holders.iter().position(|holder| holder.number == number) {
                let holder = file.holders.swap_remove(at);
                file.left.insert(holder.life, now);
            }
        });
    }
}
