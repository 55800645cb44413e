//! What kind of world a seed makes: who is in it, what they want, and what goes wrong.

use std::time::Duration;

use crate::{
    clock::{MICROSECOND, MILLISECOND, SECOND, Time},
    rng::Rng,
};

/// Everything about a world that is drawn once.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// For whoever reads a trace.
    #[expect(dead_code, reason = "it is printed with the rest of the plan")]
    pub(crate) kind: Kind,
    pub(crate) processes: usize,
    pub(crate) tasks: usize,
    pub(crate) keys: usize,
    pub(crate) foreigners: usize,
    /// How long a turn takes, and how long a task rests between two.
    pub(crate) body: (Time, Time),
    pub(crate) rest: (Time, Time),
    /// Parts in 10,000 of the turns that take `long`.
    pub(crate) long_bodies: u32,
    pub(crate) long: Time,
    pub(crate) ttls: &'static [u64],
    /// Parts in 10,000.
    pub(crate) without_renewal: u32,
    pub(crate) tries_once: u32,
    pub(crate) cancels: u32,
    pub(crate) lingers: bool,
    /// How many fences a process reserves while several tasks want a key.
    pub(crate) block: u32,
    /// Parts in 10,000 of requests, replies and messages.
    pub(crate) lost: u32,
    pub(crate) delayed: u32,
    pub(crate) doubled: u32,
    /// More of the messages that nobody asked for are delayed.
    pub(crate) late_news: u32,
    /// Around how much time passes between two faults of a process, 0 for never.
    pub(crate) crashes: Time,
    pub(crate) pauses: Time,
    pub(crate) cuts: Time,
    pub(crate) deafness: Time,
    /// The same for losses of all records.
    pub(crate) failovers: Time,
    /// When the world comes to rest.
    pub(crate) acquisitions: u64,
    pub(crate) scripts: u64,
    pub(crate) duration: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Many turns on one lease.
    Hot,
    /// Several processes after few keys all the time.
    Busy,
    /// Many keys, hardly any two after the same.
    Calm,
    /// As busy, and everything goes wrong.
    Storm,
    /// Clients of another kind join in.
    Foreign,
    /// The records get lost now and then.
    Failover,
}

