//! Runs the scenario that is to catch a weakness in a copy that has it: `dlock-gate-check <number>`. Prints what failed.
//!
//! A program of its own, as a failure ends it on the spot: to unwind a task would drop its baton, in a queue that is not to
//! be relied on and on a scheduler that has stopped.

use std::{env, panic, process::exit};

use dlock_gate_check::{config, weakened, weakness};
use shuttle::{
    FailurePersistence, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

/// Far more than it takes.
const ORDERS: usize = 5_000;

fn main() {
    let number = env::args().nth(1).and_then(|number| number.parse::<usize>().ok());
    let Some(number) = number.filter(|&number| number < weakness::ALL.len()) else {
        eprintln!("usage: dlock-gate-check <number of a weakness, from 0 to {}>", weakness::ALL.len() - 1);
        exit(2);
    };
    panic::set_hook(Box::new(|failure| {
        let payload = failure.payload();
        let words = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        let words = words.unwrap_or("(no words)");
        println!("{}", words.lines().next().unwrap_or_default());
        exit(1);
    }));
    let scenario = weakened(number, weakness::ALL[number].caught_by);
    let mut config = config();
    config.failure_persistence = FailurePersistence::None;
    for run in [scenario.small, scenario.run] {
        Runner::new(PctScheduler::new_from_seed(1, 3, ORDERS), config.clone()).run(run);
        Runner::new(RandomScheduler::new_from_seed(1, ORDERS), config.clone()).run(run);
    }
    println!("nothing failed");
}
