//! A thousand acquires cancelled at random moments and a thousand guards dropped: nothing may be left behind, and
//! another process gets the lock at once. The other process is a second runtime, which shares nothing with the first
//! one.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use dlock_benches::{Bench, Histogram, Locker, Outcome, Random, Rslock, Setting, Table, Unit, brief, dlock};
use dlock_testkit::Raw;

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "acquires cancelled at random moments, guards dropped";
    let Some((mut bench, server)) = Bench::begin("cancellation", about) else { return Ok(()) };
    let times = if brief() { 100 } else { 1000 };
    let (ours, other) = (dlock(&server.url(), Setting::Default).await?, dlock(&server.url(), Setting::Default).await?);
    let rslock = Rslock::new(&server.url())?;
    let mut raw = server.raw();

    let mut figures = Table::new(["from then to acquired by another process", "p50 µs", "p99 µs", "max ms"]);
    let mut line = |name: &str, spans: &Histogram| {
        let [p50, p99] = [50, 99].map(|percent| format!("{:.0}", spans.percentile(percent).as_secs_f64() * 1e6));
        figures.line([name.to_owned(), p50, p99, format!("{:.2}", millis(spans.worst()))]);
    };
    let mut quiet = Histogram::default();
    for number in 0..times {
        let began = Instant::now();
        let held = take(&other, &format!("quiet:{number}")).await?;
        quiet.add(began.elapsed());
        other.release(held).await?;
    }
    line("neither, for comparison", &quiet);

    let mut dice = Dice { random: Random::new(5), most: quiet.percentile(50), late: 0 };
    let (mut cancelled, mut dropped) = (Histogram::default(), Histogram::default());
    for number in 0..times {
        let key = format!("cancelled:{number}");
        while !dice.cancel(&ours, &key).await? {}
        cancelled.add(acquired_by(&other, &key).await?);

        let key = format!("dropped:{number}");
        drop(take(&ours, &key).await?);
        dropped.add(acquired_by(&other, &key).await?);
    }
    line("cancelled", &cancelled);
    line("dropped", &dropped);
    figures.print();

    // Once more without anybody who takes the keys afterwards and thereby tidies up.
    for number in 0..times {
        while !dice.cancel(&ours, &format!("left:{number}")).await? {}
        drop(take(&ours, &format!("left:dropped:{number}")).await?);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let left = locks(&mut raw, "Default:*");
    for number in 0..times {
        while !dice.cancel(&rslock, &format!("rslock:{number}")).await? {}
    }
    tokio::time::sleep(Duration::from_millis(200)).await;

    bench.figure("keys left behind", left as f64, Unit::Count);
    bench.figure("keys left behind by cancelled acquires of rslock", locks(&mut raw, "rslock:*") as f64, Unit::Count);
    for (name, spans) in [("cancelled", &cancelled), ("dropped", &dropped)] {
        let figure = format!("{name}: acquired by another process, p50");
        bench.figure(figure, millis(spans.percentile(50)), Unit::Millis);
        let figure = format!("{name}: acquired by another process, p99");
        bench.figure(figure, millis(spans.percentile(99)), Unit::Millis);
        bench.figure(format!("{name}: acquired by another process, max"), millis(spans.worst()), Unit::Millis);
    }
    bench.figure("cancelled too late, and tried again", dice.late as f64, Unit::Count);
    bench.finish()
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

async fn take<L: Locker>(locker: &L, key: &str) -> Outcome<L::Held> {
    Ok(locker.acquire(key).await?.ok_or("somebody else has it")?)
}

/// How long it takes `locker` to get the lock.
async fn acquired_by<L: Locker>(locker: &L, key: &str) -> Outcome<Duration> {
    let began = Instant::now();
    let held = take(locker, key).await?;
    let took = began.elapsed();
    locker.release(held).await?;
    Ok(took)
}

/// How many keys there are that are locks, not what dlock notes beside them.
fn locks(raw: &mut Raw, pattern: &str) -> usize {
    let keys = match raw.command(&["KEYS", pattern]) {
        dlock_testkit::Value::List(keys) => keys,
        _ => Vec::new(),
    };
    let notes = [":queue", ":seen"];
    keys.iter().filter_map(|key| key.text()).filter(|key| !notes.iter().any(|note| key.ends_with(note))).count()
}

/// Chooses when to cancel.
struct Dice {
    random: Random,
    /// About as long as an acquire takes.
    most: Duration,
    late: usize,
}

impl Dice {
    /// Begins to acquire, and drops that at a random moment. False if it was acquired by then.
    async fn cancel<L: Locker>(&mut self, locker: &L, key: &str) -> Outcome<bool> {
        let moment = Instant::now() + Duration::from_nanos(self.random.below(self.most.as_nanos() as u64));
        let mut acquire = pin!(locker.acquire(key));
        // Timers are too coarse for this, so that it is polled all the time.
        let outcome = poll_fn(|context| match acquire.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if Instant::now() >= moment => Poll::Ready(None),
            Poll::Pending => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        });
        match outcome.await {
            None => Ok(true),
            Some(Err(error)) => Err(error),
            Some(Ok(held)) => {
                self.late += 1;
                if let Some(held) = held {
                    locker.release(held).await?;
                }
                Ok(false)
            }
        }
    }
}
