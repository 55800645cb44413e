//! The attribute's limits are the runtime's: what one of them accepts the other accepts, at the ends of all that is allowed.

use std::{panic, time::Duration};

use dlock_fuzz::{Attribute, Target, Verdict, weakness};
use dlock_runtime::{LockError, MaxHold, Renew, Runtime};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const YEAR: u64 = 365 * 24 * 60 * 60 * SECOND;

/// Times of one lock, as they are written and as the runtime takes them.
type Times = [Option<(String, Time)>; 3];

#[derive(Clone, Copy, Debug)]
enum Time {
    Ttl(Duration),
    Renew(Renew),
    MaxHold(MaxHold),
}

/// The ends of what is allowed, and their neighbours.
fn all() -> Vec<Times> {
    let time = |name: &str, nanos: u64, time: fn(Duration) -> Time| {
        Some((format!("{name} = \"{nanos}ns\""), time(Duration::from_nanos(nanos))))
    };
    let word = |text: &str, time| Some((text.to_owned(), time));
    let mut all = Vec::new();
    for ttl in [0, 1, 20 * MILLI - 1, 20 * MILLI, 20 * MILLI + 900_000, 2 * SECOND, YEAR - 1, YEAR, YEAR + 1] {
        let whole = ttl / MILLI * MILLI;
        let latest = whole.saturating_sub(whole / 100 + 2 * MILLI);
        let renews = [0, 1, MILLI - 1, MILLI, latest.saturating_sub(1), latest, latest + 1, whole, ttl]
            .map(|nanos| time("renew", nanos, |interval| Time::Renew(Renew::Every(interval))))
            .into_iter()
            .chain([
                None,
                word("renew = true", Time::Renew(Renew::Auto)),
                word("renew = false", Time::Renew(Renew::Off)),
            ]);
        for renew in renews {
            let bounds = [0, 1, whole, whole + 1, ttl, ttl + 1]
                .map(|nanos| time("max_hold", nanos, |bound| Time::MaxHold(MaxHold::For(bound))))
                .into_iter()
                .chain([None, word("max_hold = \"unbounded\"", Time::MaxHold(MaxHold::Unbounded))]);
            all.extend(bounds.map(|max_hold| [time("ttl", ttl, Time::Ttl), renew.clone(), max_hold]));
        }
    }
    all
}

/// The checks of the fuzzer panic where the attribute is weakened.
fn attribute_accepts(attribute: &Attribute, times: &Times) -> bool {
    let options = times.iter().flatten().map(|(written, _)| format!(", {written}")).collect::<String>();
    let check = || Target::Options.check(attribute, &format!("key = \"a\"{options}")) == Verdict::Accepted;
    panic::catch_unwind(panic::AssertUnwindSafe(check)).unwrap_or(true)
}

async fn runtime_accepts(runtime: &Runtime, number: usize, times: &Times) -> bool {
    let request = times.iter().flatten().fold(runtime.lock(format!("k{number}")), |request, (_, time)| match *time {
        Time::Ttl(ttl) => request.ttl(ttl),
        Time::Renew(renew) => request.renew(renew),
        Time::MaxHold(bound) => request.max_hold(bound),
    });
    match request.try_acquire().await {
        Ok(guard) => guard.is_some(),
        Err(LockError::Config { .. }) => false,
        Err(other) => panic!("{times:?}: {other:?}"),
    }
}

#[tokio::test]
async fn what_the_attribute_accepts_the_runtime_accepts_and_the_other_way_round() {
    let runtime = Runtime::builder().embedded().namespace("limits").build().await.expect("a runtime");
    let weakened = weakness::ALL.iter().find(|weak| weak.name == "a_short_ttl_passes").expect("it is there");
    let (mut accepted, mut refused, mut noticed) = (0, 0, 0);
    for (number, times) in all().iter().enumerate() {
        let accepts = runtime_accepts(&runtime, number, times).await;
        *if accepts { &mut accepted } else { &mut refused } += 1;
        assert_eq!(attribute_accepts(&Attribute::AS_IT_IS, times), accepts, "{times:?}");
        noticed += usize::from(attribute_accepts(&weakened.attribute, times) != accepts);
    }
    assert!(accepted > 50 && refused > 50, "{accepted} are accepted, {refused} refused");
    assert!(noticed > 0, "a limit that the attribute lacks is not noticed");
}
