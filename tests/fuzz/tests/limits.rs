//! The attribute's limits are the runtime's: what one of them accepts the other accepts, at the ends of all that is allowed.

use std::time::Duration;

use dlock_fuzz::{Attribute, Target, Verdict, weakness};
use dlock_runtime::{LockError, MaxHold, Renew, Runtime};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const YEAR: u64 = 365 * 24 * 60 * 60 * SECOND;

/// Times of one lock.
#[derive(Clone, Copy, Debug)]
struct Times {
    ttl: Duration,
    renew: Option<Renew>,
    max_hold: Option<MaxHold>,
}

/// The ends of what is allowed, and their neighbours.
fn all() -> Vec<Times> {
    let mut all = Vec::new();
    for ttl in [0, 1, 20 * MILLI - 1, 20 * MILLI, 20 * MILLI + 900_000, 2 * SECOND, YEAR - 1, YEAR, YEAR + 1] {
        let whole = ttl / MILLI * MILLI;
        let latest = whole.saturating_sub(whole / 100 + 2 * MILLI);
        let intervals = [0, 1, MILLI - 1, MILLI, latest.saturating_sub(1), latest, latest + 1, whole, ttl];
        let intervals = intervals.map(|nanos| Some(Renew::Every(Duration::from_nanos(nanos))));
        for renew in intervals.into_iter().chain([None, Some(Renew::Auto), Some(Renew::Off)]) {
            let bounds = [0, 1, whole, whole + 1, ttl, ttl + 1];
            let bounds = bounds.map(|nanos| Some(MaxHold::For(Duration::from_nanos(nanos))));
            for max_hold in bounds.into_iter().chain([None, Some(MaxHold::Unbounded)]) {
                all.push(Times { ttl: Duration::from_nanos(ttl), renew, max_hold });
            }
        }
    }
    all
}

fn attribute_accepts(attribute: &Attribute, times: Times) -> bool {
    let nanos = |time: Duration| format!("\"{}ns\"", time.as_nanos());
    let renew = times.renew.map(|renew| match renew {
        Renew::Every(interval) => nanos(interval),
        switch => (switch == Renew::Auto).to_string(),
    });
    let max_hold = times.max_hold.map(|bound| match bound {
        MaxHold::For(time) => nanos(time),
        _ => "\"unbounded\"".to_owned(),
    });
    let mut options = format!("key = \"a\", ttl = {}", nanos(times.ttl));
    for (name, value) in [("renew", renew), ("max_hold", max_hold)] {
        options += &value.map(|value| format!(", {name} = {value}")).unwrap_or_default();
    }
    Target::Options.check(attribute, &options) == Verdict::Accepted
}

async fn runtime_accepts(runtime: &Runtime, number: usize, times: Times) -> bool {
    let mut request = runtime.lock(format!("k{number}")).ttl(times.ttl);
    if let Some(renew) = times.renew {
        request = request.renew(renew);
    }
    if let Some(max_hold) = times.max_hold {
        request = request.max_hold(max_hold);
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
async fn differences(attribute: &Attribute) -> (Vec<Times>, usize) {
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
    let (differ, accepted) = differences(&Attribute::AS_IT_IS).await;
    assert!(differ.is_empty(), "{differ:#?}");
    assert!((50..all().len() - 50).contains(&accepted), "{accepted} of {} are accepted", all().len());
}

/// The negative control.
#[tokio::test]
async fn a_limit_that_the_attribute_lacks_is_noticed() {
    let weakened = weakness::ALL.iter().find(|weak| weak.name == "a_short_ttl_passes").expect("it is there");
    std::panic::set_hook(Box::new(|_| {}));
    let (differ, _) = differences(&weakened.attribute).await;
    assert!(!differ.is_empty());
}
