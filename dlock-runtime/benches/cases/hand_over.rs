//! A process holds the lock for 50 ms while another one waits: how long from the moment the first begins to release it
//! until the second has it. Both read the same clock.

use std::time::Duration;

use dlock_benches::{
    Bench, Crew, Floor, Locker, Orders, Outcome, Rslock, Setting, Table, Unit, dlock, now, percentile, role, rounds,
    tell,
};

const HOLD: Duration = Duration::from_millis(50);
/// How long the second process leaves the first one alone before it asks.
const APART: Duration = Duration::from_millis(15);
const IN_A_ROUND: usize = 10;

fn main() -> Outcome<()> {
    if let Some(url) = role() {
        return tokio::runtime::Runtime::new()?.block_on(work(&url));
    }
    let about = "one process holds for 50 ms, another one waits: from release begun to acquired";
    let Some((mut bench, server)) = Bench::begin("hand_over", about) else { return Ok(()) };
    let mut crew = Crew::start(2, &server.url())?;
    let (mut ours, mut others) = (Side::default(), Side::default());
    for round in 0..=rounds(20) {
        for number in 0..IN_A_ROUND {
            ours.hand_over(&mut crew, "dlock", round, number)?;
        }
        // One of them takes a hundred times as long.
        for number in 0..IN_A_ROUND / 2 {
            others.hand_over(&mut crew, "rslock", round, number)?;
        }
    }

    let mut table = Table::new(["from release to acquired", "p50 µs", "p99 µs", "max µs", "times"]);
    let pings = Side { gaps: ours.pings.clone(), ..Side::default() };
    for (name, side) in [("dlock", &ours), ("rslock", &others), ("a PING, for comparison", &pings)] {
        let [p50, p99, max] = [50, 99, 100].map(|percent| format!("{:.0}", percentile(&side.gaps, percent)));
        table.line([name.to_owned(), p50, p99, max, side.gaps.len().to_string()]);
    }
    table.print();
    let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(&ours.gaps, percent));
    let (ping, busy_ping) = (percentile(&ours.pings, 50), percentile(&ours.busy_pings, 50));
    bench.figure("p50 beside a round trip", p50 / ping, Unit::Ratio);
    bench.figure("p50: times faster than rslock", percentile(&others.gaps, 50) / p50, Unit::OfRslock);
    bench.figure("p50", p50, Unit::Micros);
    bench.figure("p99", p99, Unit::Micros);
    bench.figure("max", max / 1e3, Unit::Millis);
    bench.figure("rslock: p50", percentile(&others.gaps, 50) / 1e3, Unit::Millis);
    bench.figure("rslock: p99", percentile(&others.gaps, 99) / 1e3, Unit::Millis);
    bench.figure("rslock: max", percentile(&others.gaps, 100) / 1e3, Unit::Millis);
    bench.figure("PING while one holds and one waits: p50", ping, Unit::Micros);
    bench.figure("PING upon PING: p50", busy_ping, Unit::Micros);
    bench.finish()
}

/// Everything in microseconds.
#[derive(Default)]
struct Side {
    gaps: Vec<f64>,
    /// A single one in the quiet of each hold, as the hand-over comes out of the same quiet.
    pings: Vec<f64>,
    /// The last one of several, one upon the other.
    busy_pings: Vec<f64>,
}

impl Side {
    fn hand_over(&mut self, crew: &mut Crew, side: &str, round: usize, number: usize) -> Outcome<()> {
        let key = format!("{side}:{round}:{number}");
        crew.order(0, &format!("hold {side} {key}"))?;
        crew.hear(0)?;
        crew.order(1, &format!("wait {side} {key}"))?;
        let released = crew.hear(0)?.parse::<u64>()?;
        let answer = crew.hear(1)?;
        let figures = answer.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let [acquired, ping, busy_ping] = figures[..] else { return Err("a worker gave no figures".into()) };
        // The first round warms up.
        if round > 0 {
            let micros = |nanos: u64| nanos as f64 / 1e3;
            self.gaps.push(micros(acquired.saturating_sub(released)));
            self.pings.push(micros(ping));
            self.busy_pings.push(micros(busy_ping));
        }
        Ok(())
    }
}

async fn work(url: &str) -> Outcome<()> {
    let mut orders = Orders::listen();
    let (ours, others) = (dlock(url, Setting::Default).await?, Rslock::new(url)?);
    let floor = Floor::connect(url).await?;
    tell("ready")?;
    while let Some(words) = orders.next().await {
        let [what, side, key] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] else { break };
        match (what, side) {
            ("hold", "dlock") => hold(&ours, key).await?,
            ("hold", _) => hold(&others, key).await?,
            (_, "dlock") => wait(&ours, &floor, key).await?,
            _ => wait(&others, &floor, key).await?,
        }
    }
    Ok(())
}

async fn hold<L: Locker>(locker: &L, key: &str) -> Outcome<()> {
    let held = locker.acquire(key).await?.ok_or("somebody else has it")?;
    tell("held")?;
    tokio::time::sleep(HOLD).await;
    let released = now();
    locker.release(held).await?;
    tell(released)
}

async fn wait<L: Locker>(locker: &L, floor: &Floor, key: &str) -> Outcome<()> {
    tokio::time::sleep(APART).await;
    let ping = ping(floor).await?;
    let mut busy_ping = ping;
    for _ in 0..5 {
        busy_ping = self::ping(floor).await?;
    }
    let held = locker.acquire(key).await?.ok_or("it does not wait")?;
    let acquired = now();
    locker.release(held).await?;
    tell(format_args!("{acquired} {ping} {busy_ping}"))
}

async fn ping(floor: &Floor) -> Outcome<u64> {
    let began = now();
    floor.ping().await?;
    Ok(now() - began)
}
