//! Having a lease: the tasks of the process take turns on it, until it is given away, given back or lost.

use std::{rc::Rc, time::Duration};

use crate::{
    ask::Ask,
    clock::{BootTime, MICROSECOND},
    env::{Env, millis},
    events::{Line, Timer, What},
    fences::Fences,
    grant::{Grant, margin},
    leave::Leaving,
    process::{Process, Stage, short},
    renewal::Renewal,
    task::Wish,
    weakness::Weakness,
};

/// What others who wait let a process finish.
const YIELD_AFTER: (u32, Duration) = (10_000, Duration::from_millis(5));
/// How long a process keeps a lock for its own tasks, where others may want it who do not queue.
const LONGEST_STREAK: Duration = Duration::from_secs(1);
/// So many renewals in a row did not make a lease good enough for the next turn.
const TRIES: u8 = 3;

#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) number: u64,
    pub(crate) token: Rc<str>,
    /// What the store was last asked for.
    pub(crate) ttl: u64,
    pub(crate) deadline: BootTime,
    /// The last definite "yes": when it was asked for, and for how long it is good.
    pub(crate) fresh: (BootTime, u64),
    /// A shortening that was not answered yet, and the shortest one that never was.
    pub(crate) cap: Option<u64>,
    pub(crate) caps_for_good: Option<u64>,
    pub(crate) fences: Fences,
    pub(crate) renewal: Option<Renewal>,
    /// How many renewals in a row were not answered.
    pub(crate) attempt: u8,
    /// A question of the request that is not answered yet, and whether one never was.
    pub(crate) question: Option<u64>,
    pub(crate) strays: bool,
    /// What such a question would take in the queue, and for how long it would lock.
    seat: Rc<str>,
    asked_ttl: u64,
    pub(crate) turn: Option<Turn>,
    since: BootTime,
    /// Since when it is known that others wait.
    wanted: Option<BootTime>,
    turns: u32,
    turns_wanted: u32,
    tries: u8,
}

#[derive(Debug)]
pub(crate) struct Turn {
    number: u32,
    task: u16,
    pub(crate) wish: Wish,
    limit: BootTime,
}

impl Process {
    /// A request became a lease.
    pub(crate) fn takes_lease(
        &mut self,
        env: &mut Env,
        key: usize,
        ask: Ask,
        from: BootTime,
        first: u64,
        waiting: u64,
    ) {
        let now = self.now(env);
        let deadline = Grant { asked: from, ttl: millis(ask.ttl) }.deadline();
        let seat = ask.seat(self.index);
        let lease = Lease {
            number: ask.number,
            token: ask.token,
            ttl: ask.ttl,
            deadline,
            fresh: (from, ask.ttl),
            cap: None,
            caps_for_good: None,
            fences: Fences::new(first, ask.count),
            renewal: None,
            attempt: 0,
            question: ask.open.map(|open| open.id),
            strays: ask.strays,
            seat,
            asked_ttl: ask.ttl,
            turn: None,
            since: now,
            wanted: (waiting > 0 || ask.wanted).then_some(now),
            turns: 0,
            turns_wanted: 0,
            tries: 0,
        };
        let (number, token, ttl) = (lease.number, Rc::clone(&lease.token), lease.ttl);
        self.spots[key].stage = Stage::Holding(lease);
        if now >= deadline {
            // It took too long to hear of it.
            self.release_lease(env, key);
            return self.advance(env, key);
        }
        env.figures.leases += 1;
        env.judge.believes(env.now, key, &token, self.clock.time_of(deadline));
        self.timer(env, deadline, Timer::LeaseEnds { key: key as u16, number });
        self.timer(env, from.after(millis(ttl) / 3), Timer::Renew { key: key as u16, number });
        self.next_turn(env, key);
    }

    pub(crate) fn lease(&mut self, key: usize) -> Option<&mut Lease> {
        match &mut self.spots[key].stage {
            Stage::Holding(lease) => Some(lease),
            _ => None,
        }
    }

