//! The runtime as it is: every scenario ends well, in whatever order. And each mistake is caught by the scenario that is there for it.
//!
//! With `DLOCK_FULL=1` some hundred times as many orders are tried:
//! `DLOCK_FULL=1 cargo test --release -p dlock-gate-check --test holds -- --nocapture`.

use std::{
    env, io, panic,
    process::{Command, exit},
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

/// Names the mistake that a process makes.
const WEAKNESS: &str = "DLOCK_WEAKNESS";

/// How many orders there were.
fn run(scenario: Scenario, tasks: usize, scheduler: impl Scheduler + 'static) -> usize {
    let mut config = Config::new();
    // Without optimization tasks need some room.
    config.stack_size = 0x2_0000;
    // Every atomic operation is taken to be sequentially consistent: the module `orders` says so.
    config.silence_warnings = true;
    if env::var_os(WEAKNESS).is_some() {
        config.failure_persistence = FailurePersistence::None;
    }
    Runner::new(scheduler, config).run(move || (scenario.run)(tasks))
}

#[test]
fn every_scenario_ends_well_in_any_order() {
    let mut all = 0;
    for &scenario in ALL {
        // All orders cannot be tried one after another where tasks choose by chance what they do.
        let most = if scenario.few > 0 { full(1_000_000, 600) } else { 0 };
        let tried = [
            run(scenario, scenario.many, RandomScheduler::new(full(200_000, 250))),
            run(scenario, scenario.many, PctScheduler::new(3, full(100_000, 100))),
            run(scenario, scenario.many, PctScheduler::new(5, full(100_000, 100))),
            run(scenario, scenario.few, DfsScheduler::new(Some(most), false)),
        ];
        all += tried.iter().sum::<usize>();
        let end = if tried[3] < most { "; no more in sequence" } else { "" };
        println!("{}: {tried:?} at random, with 3 and 5 preemptions, in sequence{end} ({all} in all)", scenario.name);
    }
}

/// Each in a process of its own, as a failure ends it on the spot: to unwind a task would drop its baton, in a queue that is not
/// to be relied on and on a scheduler that has stopped.
#[test]
fn every_weakness_is_caught() -> io::Result<()> {
    let mut missed = Vec::new();
    for weakness in ALL.iter().flat_map(|scenario| scenario.catches) {
        let arguments = ["--ignored", "--exact", "--nocapture", "one_weakness"];
        let output = Command::new(env::current_exe()?).args(arguments).env(WEAKNESS, weakness).output()?;
        println!("{weakness}: {}", String::from_utf8_lossy(&output.stderr));
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
    let name = env::var(WEAKNESS).expect("the name of one");
    let scenario = ALL.iter().find(|scenario| scenario.catches.contains(&&*name)).expect("a weakness");
    panic::set_hook(Box::new(|failure| {
        eprintln!("{failure}");
        exit(CAUGHT);
    }));
    weaken(&name);
    for tasks in [scenario.few, scenario.many] {
        run(*scenario, tasks, PctScheduler::new_from_seed(1, 3, ORDERS));
        run(*scenario, tasks, RandomScheduler::new_from_seed(1, ORDERS));
    }
}
