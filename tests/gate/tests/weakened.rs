//! Each weakness is caught by the scenario that is there for it, and that the runtime as it is passes.
//!
//! Each in a process of its own, as a failure ends it on the spot: to unwind a task would drop its baton, in a queue that is not
//! to be relied on and on a scheduler that has stopped.

use std::{env, io, panic, process::Command, process::exit};

use dlock_gate_check::orders::{ALL, Scenario, config, weaken, weakness};
use shuttle::{
    FailurePersistence, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

/// Far more than it takes.
const ORDERS: usize = 5_000;
const CAUGHT: i32 = 3;

#[test]
fn every_weakness_is_caught() -> io::Result<()> {
    let mut missed = Vec::new();
    for weakness in weakness::ALL {
        let arguments = ["--ignored", "--exact", "--nocapture", "one_weakness"];
        let output = Command::new(env::current_exe()?).args(arguments).env("DLOCK_WEAKNESS", weakness.name).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{}: {}", weakness.name, said.lines().last().unwrap_or_default());
        if output.status.code() != Some(CAUGHT) {
            missed.push(weakness.name);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    Ok(())
}

#[test]
#[ignore = "run by the other one, for each weakness"]
fn one_weakness() {
    let name = env::var("DLOCK_WEAKNESS").expect("DLOCK_WEAKNESS names one");
    let weakness = weakness::ALL.iter().find(|weakness| weakness.name == name).expect("a weakness");
    let caught_by = |scenario: &&Scenario| scenario.name == weakness.caught_by;
    let scenario = ALL.iter().find(caught_by).expect("a scenario");
    panic::set_hook(Box::new(|failure| {
        let payload = failure.payload();
        let words = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        eprintln!("{}", words.unwrap_or("(no words)").lines().next().unwrap_or_default());
        exit(CAUGHT);
    }));
    weaken(weakness.name);
    let mut config = config();
    config.failure_persistence = FailurePersistence::None;
    for run in [scenario.small, scenario.run] {
        Runner::new(PctScheduler::new_from_seed(1, 3, ORDERS), config.clone()).run(run);
        Runner::new(RandomScheduler::new_from_seed(1, ORDERS), config.clone()).run(run);
    }
}
