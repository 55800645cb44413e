//! A cluster of three masters beside a single server: many keys of one process, and a lock that goes from one runtime to another. On one
//! machine three servers take the processor from each other and from the client, so what counts is what a cycle costs the client.

use std::time::{Duration, Instant};

use dlock_benches::{
    Bench, Dlock, Keys, Load, Locker, Outcome, Setting, Spread, Table, Unfenced, Unit, Until, dlock, processor_time,
    rounds, span,
};
use dlock_runtime::Runtime;
use dlock_testkit::Cluster;

const KEYS: u64 = 10_000;
const TASKS: usize = 64;

/// So long a lock is held that another runtime waits for.
const HOLD: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "three masters beside one server: 64 tasks on 10,000 keys, and hand-over between two runtimes";
    let Some((mut bench, server)) = Bench::begin("cluster", about) else { return Ok(()) };
    let cluster = Cluster::start(3, 0);
    let runtime = async || Runtime::builder().cluster(cluster.urls()).failover_guard(false).build().await;
    let (one, many) = (dlock(&server.url(), Setting::Default).await?, Dlock(runtime().await?));
    let waiters = [dlock(&server.url(), Setting::Default).await?, Dlock(runtime().await?)];

    let mut table = Table::new(["side", "acquisitions/s", "client: µs of processor a cycle"]);
    for (name, is_fenced) in [("with fences", true), ("without fences", false)] {
        let [mut single, mut spread] = [(); 2].map(|()| Side::default());
        for round in 0..=rounds(30) {
            for (side, locker) in [(&mut single, &one), (&mut spread, &many)] {
                if is_fenced {
                    side.round(round, locker.clone()).await?;
                } else {
                    side.round(round, Unfenced(locker.clone())).await?;
                }
            }
        }
        for (side, of) in [(&single, "one server"), (&spread, "cluster")] {
            let [rate, cost] = [&side.rates, &side.costs].map(|rounds| Spread::of(rounds).median);
            table.line([format!("{of}, {name}"), format!("{rate:.0}"), format!("{cost:.1}")]);
        }
        let costs = Spread::of_ratios(&spread.costs, &single.costs);
        bench.figure(format!("{name}: client's cost a cycle beside one server"), costs, Unit::Ratio);
        let rates = Spread::of_ratios(&spread.rates, &single.rates);
        bench.figure(format!("{name}: throughput beside one server"), rates, Unit::Ratio);
    }
    table.print();
    let [mut single, mut spread] = [Vec::new(), Vec::new()];
    for round in 0..=rounds(60) {
        let times = [(&mut single, &one, &waiters[0]), (&mut spread, &many, &waiters[1])];
        for (times, holder, waiter) in times {
            let took = hand_over(&holder.0, &waiter.0, &format!("hand-over:{}", round % 8)).await?;
            if round > 0 {
                times.push(took.as_secs_f64() * 1e3);
            }
        }
    }
    bench.figure("hand-over beside one server", Spread::of_ratios(&spread, &single), Unit::Ratio);
    bench.figure("hand-over in the cluster", Spread::of(&spread), Unit::Millis);
    bench.finish()
}

/// How long it takes from a release until the waiter has the lock.
async fn hand_over(holder: &Runtime, waiter: &Runtime, key: &str) -> Outcome<Duration> {
    let guard = holder.lock(key).acquire().await?;
    let request = waiter.lock(key);
    let waiting = tokio::spawn(async move { request.acquire().await.map(|guard| (guard, Instant::now())) });
    while holder.inspect(key).await?.is_none_or(|holder| holder.waiters() == 0) {
        tokio::time::sleep(HOLD / 5).await;
    }
    tokio::time::sleep(HOLD).await;
    let released = Instant::now();
    guard.release().await?;
    let (guard, at) = waiting.await??;
    guard.release().await?;
    Ok(at.saturating_duration_since(released))
}

#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    /// Microseconds of the client's processor for each cycle.
    costs: Vec<f64>,
}

impl Side {
    async fn round<L: Locker>(&mut self, round: usize, locker: L) -> Outcome<()> {
        let keys = Keys::Many("many".to_owned(), KEYS);
        let load = Load { tasks: TASKS, until: Until::Over(span(500)), keys, timed: false };
        let before = processor_time();
        let tally = load.run(&[locker]).await?;
        let spent = processor_time().saturating_sub(before);
        // The first round warms up.
        if round > 0 {
            self.rates.push(tally.rate());
            self.costs.push(tally.each(spent.as_secs_f64() * 1e6));
        }
        Ok(())
    }
}
