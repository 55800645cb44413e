//! What a lock costs when nobody else wants it: one task, a key of its own each time, beside the floor.

use std::time::{Duration, Instant};

use dlock_benches::{
    Bench, Commands, Floor, Histogram, Locker, Meter, Outcome, Setting, Spread, Table, Unfenced, Unit, dlock, rounds,
};
use dlock_testkit::RedisServer;

const CYCLES: usize = 400;

fn main() -> Outcome<()> {
    let about = "one task, distinct keys, acquire and release";
    let Some((mut bench, server)) = Bench::begin("uncontended", about) else { return Ok(()) };
    let mut table = Table::new(["side", "p50 µs", "p99 µs", "worst µs", "Redis: time and commands a cycle"]);

    // One thread for the task and the connections: what is compared is the work, not how threads wake each other.
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sides = single.block_on(measure(&server, "one"))?;
    sides.tell(&mut table, "");
    let [dlock, unfenced, unconfirmed] = sides.ratios();
    bench.figure("time beside the floor", dlock, Unit::OfFloor);
    bench.figure("time without a fence beside the floor", unfenced, Unit::OfFloor);
    bench.figure("time with confirm_release(false), without a fence, beside the floor", unconfirmed, Unit::OfFloor);
    for (name, side) in [("dlock", &sides.dlock), ("unfenced", &sides.unfenced), ("floor", &sides.floor)] {
        bench.figure(format!("{name}: p50"), micros(side.cycles.percentile(50)), Unit::Micros);
        bench.figure(format!("{name}: p99"), micros(side.cycles.percentile(99)), Unit::Micros);
    }
    for (name, side) in [("dlock", &sides.dlock), ("unfenced", &sides.unfenced), ("floor", &sides.floor)] {
        let micros = side.commands.micros as f64 / side.count().max(1) as f64;
        bench.figure(format!("{name}: time in Redis"), micros, Unit::Micros);
    }
    bench.figure("client commands an acquisition", sides.dlock.commands_each(), Unit::Count);

    // The tasks of most services run on several threads, and so may the connection that a task waits for.
    let several = tokio::runtime::Runtime::new()?;
    let sides = several.block_on(async { tokio::spawn(async move { measure(&server, "several").await }).await? })?;
    sides.tell(&mut table, ", several threads");
    let [dlock, unfenced, unconfirmed] = sides.ratios();
    bench.figure("several threads: time beside the floor", dlock, Unit::OfFloor);
    bench.figure("several threads: time without a fence beside the floor", unfenced, Unit::OfFloor);
    let name = "several threads: time with confirm_release(false), without a fence, beside the floor";
    bench.figure(name, unconfirmed, Unit::OfFloor);
    table.print();
    bench.finish()
}

#[derive(Default)]
struct Sides {
    dlock: Side,
    unfenced: Side,
    unconfirmed: Side,
    floor: Side,
}

async fn measure(server: &RedisServer, prefix: &str) -> Outcome<Sides> {
    let mut meter = Meter::new(server);
    let confirmed = dlock(&server.url(), Setting::Default).await?;
    let unfenced = Unfenced(confirmed.clone());
    let unconfirmed = Unfenced(dlock(&server.url(), Setting::Unconfirmed).await?);
    let floor = Floor::connect(&server.url()).await?;
    let mut sides = Sides::default();
    for round in 0..=rounds(40) {
        sides.dlock.round(&mut meter, prefix, round, &confirmed).await?;
        sides.unfenced.round(&mut meter, &format!("{prefix}:unfenced"), round, &unfenced).await?;
        sides.unconfirmed.round(&mut meter, prefix, round, &unconfirmed).await?;
        sides.floor.round(&mut meter, prefix, round, &floor).await?;
    }
    Ok(sides)
}

impl Sides {
    /// With a fence, without one, and without waiting for the release either.
    fn ratios(&self) -> [Spread; 3] {
        [&self.dlock, &self.unfenced, &self.unconfirmed].map(|side| Spread::of_ratios(&side.rounds, &self.floor.rounds))
    }

    fn tell(&self, table: &mut Table, setting: &str) {
        let sides = [
            ("dlock", &self.dlock),
            ("unfenced", &self.unfenced),
            ("confirm_release(false)", &self.unconfirmed),
            ("floor", &self.floor),
        ];
        for (name, side) in sides {
            let [p50, p99, worst] = [side.cycles.percentile(50), side.cycles.percentile(99), side.cycles.worst()]
                .map(|span| format!("{:.0}", micros(span)));
            let commands = side.commands.describe(side.count());
            table.line([format!("{name}{setting}"), p50, p99, worst, commands]);
        }
    }
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

#[derive(Default)]
struct Side {
    /// Seconds of each round.
    rounds: Vec<f64>,
    cycles: Histogram,
    commands: Commands,
}

impl Side {
    fn count(&self) -> u64 {
        (self.rounds.len() * CYCLES) as u64
    }

    fn commands_each(&self) -> f64 {
        self.commands.clients as f64 / self.count().max(1) as f64
    }

    async fn round<L: Locker>(&mut self, meter: &mut Meter, prefix: &str, round: usize, locker: &L) -> Outcome<()> {
        meter.reset();
        let mut cycles = Histogram::default();
        let began = Instant::now();
        for number in 0..CYCLES {
            let began = Instant::now();
            let held = locker.acquire(&format!("{prefix}:{round}:{number}")).await?.ok_or("somebody else has it")?;
            locker.release(held).await?;
            cycles.add(began.elapsed());
        }
        let took = began.elapsed();
        // The first round warms up.
        if round > 0 {
            self.rounds.push(took.as_secs_f64());
            self.cycles.merge(&cycles);
            self.commands.merge(&meter.read(L::SETS));
        }
        Ok(())
    }
}
