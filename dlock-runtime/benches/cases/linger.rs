//! The same key again and again by one task, while nobody else wants it: an idle lease is kept, and taken again
//! without a question to Redis. Beside the floor.

use std::time::Instant;

use dlock_benches::{
    Bench, Commands, Floor, Locker, Meter, Outcome, Setting, Spread, Table, Unit, dlock, rounds, span,
};

/// How many cycles there are between two looks at the clock.
const AT_ONCE: u64 = 50;

// One thread, so that what is compared is the work, not how threads wake each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let about = "one task, the same key, an idle lease is kept";
    let Some((mut bench, server)) = Bench::begin("linger", about) else { return Ok(()) };
    let mut meter = Meter::new(&server);
    let (ours, floor) = (dlock(&server.url(), Setting::Linger).await?, Floor::connect(&server.url()).await?);

    let (mut kept, mut least) = (Side::default(), Side::default());
    for round in 0..=rounds(20) {
        kept.round(&mut meter, round, &ours).await?;
        least.round(&mut meter, round, &floor).await?;
    }

    let mut table = Table::new(["side", "ns a cycle", "Redis: time and commands a cycle"]);
    for (name, side) in [("dlock", &kept), ("floor", &least)] {
        let commands = side.commands.describe(side.cycles);
        table.line([name.to_owned(), format!("{:.0}", Spread::of(&side.times).median), commands]);
    }
    table.print();
    bench.figure("time beside the floor", Spread::of_ratios(&kept.times, &least.times), Unit::OfFloor);
    bench.figure("time", Spread::of(&kept.times.iter().map(|nanos| nanos / 1e3).collect::<Vec<_>>()), Unit::Micros);
    bench.finish()
}

#[derive(Default)]
struct Side {
    cycles: u64,
    /// Nanoseconds of a cycle in each round.
    times: Vec<f64>,
    commands: Commands,
}

impl Side {
    async fn round<L: Locker>(&mut self, meter: &mut Meter, round: usize, locker: &L) -> Outcome<()> {
        meter.reset();
        let (began, lasting, mut cycles) = (Instant::now(), span(60), 0);
        // The sides differ a hundredfold and more: the same time for both, not the same number of cycles.
        while began.elapsed() < lasting {
            for _ in 0..AT_ONCE {
                let held = locker.acquire("kept").await?.ok_or("somebody else has it")?;
                locker.release(held).await?;
            }
            cycles += AT_ONCE;
        }
        let took = began.elapsed();
        // The first round warms up.
        if round > 0 {
            self.times.push(took.as_nanos() as f64 / cycles as f64);
            self.cycles += cycles;
            self.commands.merge(&meter.read(L::SETS));
        }
        Ok(())
    }
}
