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

macro_rules! plan {
    (|$kind:ident, $rng:ident| $($name:ident: $type:ty = $usual:expr;)+) => {
        /// Everything about a world that is drawn once.
        #[derive(Clone, Debug)]
        pub(crate) struct Plan {
            $(pub(crate) $name: $type,)+
        }

        impl Plan {
            /// What a world is like where its kind says nothing else. It is drawn in the order of the table.
            fn usual($kind: Kind, $rng: &mut Rng) -> Self {
                Self { $($name: $usual,)+ }
            }
        }
    };
}

plan! { |kind, rng|
    kind: Kind = kind;
    processes: usize = rng.between((2, 4)) as usize;
    tasks: usize = rng.between((1, 5)) as usize;
    keys: usize = rng.between((1, 3)) as usize;
    foreigners: usize = 0;
    // Servers beside the first, which copy it; in a cluster, beside each master.
    replicas: usize = 0;
    // How many sentinels watch over the master; 0 if its address leads to it.
    sentinels: usize = 0;
    // How many masters of a cluster there are; 0 if it is none.
    masters: usize = 0;
    // The longest body and the longest rest of a task, in milliseconds, and parts in 10,000 of bodies that take any time at all.
    body: u64 = rng.pick(&[1, 3, 10]);
    rest: u64 = rng.pick(&[1, 5, 30]);
    slow_bodies: u32 = 5_000;
    // Parts in 10,000 of the bodies that take `long` milliseconds.
    long_bodies: u32 = 50;
    long: u64 = 700;
    ttls: &'static [u64] = &[300, 1_000, 3_000];
    // Parts in 10,000 of the requests.
    without_renewal: u32 = 1_000;
    unfenced: u32 = 3_300;
    bounded: u32 = 300;
    tries_once: u32 = 1_000;
    waits_shortly: u32 = 2_000;
    cancels: u32 = 1_000;
    reenters: u32 = 1_000;
    attribute: u32 = 2_000;
    looks: u32 = 200;
    // The settings of the runtimes. The quarantine of the failover guard is in milliseconds, 0 for none.
    quarantine: u64 = 0;
    turns: bool = !rng.chance(1_500);
    confirms: bool = !rng.chance(2_500);
    linger: u64 = if rng.chance(3_000) { rng.pick(&[5, 50, 400]) } else { 0 };
    lazily: bool = rng.chance(2_000);
    // Parts in 10,000 of the tasks that run on an executor without tokio, and of the polls that are put off.
    elsewhere: u32 = rng.pick(&[0, 0, 3_000]);
    put_off: u32 = rng.pick(&[0, 300, 3_000]);
    // What a message needs, in microseconds.
    latency: (u64, u64) = rng.pick(&[(15, 250), (50, 2_000), (200, 9_000)]);
    // Parts in 10,000 of what is sent: delayed, for longer if nobody asked for it, cut off in the middle, sent in two pieces; and of
    // connections that are refused or never answered.
    delayed: u32 = rng.pick(&[0, 0, 20]);
    late_news: u32 = 0;
    cut: u32 = 0;
    split: u32 = 20;
    refused: u32 = 0;
    mute: u32 = 0;
    // What connections break under above all: by chance alone they would hardly ever break under what is seldom sent.
    aim: Option<ScriptKind> = None;
    // Tasks rest for longer in peace, so that much time passes.
    is_quiet: bool = rng.chance(5_000);
    // Around how much time passes between two faults of each kind.
    faults: Vec<(Fault, Time)> = Vec::new();
    // So many times as many turns as are asked for: where they cost no script, there can be many.
    share: u64 = 1;
    // When the world comes to rest, if it has not taken all its turns by then.
    duration: Time = 200 * SECOND;
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, kind: Option<Kind>) -> Self {
        use Fault::*;
        use Kind::*;
        let drawn = rng.pick(&Kind::WORLDS);
        let mut plan = Self::usual(kind.unwrap_or(drawn), rng);
        let often = rng.pick(&[SECOND, 3 * SECOND, 10 * SECOND]);
        match plan.kind {
            Hot => {
                plan.tasks = rng.between((4, 32)) as usize;
                (plan.keys, plan.latency) = (rng.pick(&[1, 1, 2]), (15, 250));
                (plan.rest, plan.body, plan.slow_bodies, plan.long_bodies) = (0, 1, rng.pick(&[5, 50, 300]), 1);
                (plan.without_renewal, plan.tries_once, plan.waits_shortly) = (5, 20, 20);
                (plan.cancels, plan.reenters, plan.attribute, plan.looks) = (20, 20, 500, 1);
                (plan.turns, plan.put_off, plan.bounded, plan.share) = (true, rng.pick(&[0, 100]), 2, 20);
                plan.befall(SECOND, &[(Crash, 20), (Pause, 10)]);
            }
            Busy => plan.befall(SECOND / 2, &[(Forgotten, 1)]),
            Calm => {
                (plan.keys, plan.long_bodies) = (rng.pick(&[20, 100, 500]), 200);
                plan.ttls = &[1_000, 3_000, 10_000];
                plan.befall(SECOND / 2, &[(Forgotten, 1)]);
            }
            Storm => {
                plan.ttls = rng.pick(&[&[300, 300, 1_000], &[300, 1_000, 3_000], &[1_000, 3_000, 10_000]]);
                (plan.long_bodies, plan.cancels) = (300, 2_000);
                (plan.delayed, plan.cut, plan.split) = (rng.pick(&[0, 20, 200, 500]), rng.pick(&[5, 50]), 500);
                (plan.refused, plan.mute, plan.late_news) = (500, 500, rng.pick(&[0, 500, 3_000]));
                plan.aim = rng.pick(&[None, None, Some(ScriptKind::Acquire), Some(ScriptKind::Release)]);
                plan.befall(often, &[(Crash, 2), (Pause, 1), (Shutdown, 4), (Reset, 1), (BlackHole, 1), (Cut, 2)]);
            }
            Foreign => {
                plan.foreigners = rng.between((1, 2)) as usize;
                (plan.delayed, plan.put_off) = (50, 100);
                plan.befall(5 * SECOND, &[(Pause, 1), (Reset, 1)]);
            }
            Late => {
                (plan.processes, plan.tasks) = (rng.between((1, 2)) as usize, rng.between((1, 3)) as usize);
                (plan.ttls, plan.body, plan.long_bodies) = (&[10_000], 3, 0);
                // In some of them requests that wait come behind such as do not.
                (plan.tries_once, plan.rest) = rng.pick(&[(1_000, 300), (4_000, 30)]);
                plan.aim = Some(ScriptKind::Acquire);
                plan.befall(10 * SECOND, &[(Reset, 1)]);
            }
            Terms => {
                (plan.processes, plan.keys) = (rng.between((1, 2)) as usize, rng.between((1, 2)) as usize);
                (plan.ttls, plan.body, plan.turns) = (&[300, 3_000, 10_000], 60, true);
                plan.aim = Some(ScriptKind::Shorten);
                plan.befall(10 * SECOND, &[(Reset, 1)]);
            }
            Server => {
                (plan.cut, plan.refused) = (10, 200);
                plan.befall(often, &[(Stall, 1), (Restart, 2), (ScriptsLost, 1), (Full, 2), (Spoilt, 1)]);
                plan.befall(often, &[(Shutdown, 4), (Reset, 1)]);
            }
            Replicas => {
                (plan.replicas, plan.mute) = (rng.between((1, 2)) as usize, 300);
                plan.befall(often, &[(AddressMoves, 1), (Failover, 3), (Reset, 1), (Crash, 4)]);
            }
            Cluster | Shards => {
                (plan.masters, plan.keys) = (rng.between((2, 3)) as usize, rng.between((2, 5)) as usize);
                plan.ttls = rng.pick(&[&[300, 300, 1_000], &[300, 1_000, 3_000]]);
                (plan.long_bodies, plan.delayed, plan.refused) = (500, rng.pick(&[0, 20]), rng.pick(&[0, 100]));
                plan.aim = rng.pick(&[None, Some(ScriptKind::Acquire), Some(ScriptKind::Renew)]);
                let often = often.max(2 * SECOND);
                plan.befall(often, &[(SlotsMove, 1), (Reset, 1), (Stall, 4), (ScriptsLost, 4)]);
                plan.befall(often, &[(Pause, 2), (Crash, 4), (BlackHole, 4)]);
                if plan.kind == Shards {
                    plan.has_guard(rng);
                    plan.befall(often, &[(WritesLost, 2), (Failover, 4), (Restart, 8)]);
                }
            }
            Disaster => {
                plan.replicas = 1;
                plan.ttls = rng.pick(&[&[300], &[300, 1_000, 3_000]]);
                plan.befall(often, &[(DataLost, 2), (WritesLost, 1), (ClockStep, 2), (Crash, 4), (BlackHole, 2)]);
            }
            Guarded | Watched => {
                plan.has_guard(rng);
                (plan.long_bodies, plan.delayed) = (500, rng.pick(&[0, 50, 300]));
                plan.aim = rng.pick(&[None, Some(ScriptKind::Renew)]);
                let often = often.max(3 * SECOND);
                plan.befall(often, &[(WritesLost, 2), (Failover, 4)]);
                match plan.kind {
                    // The first fences after a loss of all data are lost by a failover that comes next (SAFETY.md).
                    Watched => plan.sentinels = 3,
                    _ => plan.befall(often, &[(DataLost, 4)]),
                }
                plan.befall(often, &[(Restart, 8), (Pause, 1), (Crash, 4), (BlackHole, 4), (Reset, 1)]);
            }
        }
        plan
    }

    /// These faults strike, each once in so many times `often`.
    fn befall(&mut self, often: Time, faults: &[(Fault, u64)]) {
        self.faults.extend(faults.iter().map(|(fault, times)| (*fault, times * often)));
    }

    /// A replica takes over, and a failover guard waits for longer than any lease lasts.
    fn has_guard(&mut self, rng: &mut Rng) {
        self.replicas = 1;
        // With sentinels two thirds of a lease must exceed the time in which a master is believed that was replaced (SAFETY.md).
        let ttls: [&[u64]; 2] = match self.kind {
            Kind::Watched => [&[1_000], &[1_000, 1_000, 3_000]],
            _ => [&[300], &[300, 300, 1_000]],
        };
        self.ttls = rng.pick(&ttls);
        self.quarantine = self.longest_ttl() / MILLISECOND + 1_000;
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
