//! 64 and 512 tasks of one process that lock 10,000 keys at random, now and then the same one: what a busy service
//! does. The floor does not wait for a key that somebody else holds, it takes another one.

use std::time::Duration;

use dlock_benches::{
    Bench, Commands, Floor, Keys, Load, Locker, Meter, Outcome, Rslock, Setting, Spread, Table, Tally, Unfenced, Unit,
    Until, dlock, processor_time, rounds, span,
};

const KEYS: u64 = 10_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "64 and 512 tasks, 10,000 keys at random";
    let Some((mut bench, server)) = Bench::begin("many_keys", about) else { return Ok(()) };
    let mut meter = Meter::new(&server);
    let ours = dlock(&server.url(), Setting::Default).await?;
    let plain = Unfenced(ours.clone());
    let (rslock, floor) = (Rslock::new(&server.url())?, Floor::connect(&server.url()).await?);

    let mut table = Table::new([
        "side",
        "acquisitions/s",
        "wait p50 µs",
        "p99 µs",
        "worst ms",
        "client: processor µs a cycle",
        "Redis",
        "Redis: time and commands an acquisition",
    ]);
    for tasks in [64, 512] {
        let [mut dlock, mut unfenced, mut others, mut least] = [(); 4].map(|()| Side::default());
        for round in 0..=rounds(30) {
            dlock.round(&mut meter, round, tasks, &ours).await?;
            unfenced.round(&mut meter, round, tasks, &plain).await?;
            others.round(&mut meter, round, tasks, &rslock).await?;
            least.round(&mut meter, round, tasks, &floor).await?;
        }
        for (name, side) in [("dlock", &dlock), ("unfenced", &unfenced), ("rslock", &others), ("floor", &least)] {
            table.line(side.line(&format!("{name}, {tasks} tasks")));
        }
        let mut figure =
            |name: &str, spread: Spread, unit| bench.figure(format!("{tasks} tasks: {name}"), spread, unit);
        figure("throughput beside rslock", Spread::of_ratios(&dlock.rates, &others.rates), Unit::OfRslock);
        figure("throughput beside the floor", Spread::of_ratios(&dlock.rates, &least.rates), Unit::OfFloor);
        figure(
            "throughput without fences beside rslock",
            Spread::of_ratios(&unfenced.rates, &others.rates),
            Unit::OfRslock,
        );
        figure(
            "throughput without fences beside the floor",
            Spread::of_ratios(&unfenced.rates, &least.rates),
            Unit::OfFloor,
        );
        for (place, whose) in ["the client", "Redis"].into_iter().enumerate() {
            for (side, fences) in [(&dlock, ""), (&unfenced, " without fences")] {
                let name = format!("processor's time of {whose} a cycle{fences} beside the floor");
                figure(&name, Spread::of_ratios(&side.costs[place], &least.costs[place]), Unit::OfFloor);
            }
        }
        figure("throughput", Spread::of(&dlock.rates), Unit::Rate);
        let inside = |side: &Side| Spread::from(side.tally.each(side.commands.micros as f64));
        figure("time in Redis an acquisition", inside(&dlock), Unit::Micros);
        figure("time in Redis an acquisition without fences", inside(&unfenced), Unit::Micros);
        figure("time in Redis an acquisition of rslock", inside(&others), Unit::Micros);
        let worst = |side: &Side| Spread::from(side.tally.waits.worst().as_secs_f64() * 1e3);
        figure("worst wait", worst(&dlock), Unit::Millis);
        figure("worst wait of rslock", worst(&others), Unit::Millis);
    }
    table.print();
    bench.finish()
}

#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    /// Microseconds of the client's processor for each cycle, and of Redis's.
    costs: [Vec<f64>; 2],
    tally: Tally,
    commands: Commands,
}

impl Side {
    async fn round<L: Locker>(&mut self, meter: &mut Meter, round: usize, tasks: usize, locker: &L) -> Outcome<()> {
        // Keys of their own for each round, because tasks of rslock leave some behind when they are aborted.
        let keys = Keys::Many(format!("{tasks}:{round}:{}", L::NAME), KEYS);
        let load = Load { tasks, until: Until::Over(span(500)), keys, timed: true };
        meter.reset();
        let before = processor_time();
        let tally = load.run(std::slice::from_ref(locker)).await?;
        let (spent, commands) = (processor_time().saturating_sub(before), meter.read(L::SETS));
        // The first round warms up.
        if round > 0 {
            let cost = |spent: Duration| tally.each(spent.as_secs_f64() * 1e6);
            self.costs[0].push(cost(spent));
            self.costs[1].push(cost(commands.processor));
            self.commands.merge(&commands);
            self.rates.push(tally.rate());
            self.tally.merge(&tally);
        }
        Ok(())
    }

    fn line(&self, name: &str) -> [String; 8] {
        let micros = |percent| format!("{:.0}", self.tally.waits.percentile(percent).as_secs_f64() * 1e6);
        [
            name.to_owned(),
            format!("{:.0}", Spread::of(&self.rates).median),
            micros(50),
            micros(99),
            format!("{:.1}", self.tally.waits.worst().as_secs_f64() * 1e3),
            format!("{:.1}", Spread::of(&self.costs[0]).median),
            format!("{:.1}", Spread::of(&self.costs[1]).median),
            self.commands.describe(self.tally.to_the_end),
        ]
    }
}