/// How long an unanswered question is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_millis(150);
/// The longest pause between two questions of a waiter.
pub(crate) const NAP: Duration = Duration::from_millis(250);
pub(crate) const JITTER: Duration = Duration::from_millis(25);
/// How long a seat counts.
pub(crate) const SEAT_COUNTS_MS: u64 = 1_000;
/// What a message needs when nothing happens to it, and at most when it is delayed.
pub(crate) const LATENCY: (Time, Time) = (15 * MICROSECOND, 250 * MICROSECOND);
pub(crate) const LONGEST_DELAY: Time = 600 * MILLISECOND;
/// So many times in a row the same wish meets with a fault: then it gets through.
pub(crate) const FAULTS_IN_A_ROW: u8 = 2;
/// How long the server counts a listener that died.
pub(crate) const LONGEST_GHOST: Time = 500 * MILLISECOND;
pub(crate) const RECORD_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, acquisitions: u64) -> Self {
        use Kind::{Busy, Calm, Failover, Foreign, Hot, Storm};
        let kind = rng.pick(&[Hot, Hot, Busy, Calm, Storm, Storm, Foreign, Failover]);
        let mut plan = Self {
            kind,
            processes: rng.between((2, 5)) as usize,
            tasks: rng.between((1, 4)) as usize,
            keys: rng.between((1, 3)) as usize,
            foreigners: 0,
            body: (MICROSECOND, 400 * MICROSECOND),
            rest: (0, 3 * MILLISECOND),
            long_bodies: 50,
            long: 400 * MILLISECOND,
            ttls: &[300, 1_000, 3_000],
            without_renewal: 1_500,
            tries_once: 500,
            cancels: 500,
            lingers: rng.chance(3_000),
            block: rng.pick(&[16, 256, 2_000]),
            lost: 0,
            delayed: 20,
            doubled: 0,
            late_news: 0,
            crashes: 0,
            pauses: 0,
            cuts: 0,
            deafness: 0,
            failovers: 0,
            acquisitions,
            scripts: acquisitions / 2,
            duration: 300 * SECOND + acquisitions * 5 * MILLISECOND,
        };
        match kind {
            Hot => {
                plan.tasks = rng.between((4, 32)) as usize;
                plan.keys = rng.pick(&[1, 1, 1, 2]);
                plan.body = (MICROSECOND, rng.pick(&[1, 3, 20]) * MICROSECOND);
                plan.rest = (0, 0);
                plan.long_bodies = 1;
                (plan.without_renewal, plan.tries_once, plan.cancels) = (2, 0, 5);
                plan.block = rng.pick(&[1_000, 4_000, 16_000]);
                (plan.lost, plan.delayed) = (100, 100);
                (plan.crashes, plan.pauses) = (10 * SECOND, 10 * SECOND);
            }
            Busy | Failover | Foreign => {}
            Calm => {
                plan.keys = rng.pick(&[8, 50, 300]);
                plan.rest = (0, rng.pick(&[5, 40]) * MILLISECOND);
                plan.ttls = &[1_000, 3_000, 10_000];
                plan.cancels = 1_500;
            }
            Storm => {
                plan.ttls = rng.pick(&[&[300, 300, 1_000], &[300, 1_000, 3_000], &[1_000, 3_000, 10_000]]);
                plan.long_bodies = 200;
                plan.long = rng.pick(&[50, 400, 2_000]) * MILLISECOND;
                plan.cancels = 1_500;
                (plan.lost, plan.delayed, plan.doubled) = (rng.pick(&[100, 500, 1_500]), 500, 500);
                plan.late_news = rng.pick(&[0, 1_000]);
                let often = rng.pick(&[SECOND, 3 * SECOND, 10 * SECOND]);
                (plan.crashes, plan.pauses, plan.cuts, plan.deafness) = (often, often, 2 * often, 2 * often);
            }
        }
        if kind == Foreign {
            plan.foreigners = rng.between((1, 2)) as usize;
            (plan.lost, plan.delayed) = (100, 100);
            plan.pauses = 5 * SECOND;
        }
        if kind == Failover {
            plan.failovers = 300 * MILLISECOND;
            plan.ttls = rng.pick(&[&[300], &[300, 1_000, 3_000]]);
            (plan.lost, plan.delayed, plan.late_news) = (500, 500, 2_000);
            plan.long_bodies = 1_000;
            plan.crashes = 5 * SECOND;
        }
        if rng.chance(3_000) {
            (plan.lost, plan.delayed, plan.doubled) = (300, 300, 300);
        }
        plan
    }

    /// How long a lock can be free while a live waiter wants it.
    pub(crate) fn longest_free(&self) -> Time {
        let [nap, jitter, patience] = [NAP, JITTER, PATIENCE].map(|span| span.as_nanos() as Time);
        let calm = (nap + jitter) * 102 / 100 + 10 * MILLISECOND;
        if self.lost + self.delayed + self.doubled == 0 {
            return calm;
        }
        // A question may be in vain a few times in a row.
        calm + (Time::from(FAULTS_IN_A_ROW) + 1) * (patience * 102 / 100 + 10 * MILLISECOND)
    }

    pub(crate) fn longest_ttl(&self) -> Time {
        self.ttls.iter().max().map_or(0, |ttl| ttl * MILLISECOND)
    }

    /// How long anybody can wait whose way is clear: everybody else holds the lock once, for as long as possible.
    pub(crate) fn longest_wait(&self) -> Time {
        let turn = self.longest_ttl() + self.long + SEAT_COUNTS_MS * MILLISECOND + self.longest_free();
        (self.processes + self.foreigners * 4) as Time * turn
    }

    /// How long it takes to undo a request that was cancelled, while nothing keeps the process from it.
    pub(crate) fn longest_repair(&self) -> Time {
        self.longest_free() + 300 * MILLISECOND
    }

    /// How far the last fence may be ahead of the time, in microseconds.
    pub(crate) fn longest_lead(&self) -> u64 {
        u64::from(self.block) * 8
    }
}
