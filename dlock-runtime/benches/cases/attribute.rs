//! The attribute beside the same call by hand: on Redis, where a call costs two round trips, and on the embedded
//! store, where nothing hides what the attribute itself costs.

use std::{hint::black_box, time::Instant};

use dlock_benches::{Bench, Outcome, Spread, Table, Unit, percentile, rounds};
use dlock_runtime::{LockError, Runtime, distributed_lock};

#[distributed_lock(key = "stock:<id>", runtime = runtime)]
async fn by_attribute(runtime: &Runtime, id: u64) -> Result<u64, LockError> {
    Ok(black_box(id) + 1)
}

async fn by_hand(runtime: &Runtime, id: u64) -> Result<u64, LockError> {
    let guard = runtime.lock(format!("stock:{id}")).acquire().await?;
    let output = guard.run(async move { black_box(id) + 1 }).await?;
    guard.release().await?;
    Ok(output)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "the attribute beside the same call by hand";
    let Some((mut bench, server)) = Bench::begin("attribute", about) else { return Ok(()) };
    let redis = Runtime::builder().redis(server.url()).namespace("attribute").build().await?;
    let embedded = Runtime::builder().embedded().namespace("attribute").build().await?;

    let mut table = Table::new(["store", "by attribute µs", "by hand µs"]);
    let on_redis = Pair::measure(&redis, rounds(150), 50).await?;
    let inside = Pair::measure(&embedded, rounds(150), 2000).await?;
    for (name, pair) in [("Redis", &on_redis), ("embedded", &inside)] {
        let [attribute, hand] = [&pair.attribute, &pair.hand].map(|times| format!("{:.2}", percentile(times, 50)));
        table.line([name.to_owned(), attribute, hand]);
    }
    table.print();
    bench.figure("time beside the call by hand", on_redis.ratio(), Unit::Ratio);
    bench.figure("time beside the call by hand, embedded store", inside.ratio(), Unit::Ratio);
    bench.finish()
}

/// Microseconds of a call in each round.
#[derive(Default)]
struct Pair {
    attribute: Vec<f64>,
    hand: Vec<f64>,
}

impl Pair {
    /// Each round begins and ends with the same side, and the next one with the other: a drift within a round, or an
    /// advantage of coming first, cancels out.
    async fn measure(runtime: &Runtime, rounds: usize, calls: u64) -> Outcome<Self> {
        let mut pair = Self::default();
        for round in 0..=rounds {
            let (mut attribute, mut hand) = (0., 0.);
            for half in [0, 1, 1, 0] {
                let began = Instant::now();
                if (round + half).is_multiple_of(2) {
                    for id in 0..calls {
                        by_attribute(runtime, id).await?;
                    }
                    attribute += began.elapsed().as_secs_f64();
                } else {
                    for id in 0..calls {
                        by_hand(runtime, id).await?;
                    }
                    hand += began.elapsed().as_secs_f64();
                }
            }
            // The first round warms up.
            if round > 0 {
                let micros = |seconds: f64| seconds * 1e6 / (2 * calls) as f64;
                pair.attribute.push(micros(attribute));
                pair.hand.push(micros(hand));
            }
        }
        Ok(pair)
    }

    fn ratio(&self) -> Spread {
        Spread::of_ratios(&self.attribute, &self.hand)
    }
}