    /// Between two turns: whose is the next one?
    pub(crate) fn next_turn(&mut self, env: &mut Env, key: usize) {
        let now = self.now(env);
        let nobody = self.spots[key].line.is_empty();
        let linger = if env.ending { 0 } else { self.linger };
        let Some(lease) = self.lease(key).filter(|lease| lease.turn.is_none()) else { return };
        if now >= lease.deadline {
            return self.lose(env, key);
        }
        let yields = |since: BootTime| now.since(since) >= YIELD_AFTER.1 || lease.turns_wanted >= YIELD_AFTER.0;
        if lease.wanted.is_some_and(|since| yields(since) || nobody) || (nobody && linger == 0) {
            self.release_lease(env, key);
            return self.advance(env, key);
        }
        if nobody {
            let (number, turns) = (lease.number, lease.turns);
            return env.timer(
                self.index,
                self.life,
                env.now + linger,
                Timer::LingerEnds { key: key as u16, number, turns },
            );
        }
        if lease.wanted.is_none() && now.since(lease.since) >= LONGEST_STREAK {
            self.release_lease(env, key);
            let rest = self.number() as u32;
            self.spots[key].stage = Stage::Resting(rest);
            return self.timer(env, now.after(millis(1)), Timer::RestEnds { key: key as u16, rest });
        }
        self.starts_turn(env, key, now);
    }

    fn starts_turn(&mut self, env: &mut Env, key: usize, now: BootTime) {
        let Some(task) = self.spots[key].line.front() else { return };
        let wish = self.tasks[usize::from(*task)].wish;
        let ttl = millis(wish.ttl);
        let block = if self.spots[key].line.len() > 1 { env.plan.block } else { 2 };
        let Some(lease) = self.lease(key) else { return };
        let left = lease.deadline.since(now);
        let (asked, good_for) = lease.fresh;
        let enough = if wish.renews || lease.tries >= TRIES {
            left >= ttl / 2
        } else {
            // All of its TTL: what is missing is no more than a question and its answer take.
            good_for >= wish.ttl && now.since(asked) <= Duration::from_millis(1) && left + margin(ttl) * 2 >= ttl
        };
        if !enough || lease.fences.is_empty() {
            if lease.renewal.is_some() {
                return;
            }
            let capped = lease.caps_for_good.is_some_and(|cap| cap < wish.ttl);
            if capped || lease.tries > TRIES {
                // This lease will never be good enough.
                self.release_lease(env, key);
                return self.advance(env, key);
            }
            lease.tries += 1;
            let more = if lease.fences.is_empty() { block } else { 0 };
            return self.renew(env, key, wish.ttl, false, more);
        }
        let limit =
            if wish.renews { BootTime::after(now, nanos(wish.max_hold)) } else { asked.after(ttl - margin(ttl)) };
        let Some(fence) = lease.fences.take() else { return };
        lease.tries = 0;
        lease.turns = lease.turns.wrapping_add(1);
        lease.turns_wanted += u32::from(lease.wanted.is_some());
        let number = lease.turns;
        let token = Rc::clone(&lease.token);
        let shortens = wish.renews && lease.ttl > wish.ttl && lease.renewal.is_none();
        let Some((task, wish)) = self.takes_turn(key) else { return };
        let limit = limit.max(now);
        let ends = (env.now + wish.body).min(self.clock.time_of(limit));
        if let Some(lease) = self.lease(key) {
            lease.turn = Some(Turn { number, task, wish, limit });
        }
        env.figures.acquisitions += 1;
        env.trace.mix(fence);
        env.judge.turn(env.now, key, &token, fence);
        env.timer(self.index, self.life, ends, Timer::TurnEnds { key: key as u16, turn: number });
        if shortens && wish.body > 100 * MICROSECOND {
            env.figures.shortened += 1;
            self.renew(env, key, wish.ttl, true, 0);
        }
    }

