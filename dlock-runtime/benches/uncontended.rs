//! What a lock costs when nobody else wants it, beside the floor: `SET NX PX` and a compare-and-delete script on one
//! multiplexed connection.
//!
//! `cargo bench -p dlock-runtime --bench uncontended`. The two sides take turns in short rounds on one server, so that
//! a drift of the machine meets both; figures are ratios of the same round.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Raw, RedisServer};
use redis::{IntoConnectionInfo, aio::MultiplexedConnection, io::tcp::TcpSettings};

const ROUNDS: usize = 40;
const CYCLES: usize = 500;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    if RedisServer::available().is_none() {
        println!("no redis-server here; `bash tests/run` installs it");
        return Ok(());
    }
    let server = RedisServer::start();
    let runtime = Runtime::builder().redis(server.url()).namespace("bench").build().await?;
    let floor = Floor::connect(&server.url()).await?;
    let mut raw = server.raw();

    let (mut ours, mut theirs, mut ratios) = (Side::default(), Side::default(), Vec::new());
    for round in 0..=ROUNDS {
        // The first round warms up.
        let with_dlock = ours.round(&mut raw, round, |key| cycle(&runtime, key)).await?;
        let at_the_floor = theirs.round(&mut raw, round, |key| floor.cycle(key)).await?;
        if round > 0 {
            ratios.push(with_dlock.as_secs_f64() / at_the_floor.as_secs_f64());
        }
    }

    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| ratios[at]);
    println!("acquire and release, one task, {} distinct keys", ROUNDS * CYCLES);
    println!("side   p50 µs  p99 µs  worst µs  commands a cycle, those inside of scripts included");
    ours.print("dlock");
    theirs.print("floor");
    println!("dlock / floor, round by round: median {median:.2} (from {low:.2} to {high:.2} in {ROUNDS} rounds)");
    Ok(())
}

async fn cycle(runtime: &Runtime, key: String) -> Result<(), LockError> {
    runtime.lock(key).acquire().await?.release().await
}

/// The least that a lock on Redis can be: no fence, no retry, no renewal.
struct Floor {
    connection: MultiplexedConnection,
    unlock: redis::Script,
}

impl Floor {
    async fn connect(url: &str) -> Outcome<Self> {
        let info = url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let connection = redis::Client::open(info)?.get_multiplexed_async_connection().await?;
        let unlock = redis::Script::new(
            "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
        );
        Ok(Self { connection, unlock })
    }

    async fn cycle(&self, key: String) -> redis::RedisResult<()> {
        let mut connection = self.connection.clone();
        let set = redis::cmd("SET").arg(&key).arg("token").arg("NX").arg("PX").arg(10_000).to_owned();
        set.query_async::<()>(&mut connection).await?;
        self.unlock.key(&key).arg("token").invoke_async::<()>(&mut connection).await
    }
}

#[derive(Default)]
struct Side {
    cycles: Vec<Duration>,
    /// How often Redis ran each command, those inside of scripts included.
    commands: BTreeMap<String, u64>,
}

impl Side {
    async fn round<F, E>(
        &mut self,
        raw: &mut Raw,
        round: usize,
        mut cycle: impl FnMut(String) -> F,
    ) -> Outcome<Duration>
    where
        F: Future<Output = Result<(), E>>,
        E: std::error::Error + 'static,
    {
        raw.command(&["CONFIG", "RESETSTAT"]);
        let began = Instant::now();
        for number in 0..CYCLES {
            let began = Instant::now();
            cycle(format!("{round}:{number}")).await?;
            if round > 0 {
                self.cycles.push(began.elapsed());
            }
        }
        let took = began.elapsed();
        if round > 0 {
            for (command, calls) in raw.command_stats() {
                *self.commands.entry(command).or_default() += calls;
            }
        }
        Ok(took)
    }

    fn print(&mut self, name: &str) {
        self.cycles.sort_unstable();
        let [p50, p99, worst] = [50, 99, 100]
            .map(|percent| self.cycles[(self.cycles.len() * percent / 100).min(self.cycles.len() - 1)])
            .map(|cycle| cycle.as_secs_f64() * 1e6);
        let calls = self.commands.iter().filter(|(command, _)| !command.starts_with("config") && *command != "info");
        let calls = calls.map(|(command, calls)| format!("{command} {:.2}", *calls as f64 / self.cycles.len() as f64));
        println!("{name}  {p50:>7.1} {p99:>7.1} {worst:>9.1}  {}", calls.collect::<Vec<_>>().join(", "));
    }
}
