//! A hundred thousand leases, held and renewed by one process for a minute: none may be lost, and what keeping them
//! costs.

use std::{
    alloc::System,
    fs,
    time::{Duration, Instant},
};

use dlock_benches::{Bench, Dlock, Locker, Meter, Outcome, Setting, Table, Unit, brief, dlock, keeper_time};
use dlock_runtime::Guard;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many tasks acquire and release at the same time.
const TASKS: usize = 200;

#[tokio::main]
async fn main() -> Outcome<()> {
    let about = "leases held and renewed by one process, ttl 10 s";
    let Some((mut bench, server)) = Bench::begin("leases", about) else { return Ok(()) };
    let (leases, minute) = if brief() { (10_000, 12) } else { (100_000, 60) };
    let mut meter = Meter::new(&server);
    let ours = dlock(&server.url(), Setting::Default).await?;
    // The first locks of a runtime make connections and tables.
    drop(acquire(&ours, "warm", TASKS).await?);
    tokio::time::sleep(Duration::from_millis(200)).await;

    let (allocated, resident) = (allocated(), resident());
    let began = Instant::now();
    let guards = acquire(&ours, "lease", leases).await?;
    let acquired = began.elapsed();
    meter.reset();
    let (began, keeper) = (Instant::now(), keeper_time());
    tokio::time::sleep(Duration::from_secs(minute)).await;
    let share = (keeper_time() - keeper).as_secs_f64() / began.elapsed().as_secs_f64() * 100.;
    let commands = meter.read(false);
    let each = |after: usize, before: usize| after.saturating_sub(before) as f64 / leases as f64;
    let (allocated, resident) = (each(self::allocated(), allocated), each(self::resident(), resident));

    let lost = guards.iter().filter(|guard| !guard.is_held()).count();
    let began = Instant::now();
    release(&ours, guards).await;
    let released = began.elapsed();

    let mut table = Table::new(["leases", "acquired in", "held for", "released in", "client commands a lease"]);
    let seconds = |span: Duration| format!("{:.1} s", span.as_secs_f64());
    let commands = format!("{:.2}", commands.clients as f64 / leases as f64);
    table.line([leases.to_string(), seconds(acquired), format!("{minute} s"), seconds(released), commands]);
    table.print();
    bench.figure("leases", leases as f64, Unit::Count);
    bench.figure("lost", lost as f64, Unit::Count);
    bench.figure("keeper, share of a core", share, Unit::Percent);
    bench.figure("memory a lease, allocated", allocated, Unit::Bytes);
    bench.figure("memory a lease, resident", resident, Unit::Bytes);
    bench.finish()
}

async fn acquire(ours: &Dlock, start: &'static str, leases: usize) -> Outcome<Vec<Guard>> {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let ours = ours.clone();
        tasks.spawn(async move {
            let mut guards = Vec::with_capacity(leases / TASKS);
            for number in (task..leases).step_by(TASKS) {
                guards.extend(ours.acquire(&format!("{start}:{number}")).await?);
            }
            Outcome::Ok(guards)
        });
    }
    let mut guards = Vec::with_capacity(leases);
    while let Some(some) = tasks.join_next().await {
        guards.extend(some??);
    }
    Ok(guards)
}

/// A lease that was lost is an error here, and counted before.
async fn release(ours: &Dlock, mut guards: Vec<Guard>) {
    let mut tasks = JoinSet::new();
    while !guards.is_empty() {
        let some = guards.split_off(guards.len().saturating_sub(500));
        let ours = ours.clone();
        tasks.spawn(async move {
            for guard in some {
                let _ = ours.release(guard).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Bytes that are allocated and not freed.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// Bytes of this process in memory; zero where there is no /proc.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    // The size of a page where these benchmarks are run.
    pages.unwrap_or_default() * 4096
}
