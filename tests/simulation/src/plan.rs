//! What kind of world a seed makes: who is in it, what they want, and what goes wrong.

pub use crate::kind::{Fault, Kind};
use crate::{about::ScriptKind, rng::Rng};

/// Virtual time in nanoseconds.
pub(crate) type Time = u64;
pub(crate) const MICROSECOND: Time = 1_000;
pub(crate) const MILLISECOND: Time = 1_000_000;
pub(crate) const SECOND: Time = 1_000_000_000;

/// What a message needs at most when it is delayed.
pub(crate) const LONGEST_DELAY: Time = 400 * MILLISECOND;
/// How long the server takes a dead process for a listener.
pub(crate) const LONGEST_GHOST: Time = 500 * MILLISECOND;
/// How long a seat in the store's queue counts.
pub(crate) const SEAT_COUNTS: Time = SECOND;
/// The TTL of the annotated function.
pub(crate) const ANNOTATED_TTL: Time = SECOND;
/// The longest pause between two questions of a waiter, and how long one of them may go unanswered.
pub(crate) const NAP: Time = 250 * MILLISECOND;
pub(crate) const PATIENCE: Time = 500 * MILLISECOND;

/// Everything about a world that is drawn once.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    #[expect(dead_code, reason = "it is printed with the rest of the plan")]
    pub(crate) kind: Kind,
    pub(crate) processes: usize,
    pub(crate) tasks: usize,
    pub(crate) keys: usize,
    pub(crate) foreigners: usize,
    /// Servers beside the first, which copy it; in a cluster, beside each master.
    pub(crate) replicas: usize,
    /// How many sentinels watch over the master; 0 if its address leads to it.
    pub(crate) sentinels: usize,
    /// How many masters of a cluster there are; 0 if it is none.
    pub(crate) masters: usize,
    /// The longest body and the longest rest of a task, in milliseconds, and parts in 10,000 of bodies that take any time at all.
    pub(crate) body: u64,
    pub(crate) rest: u64,
    pub(crate) slow_bodies: u32,
    /// Parts in 10,000 of the bodies that take `long` milliseconds.
    pub(crate) long_bodies: u32,
    pub(crate) long: u64,
    pub(crate) ttls: &'static [u64],
    /// Parts in 10,000 of the requests.
    pub(crate) without_renewal: u32,
    pub(crate) unfenced: u32,
    pub(crate) bounded: u32,
    pub(crate) tries_once: u32,
    pub(crate) waits_shortly: u32,
    pub(crate) cancels: u32,
    pub(crate) reenters: u32,
    pub(crate) attribute: u32,
    pub(crate) looks: u32,
    /// The settings of the runtimes. The quarantine of the failover guard is in milliseconds, 0 for none.
    pub(crate) quarantine: u64,
    pub(crate) turns: bool,
    pub(crate) confirms: bool,
    pub(crate) linger: u64,
    pub(crate) lazily: bool,
    /// Parts in 10,000 of the tasks that run on an executor without tokio.
    pub(crate) elsewhere: u32,
    /// Parts in 10,000 of the polls that are put off.
    pub(crate) put_off: u32,
    /// What a message needs, in microseconds.
    pub(crate) latency: (u64, u64),
    /// Parts in 10,000 of what is sent: delayed, cut off in the middle, sent in two pieces; and of connections that are refused or
    /// never answered.
    pub(crate) delayed: u32,
    /// The same for messages that nobody asked for, and for longer.
    pub(crate) late_news: u32,
    pub(crate) cut: u32,
    pub(crate) split: u32,
    pub(crate) refused: u32,
    pub(crate) mute: u32,
    /// What connections break under above all: by chance alone they would hardly ever break under what is seldom sent.
    pub(crate) aim: Option<ScriptKind>,
    /// Tasks rest for longer in peace, so that much time passes.
    pub(crate) is_quiet: bool,
    /// Around how much time passes between two faults of each kind, 0 for never.
    pub(crate) faults: Vec<(Fault, Time)>,
    /// So many times as many turns as are asked for: where they cost no script, there can be many.
    pub(crate) share: u64,
    /// When the world comes to rest, if it has not taken all its turns by then.
    pub(crate) duration: Time,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, kind: Option<Kind>) -> Self {
        use Fault::*;
        use Kind::*;
        let drawn = rng.pick(&Kind::ALL);
        let kind = kind.unwrap_or(drawn);
        let mut plan = Self {
            kind,
            processes: rng.between((2, 4)) as usize,
            tasks: rng.between((1, 5)) as usize,
            keys: rng.between((1, 3)) as usize,
            foreigners: 0,
            replicas: 0,
            sentinels: 0,
            masters: 0,
            body: rng.pick(&[1, 3, 10]),
            rest: rng.pick(&[1, 5, 30]),
            slow_bodies: 5_000,
            long_bodies: 50,
            long: 700,
            ttls: &[300, 1_000, 3_000],
            without_renewal: 1_000,
            unfenced: 3_300,
            bounded: 300,
            tries_once: 1_000,
            waits_shortly: 2_000,
            cancels: 1_000,
            reenters: 1_000,
            attribute: 2_000,
            looks: 200,
            quarantine: 0,
            turns: !rng.chance(1_500),
            confirms: !rng.chance(2_500),
            linger: if rng.chance(3_000) { rng.pick(&[5, 50, 400]) } else { 0 },
            lazily: rng.chance(2_000),
            elsewhere: rng.pick(&[0, 0, 3_000]),
            put_off: rng.pick(&[0, 300, 3_000]),
            latency: rng.pick(&[(15, 250), (50, 2_000), (200, 9_000)]),
            delayed: rng.pick(&[0, 0, 20]),
            late_news: 0,
            cut: 0,
            split: 20,
            refused: 0,
            mute: 0,
            aim: None,
            is_quiet: rng.chance(5_000),
            faults: Vec::new(),
            share: 1,
            duration: 200 * SECOND,
        };
        let often = rng.pick(&[SECOND, 3 * SECOND, 10 * SECOND]);
        match kind {
            Hot => {
                (plan.tasks, plan.keys, plan.latency) =
                    (rng.between((4, 32)) as usize, rng.pick(&[1, 1, 2]), (15, 250));
                (plan.rest, plan.body, plan.slow_bodies, plan.long_bodies) = (0, 1, rng.pick(&[5, 50, 300]), 1);
                (plan.without_renewal, plan.tries_once, plan.waits_shortly) = (5, 20, 20);
                (plan.cancels, plan.reenters, plan.attribute, plan.looks) = (20, 20, 500, 1);
                (plan.turns, plan.put_off, plan.bounded, plan.share) = (true, rng.pick(&[0, 100]), 2, 20);
                plan.faults = vec![(Crash, 20 * SECOND), (Pause, 10 * SECOND)];
            }
            Busy => plan.faults = vec![(Forgotten, SECOND / 2)],
            Calm => {
                (plan.keys, plan.long_bodies) = (rng.pick(&[20, 100, 500]), 200);
                plan.ttls = &[1_000, 3_000, 10_000];
                plan.faults = vec![(Forgotten, SECOND / 2)];
            }
            Storm => {
                plan.ttls = rng.pick(&[&[300, 300, 1_000], &[300, 1_000, 3_000], &[1_000, 3_000, 10_000]]);
                (plan.long_bodies, plan.cancels) = (300, 2_000);
                (plan.delayed, plan.cut, plan.split) = (rng.pick(&[0, 20, 200, 500]), rng.pick(&[5, 50]), 500);
                (plan.refused, plan.mute, plan.late_news) = (500, 500, rng.pick(&[0, 500, 3_000]));
                plan.aim = rng.pick(&[None, None, Some(ScriptKind::Acquire), Some(ScriptKind::Release)]);
                plan.faults = vec![
                    (Crash, 2 * often),
                    (Pause, often),
                    (Shutdown, 4 * often),
                    (Reset, often),
                    (BlackHole, often),
                    (Cut, 2 * often),
                ];
            }
            Foreign => {
                plan.foreigners = rng.between((1, 2)) as usize;
                (plan.delayed, plan.put_off) = (50, 100);
                plan.faults = vec![(Pause, 5 * SECOND), (Reset, 5 * SECOND)];
            }
            Late => {
                (plan.processes, plan.tasks) = (rng.between((1, 2)) as usize, rng.between((1, 3)) as usize);
                (plan.ttls, plan.body, plan.rest, plan.long_bodies) = (&[10_000], 3, 300, 0);
                plan.aim = Some(ScriptKind::Acquire);
                plan.faults = vec![(Reset, 10 * SECOND)];
            }
            Terms => {
                (plan.processes, plan.keys) = (rng.between((1, 2)) as usize, rng.between((1, 2)) as usize);
                (plan.ttls, plan.body, plan.turns) = (&[300, 3_000, 10_000], 60, true);
                plan.aim = Some(ScriptKind::Shorten);
                plan.faults = vec![(Reset, 10 * SECOND)];
            }
            Server => {
                (plan.cut, plan.refused) = (10, 200);
                plan.faults = vec![
                    (Stall, often),
                    (Restart, 2 * often),
                    (ScriptsLost, often),
                    (Full, 2 * often),
                    (Spoilt, often),
                    (Shutdown, 4 * often),
                    (Reset, often),
                ];
            }
            Replicas => {
                (plan.replicas, plan.mute) = (rng.between((1, 2)) as usize, 300);
                plan.faults = vec![(AddressMoves, often), (Failover, 3 * often), (Reset, often), (Crash, 4 * often)];
            }
            Cluster | Shards => {
                (plan.masters, plan.keys) = (rng.between((2, 3)) as usize, rng.between((2, 5)) as usize);
                plan.ttls = rng.pick(&[&[300, 300, 1_000], &[300, 1_000, 3_000]]);
                (plan.long_bodies, plan.delayed, plan.refused) = (500, rng.pick(&[0, 20]), rng.pick(&[0, 100]));
                plan.aim = rng.pick(&[None, Some(ScriptKind::Acquire), Some(ScriptKind::Renew)]);
                let often = often.max(2 * SECOND);
                plan.faults = vec![
                    (SlotsMove, often),
                    (Reset, often),
                    (Stall, 4 * often),
                    (ScriptsLost, 4 * often),
                    (Pause, 2 * often),
                    (Crash, 4 * often),
                    (BlackHole, 4 * often),
                ];
                if kind == Shards {
                    plan.replicas = 1;
                    plan.ttls = rng.pick(&[&[300], &[300, 300, 1_000]]);
                    plan.quarantine = plan.longest_ttl() / MILLISECOND + 1_000;
                    plan.faults.extend([(WritesLost, 2 * often), (Failover, 4 * often), (Restart, 8 * often)]);
                }
            }
            Disaster => {
                plan.replicas = 1;
                plan.ttls = rng.pick(&[&[300], &[300, 1_000, 3_000]]);
                plan.faults = vec![
                    (DataLost, 2 * often),
                    (WritesLost, often),
                    (ClockStep, 2 * often),
                    (Crash, 4 * often),
                    (BlackHole, 2 * often),
                ];
            }
            Guarded | Watched => {
                (plan.replicas, plan.sentinels) = (1, if kind == Watched { 3 } else { 0 });
                plan.ttls = rng.pick(&[&[300], &[300, 300, 1_000]]);
                (plan.long_bodies, plan.delayed) = (500, rng.pick(&[0, 50, 300]));
                plan.aim = rng.pick(&[None, Some(ScriptKind::Renew)]);
                plan.quarantine = plan.longest_ttl() / MILLISECOND + 1_000;
                let often = often.max(3 * SECOND);
                plan.faults = vec![
                    (WritesLost, 2 * often),
                    (Failover, 4 * often),
                    (DataLost, 4 * often),
                    (Restart, 8 * often),
                    (Pause, often),
                    (Crash, 4 * often),
                    (BlackHole, 4 * often),
                    (Reset, often),
                ];
                if kind == Watched {
                    // The first fences after that are lost by a failover that comes next (SAFETY.md).
                    plan.faults.retain(|(fault, _)| *fault != DataLost);
                }
            }
        }
        plan
    }

    pub(crate) fn longest_ttl(&self) -> Time {
        self.ttls.iter().max().map_or(0, |ttl| ttl * MILLISECOND).max(ANNOTATED_TTL)
    }

    /// How long a question and its answer can be under way while no fault lasts.
    pub(crate) fn longest_way(&self) -> Time {
        let calm = 4 * self.latency.1 * MICROSECOND + 20 * MILLISECOND;
        if self.delayed > 0 { calm + 2 * LONGEST_DELAY } else { calm }
    }

    /// How long it takes a process to recover, after what kept it from reaching the server is over.
    pub(crate) fn recovery(&self) -> Time {
        2 * PATIENCE + 2 * NAP + 2 * self.longest_way()
    }

    /// How long a lock can be free while a waiter whose way is clear wants it.
    pub(crate) fn longest_free(&self) -> Time {
        let vain = if self.delayed + self.cut + self.refused + self.mute > 0 { 2 * (PATIENCE + NAP) } else { 0 };
        2 * NAP + 2 * self.longest_way() + vain
    }

    /// How long anybody can wait whose way is clear: everybody else holds the lock once, for as long as possible.
    pub(crate) fn longest_wait(&self) -> Time {
        let others = (self.processes * self.tasks.max(4) + self.foreigners * 40) as Time;
        others * (self.long * MILLISECOND + self.longest_ttl() + SEAT_COUNTS + self.longest_free())
    }
}
