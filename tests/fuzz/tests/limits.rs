//! The attribute's limits are the runtime's: what one of them accepts the other accepts, at the ends of all that is allowed.

use std::time::Duration;

use dlock_fuzz::{Copy, Target, Verdict};
use dlock_runtime::{LockError, MaxHold, Renew, Runtime};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const YEAR: u64 = 365 * 24 * 60 * 60 * SECOND;

/// Times of one lock, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    ttl: u64,
    renew: Option<Every>,
    max_hold: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
enum Every {
    Switch(bool),
    Nanos(u64),
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Unbounded,
    Nanos(u64),
}

/// The ends of what is allowed, and their neighbours.
fn all() -> Vec<Times> {
    let mut all = Vec::new();
    for ttl in [0, 1, 20 * MILLI - 1, 20 * MILLI, 20 * MILLI + 900_000, 2 * SECOND, YEAR - 1, YEAR, YEAR + 1] {
        let whole = ttl / MILLI * MILLI;
        let latest = whole.saturating_sub(whole / 100 + 2 * MILLI);
        let intervals = [0, 1, MILLI - 1, MILLI, latest.saturating_sub(1), latest, latest + 1, whole, ttl];
        let switches = [None, Some(Every::Switch(true)), Some(Every::Switch(false))];
        for renew in intervals.map(|nanos| Some(Every::Nanos(nanos))).into_iter().chain(switches) {
            let bounds = [0, 1, whole, whole + 1, ttl, ttl + 1].map(|nanos| Some(Bound::Nanos(nanos)));
            for max_hold in bounds.into_iter().chain([None, Some(Bound::Unbounded)]) {
                all.push(Times { ttl, renew, max_hold });
            }
        }
    }
    all
}

fn attribute_accepts(attribute: Copy, times: Times) -> bool {
    let mut options = format!("key = \"a\", ttl = \"{}ns\"", times.ttl);
    match times.renew {
        Some(Every::Switch(on)) => options += &format!(", renew = {on}"),
        Some(Every::Nanos(nanos)) => options += &format!(", renew = \"{nanos}ns\""),
        None => {}
    }
    match times.max_hold {
        Some(Bound::Unbounded) => options += ", max_hold = \"unbounded\"",
        Some(Bound::Nanos(nanos)) => options += &format!(", max_hold = \"{nanos}ns\""),
        None => {}
    }
    Target::Options.check(attribute, &options) == Verdict::Accepted
}

async fn runtime_accepts(runtime: &Runtime, number: usize, times: Times) -> bool {
    let mut request = runtime.lock(format!("k{number}")).ttl(Duration::from_nanos(times.ttl));
    match times.renew {
        Some(Every::Switch(on)) => request = request.renew(on),
        Some(Every::Nanos(nanos)) => request = request.renew(Renew::Every(Duration::from_nanos(nanos))),
        None => {}
    }
    match times.max_hold {
        Some(Bound::Unbounded) => request = request.max_hold(MaxHold::Unbounded),
        Some(Bound::Nanos(nanos)) => request = request.max_hold(Duration::from_nanos(nanos)),
        None => {}
    }
    match request.try_acquire().await {
        Ok(guard) => {
            drop(guard.expect("free"));
            true
        }
        Err(LockError::Config { .. }) => false,
        Err(other) => panic!("{times:?}: {other:?}"),
    }
}

/// Those of which the two think otherwise, and how many of all are accepted.
async fn differences(attribute: Copy) -> (Vec<Times>, usize) {
    let runtime = Runtime::builder().embedded().namespace("limits").build().await.expect("a runtime");
    let (mut differ, mut accepted) = (Vec::new(), 0);
    for (number, times) in all().into_iter().enumerate() {
        let accepts = runtime_accepts(&runtime, number, times).await;
        accepted += usize::from(accepts);
        // The checks of the fuzzer panic where a copy is weakened.
        let attribute = std::panic::catch_unwind(|| attribute_accepts(attribute, times)).unwrap_or(true);
        if attribute != accepts {
            differ.push(times);
        }
    }
    (differ, accepted)
}

#[tokio::test]
async fn what_the_attribute_accepts_the_runtime_accepts_and_the_other_way_round() {
    let (differ, accepted) = differences(Copy::as_it_is()).await;
    assert!(differ.is_empty(), "{differ:#?}");
    assert!((50..all().len() - 50).contains(&accepted), "{accepted} of {} are accepted", all().len());
}

/// The negative control.
#[tokio::test]
#[cfg_attr(feature = "libfuzzer", ignore = "the weakened copies are left out of the guided search")]
async fn a_limit_that_the_attribute_lacks_is_noticed() {
    let weakened = Copy::weakened().iter().find(|copy| copy.name == "a_short_ttl_passes").expect("it is there");
    std::panic::set_hook(Box::new(|_| {}));
    let (differ, _) = differences(*weakened).await;
    assert!(!differ.is_empty());
}
