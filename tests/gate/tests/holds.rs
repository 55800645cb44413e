//! The runtime as it is: every scenario ends well, in whatever order. And each mistake is caught by the scenario that is there for it.
//!
//! With `DLOCK_FULL=1` some hundred times as many orders are tried:
//! `DLOCK_FULL=1 cargo test --release -p dlock-gate-check --test holds -- --nocapture`.

use std::{
    env, io, panic,
    process::{Command, exit},
    sync::atomic::{AtomicUsize, Ordering},
};

use dlock_gate_check::orders::{ALL, Scenario, weaken};
use dlock_testkit::full;
use shuttle::{
    Config, FailurePersistence, Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler},
};

/// Far more than it takes to catch a mistake.
const ORDERS: usize = 5_000;
const CAUGHT: i32 = 3;

static TRIED: AtomicUsize = AtomicUsize::new(0);

fn config() -> Config {
    let mut config = Config::new();
    // Without optimization tasks need some room.
    config.stack_size = 0x2_0000;
    // Every atomic operation is taken to be sequentially consistent: the module `orders` says so.
    config.silence_warnings = true;
    config
}

fn try_all(how: &str, scenario: &Scenario, scheduler: impl Scheduler + 'static, run: fn()) -> usize {
    let tried = Runner::new(scheduler, config()).run(run);
    let all = TRIED.fetch_add(tried, Ordering::Relaxed) + tried;
    println!("{}: {tried} {how} ({all} in all)", scenario.name);
    tried
}

#[test]
fn in_random_orders() {
    for scenario in ALL {
        try_all("random orders", scenario, RandomScheduler::new(full(200_000, 250)), scenario.run);
    }
}

#[test]
fn with_few_preemptions() {
    for scenario in ALL {
        for depth in [3, 5] {
            let scheduler = PctScheduler::new(depth, full(100_000, 100));
            try_all(&format!("orders with {depth} preemptions"), scenario, scheduler, scenario.run);
        }
    }
}

#[test]
fn in_every_order() {
    for scenario in ALL {
        let most = full(1_000_000, 600);
        let tried = try_all("orders in sequence", scenario, DfsScheduler::new(Some(most), false), scenario.small);
        if tried < most {
            println!("{}: that is all there are", scenario.name);
        }
    }
}

/// Each in a process of its own, as a failure ends it on the spot: to unwind a task would drop its baton, in a queue that is not
/// to be relied on and on a scheduler that has stopped.
#[test]
fn every_weakness_is_caught() -> io::Result<()> {
    let mut missed = Vec::new();
    for weakness in ALL.iter().flat_map(|scenario| scenario.catches) {
        let arguments = ["--ignored", "--exact", "--nocapture", "one_weakness"];
        let output = Command::new(env::current_exe()?).args(arguments).env("DLOCK_WEAKNESS", weakness).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{weakness}: {}", said.lines().last().unwrap_or_default());
        if output.status.code() != Some(CAUGHT) {
            missed.push(weakness);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    Ok(())
}

#[test]
#[ignore = "run by the other one, for each weakness"]
fn one_weakness() {
    let name = env::var("DLOCK_WEAKNESS").expect("DLOCK_WEAKNESS names one");
    let scenario = ALL.iter().find(|scenario| scenario.catches.contains(&&*name)).expect("a weakness");
    panic::set_hook(Box::new(|failure| {
        let payload = failure.payload();
        let words = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        eprintln!("{}", words.unwrap_or("(no words)").lines().next().unwrap_or_default());
        exit(CAUGHT);
    }));
    weaken(&name);
    let mut config = config();
    config.failure_persistence = FailurePersistence::None;
    for run in [scenario.small, scenario.run] {
        Runner::new(PctScheduler::new_from_seed(1, 3, ORDERS), config.clone()).run(run);
        Runner::new(RandomScheduler::new_from_seed(1, ORDERS), config.clone()).run(run);
    }
}
