//! The queues as they are: every scenario ends well, in whatever order.
//!
//! With `DLOCK_FULL=1` some hundred times as many orders are tried, which takes some ten minutes:
//! `DLOCK_FULL=1 cargo test --release -p dlock-gate-check --test holds -- --nocapture`.

use dlock_gate_check::{AS_IT_IS, FEW_SHARDS, config, orders};
use shuttle::{
    Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler},
};

fn try_all(how: &str, scenario: &str, scheduler: impl Scheduler + 'static, run: fn()) -> usize {
    let tried = Runner::new(scheduler, config()).run(run);
    println!("{scenario}: {tried} {how}");
    tried
}

#[test]
fn in_random_orders() {
    for scenario in AS_IT_IS {
        try_all("random orders", scenario.name, RandomScheduler::new(orders(250, 200_000)), scenario.run);
    }
}

#[test]
fn with_few_preemptions() {
    for scenario in AS_IT_IS {
        for depth in [3, 5] {
            let scheduler = PctScheduler::new(depth, orders(100, 100_000));
            try_all(&format!("orders with {depth} preemptions"), scenario.name, scheduler, scenario.run);
        }
    }
}

#[test]
fn in_every_order() {
    for scenario in FEW_SHARDS {
        let most = orders(600, 1_000_000);
        let tried = try_all("orders in sequence", scenario.name, DfsScheduler::new(Some(most), false), scenario.small);
        if tried < most {
            println!("{}: that is all there are", scenario.name);
        }
    }
}