    pub(crate) fn turn_ends(&mut self, env: &mut Env, key: usize, number: u32) {
        let now = self.now(env);
        let Some(lease) = self.lease(key) else { return };
        let Some(turn) = lease.turn.take_if(|turn| turn.number == number) else { return };
        let cut = now >= turn.limit || now >= lease.deadline;
        env.figures.lost_turns += u64::from(cut);
        // A task that does not rest wants the same key at once: hot keys are made of those.
        if env.plan.rest.1 == 0 && !env.ending {
            let key = if env.plan.keys == 1 { key } else { env.rng.below(env.plan.keys as u64) as usize };
            self.wants(env, turn.task, key);
            self.advance(env, key);
        } else {
            self.rest(env, turn.task);
        }
        self.next_turn(env, key);
    }

    pub(crate) fn lease_ends(&mut self, env: &mut Env, key: usize, number: u64) {
        let now = self.now(env);
        let Some(lease) = self.lease(key).filter(|lease| lease.number == number) else { return };
        if now >= lease.deadline {
            return self.lose(env, key);
        }
        let deadline = lease.deadline;
        self.timer(env, deadline, Timer::LeaseEnds { key: key as u16, number });
    }

    pub(crate) fn linger_ends(&mut self, env: &mut Env, key: usize, number: u64, turns: u32) {
        let Some(lease) = self.lease(key) else { return };
        if lease.number == number && lease.turns == turns && lease.turn.is_none() {
            self.release_lease(env, key);
            self.advance(env, key);
        }
    }

    /// Somebody waits for what this process holds, or was just given.
    pub(crate) fn told_wanted(&mut self, env: &mut Env, key: usize) {
        let now = self.now(env);
        let idle = self.spots[key].line.is_empty();
        match &mut self.spots[key].stage {
            Stage::Asking(ask) => ask.wanted = true,
            Stage::Holding(lease) => {
                lease.wanted.get_or_insert(now);
                if idle && lease.turn.is_none() {
                    self.next_turn(env, key);
                }
            }
            _ => {}
        }
    }

    /// Its deadline has passed, or the store says that it is gone. Whoever has a turn is stopped.
    pub(crate) fn lose(&mut self, env: &mut Env, key: usize) {
        let Some(lease) = self.lease(key) else { return };
        if let Some(turn) = lease.turn.take() {
            env.figures.lost_turns += 1;
            self.rest(env, turn.task);
        }
        self.release_lease(env, key);
        self.advance(env, key);
    }

    pub(crate) fn release_lease(&mut self, env: &mut Env, key: usize) {
        let now = self.now(env);
        let Stage::Holding(lease) = std::mem::take(&mut self.spots[key].stage) else { return };
        env.judge.gave_up(key, &lease.token);
        env.trace.note(env.now, || format!("process {} gives up key {key}, {}", self.index, short(&lease.token)));
        let used =
            lease.fences.to_return().filter(|_| !env.is(Weakness::BlockKept)).map(|used| [used, lease.fences.last()]);
        let leaving = Leaving::new(key, lease.token, now.after(millis(lease.ttl.max(lease.asked_ttl))))
            .with_used(used)
            .with_seat((lease.strays || lease.question.is_some()).then_some(lease.seat))
            .with_questions(lease.question, lease.strays);
        self.leave(env, lease.number, leaving);
    }

    /// One question to the store about a lease, and it is under way.
    pub(crate) fn send_renewal(
        &mut self,
        env: &mut Env,
        key: usize,
        what: What,
        attempt: u8,
    ) -> Option<crate::events::Open> {
        let token = Rc::clone(&self.lease(key)?.token);
        Some(self.send(env, key, &token, Line::Keeping, attempt, what))
    }
}

fn nanos(span: u64) -> Duration {
    Duration::from_nanos(span)
}
