//! Many tasks of one process, one key, and nothing to do while it is held: what a turn costs, beside a bare mutex and
//! beside rslock.
//!
//! Throughput is measured twice. Over a fixed time, where rslock does well as long as one of its tasks takes the lock
//! over and over while the others sleep; and over fixed work, where the round ends when each task has had its share.

use dlock_benches::{
    Bare, Bench, Commands, Keys, Load, Locker, Meter, Outcome, Rslock, Setting, Spread, Table, Tally, Unit, Until,
    dlock, rounds, span,
};

/// How often each task has the lock in a round of fixed work.
const EACH: u64 = 50;

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "64 and 256 tasks, one key, empty body";
    let Some((mut bench, server)) = Bench::begin("hot_key_one_process", about) else { return Ok(()) };
    let mut meter = Meter::new(&server);
    let (ours, rslock) = (dlock(&server.url(), Setting::Default).await?, Rslock::new(&server.url())?);
    let bare = Bare::default();

    let mut table = Table::new(COLUMNS);
    for tasks in [64, 256] {
        let (mut dlock, mut mutex, mut others) = (Side::default(), Side::default(), Side::default());
        for round in 0..=rounds(30) {
            dlock.rounds(&mut meter, round, tasks, 400, &ours).await?;
            mutex.rounds(&mut meter, round, tasks, 400, &bare).await?;
            others.rounds(&mut meter, round, tasks, 1000, &rslock).await?;
        }
        for (name, side) in [("dlock", &dlock), ("tokio::sync::Mutex", &mutex), ("rslock", &others)] {
            table.line(side.line(&format!("{name}, {tasks} tasks")));
        }
        let mut figure =
            |name: &str, spread: Spread, unit| bench.figure(format!("{tasks} tasks: {name}"), spread, unit);
        let beside = |side: &Side| Spread::of_ratios(&dlock.rates, &side.rates);
        figure("throughput beside rslock", beside(&others), Unit::OfRslock);
        let fixed = Spread::of_ratios(&dlock.fixed, &others.fixed);
        figure("throughput beside rslock, fixed work", fixed, Unit::OfRslock);
        figure("throughput beside a mutex", beside(&mutex), Unit::OfMutex);
        let watched = Spread::of_ratios(&dlock.watched, &mutex.watched);
        figure("throughput beside a mutex, waits measured on both sides", watched, Unit::OfMutex);
        figure("throughput", Spread::of(&dlock.rates), Unit::Rate);
        figure("throughput of rslock", Spread::of(&others.rates), Unit::Rate);
        figure("throughput of rslock, fixed work", Spread::of(&others.fixed), Unit::Rate);
        figure("commands an acquisition", dlock.commands_each().into(), Unit::Count);
        figure("commands an acquisition of rslock", others.commands_each().into(), Unit::Count);
        figure("fewest/most acquisitions of a task", Spread::of(&dlock.fairness), Unit::Ratio);
        figure("fewest/most acquisitions of a task of rslock", Spread::of(&others.fairness), Unit::Ratio);
        let worst = |side: &Side| Spread::from(side.tally.waits.worst().as_secs_f64() * 1e3);
        figure("worst wait", worst(&dlock), Unit::Millis);
        figure("worst wait of rslock", worst(&others), Unit::Millis);
        figure("worst wait of a mutex", worst(&mutex), Unit::Millis);
    }
    table.print();
    bench.finish()
}

const COLUMNS: [&str; 7] = [
    "side",
    "acquisitions/s",
    "wait p50 µs",
    "p99 µs",
    "worst ms",
    "fewest/most",
    "Redis: time and commands an acquisition",
];

#[derive(Default)]
struct Side {
    /// Acquisitions a second in the rounds of fixed time that were not timed.
    rates: Vec<f64>,
    /// The same while waits were measured.
    watched: Vec<f64>,
    /// The same for fixed work.
    fixed: Vec<f64>,
    fairness: Vec<f64>,
    /// All rounds of fixed time together.
    tally: Tally,
    commands: Commands,
}

impl Side {
    /// Once without the clock for the throughput, once with it for the waits, and once for fixed work.
    async fn rounds<L: Locker>(
        &mut self,
        meter: &mut Meter,
        round: usize,
        tasks: usize,
        millis: u64,
        locker: &L,
    ) -> Outcome<()> {
        // Each time a key of its own, because rslock leaves some behind when its tasks are aborted.
        let load = |what: &str, until, timed| Load {
            tasks,
            until,
            keys: Keys::One(format!("hot:{tasks}:{round}:{what}")),
            timed,
        };
        let locker = std::slice::from_ref(locker);
        meter.reset();
        let quick = load("quick", Until::Over(span(millis)), false).run(locker).await?;
        let timed = load("timed", Until::Over(span(millis)), true).run(locker).await?;
        let commands = meter.read(L::SETS);
        let fixed = load("fixed", Until::Each(EACH), false).run(locker).await?;
        // The first round warms up.
        if round > 0 {
            self.rates.push(quick.rate());
            self.watched.push(timed.rate());
            self.fixed.push(fixed.rate());
            self.fairness.push(quick.fairness());
            self.tally.merge(&quick);
            self.tally.merge(&timed);
            self.commands.merge(&commands);
        }
        Ok(())
    }

    /// Those inside of scripts included.
    fn commands_each(&self) -> f64 {
        self.tally.each((self.commands.clients + self.commands.scripts) as f64)
    }

    fn line(&self, name: &str) -> [String; 7] {
        let micros = |percent| format!("{:.0}", self.tally.waits.percentile(percent).as_secs_f64() * 1e6);
        [
            name.to_owned(),
            format!("{:.0}", Spread::of(&self.rates).median),
            micros(50),
            micros(99),
            format!("{:.1}", self.tally.waits.worst().as_secs_f64() * 1e3),
            format!("{:.3}", Spread::of(&self.fairness).median),
            self.commands.describe(self.tally.to_the_end),
        ]
    }
}
