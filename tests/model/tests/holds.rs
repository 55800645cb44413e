//! The protocol as it is: every scenario is explored to the end, and nothing is broken.
//!
//! The full sizes take minutes and some gigabytes, one at a time:
//! `cargo test -p dlock-model --test holds -- --ignored --nocapture --test-threads 1`.

mod scenarios;

use dlock_model::{Scenario, explore};

fn holds(name: &str, scenario: Scenario) {
    let report = explore(scenario);
    println!("{name}: {report}");
    assert!(report.broken.is_empty(), "{name}: {report}");
}

macro_rules! explored {
    ($($name:ident: $small:literal, $full:literal;)*) => {
        mod small {
            $(#[test]
            fn $name() {
                super::holds(concat!(stringify!($name), " until ", $small), super::scenarios::$name($small));
            })*
        }

        mod full {
            $(#[test]
            #[ignore = "takes minutes"]
            fn $name() {
                super::holds(concat!(stringify!($name), " until ", $full), super::scenarios::$name($full));
            })*
        }
    };
}

// The last tick: in CI, and in full.
explored! {
    slow: 3, 4;
    lossy: 3, 4;
    refill: 3, 4;
    lost_clock: 3, 4;
    disordered: 3, 4;
    crash: 3, 4;
    crash_of_three: 2, 3;
    cancel: 2, 3;
    terms: 3, 4;
    bounded_turn: 3, 4;
    shortening: 5, 6;
    shortening_of_another: 2, 3;
    foreign: 3, 4;
    replica: 3, 4;
    promotion: 3, 4;
    promotion_of_a_listener: 3, 4;
}
