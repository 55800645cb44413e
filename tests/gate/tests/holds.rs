//! The runtime as it is: every scenario ends well, in whatever order.
//!
//! With `DLOCK_FULL=1` some hundred times as many orders are tried:
//! `DLOCK_FULL=1 cargo test --release -p dlock-gate-check --test holds -- --nocapture`.

use std::sync::atomic::{AtomicUsize, Ordering};

use dlock_gate_check::orders::{ALL, Scenario, config};
use shuttle::{
    Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler},
};

static TRIED: AtomicUsize = AtomicUsize::new(0);

/// How many orders are tried.
fn orders(few: usize, many: usize) -> usize {
    if std::env::var_os("DLOCK_FULL").is_some_and(|full| full == "1") { many } else { few }
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
        try_all("random orders", scenario, RandomScheduler::new(orders(250, 200_000)), scenario.run);
    }
}

#[test]
fn with_few_preemptions() {
    for scenario in ALL {
        for depth in [3, 5] {
            let scheduler = PctScheduler::new(depth, orders(100, 100_000));
            try_all(&format!("orders with {depth} preemptions"), scenario, scheduler, scenario.run);
        }
    }
}

#[test]
fn in_every_order() {
    for scenario in ALL {
        let most = orders(600, 1_000_000);
        let tried = try_all("orders in sequence", scenario, DfsScheduler::new(Some(most), false), scenario.small);
        if tried < most {
            println!("{}: that is all there are", scenario.name);
        }
    }
}
