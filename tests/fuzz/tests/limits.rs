//! The attribute's limits are the runtime's: what one of them accepts the other accepts, at the ends of all that is allowed.

use std::{panic, time::Duration};

use dlock_fuzz::{AS_IT_IS, Attribute, OPTIONS, Verdict, weakness};
use dlock_runtime::{LockRequest, MaxHold, Renew, Runtime};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const YEAR: u64 = 365 * 24 * 60 * 60 * SECOND;

/// The checks of the fuzzer panic where the attribute is weakened.
fn attribute_accepts(attribute: &Attribute, options: &str) -> bool {
    panic::catch_unwind(|| (OPTIONS.check)(attribute, options) == Verdict::Accepted).unwrap_or(true)
}

/// The same as it is written and as the runtime takes it: so many nanoseconds, the words for it, and nothing.
fn forms<T>(name: &str, nanos: &[u64], time: fn(Duration) -> T, words: Vec<(&str, T)>) -> Vec<(String, Option<T>)> {
    let times = nanos.iter().map(|&nanos| (format!("\"{nanos}ns\""), time(Duration::from_nanos(nanos))));
    let words = words.into_iter().map(|(word, value)| (word.to_owned(), value));
    let written = times.chain(words).map(|(text, value)| (format!(", {name} = {text}"), Some(value)));
    written.chain([(String::new(), None)]).collect()
}

#[tokio::test]
async fn what_the_attribute_accepts_the_runtime_accepts_and_the_other_way_round() {
    let runtime = Runtime::builder().embedded().namespace("limits").build().await.expect("a runtime");
    let weakened = weakness::ALL.iter().find(|weak| weak.name == "a_short_ttl_passes").expect("it is there");
    let (mut counts, mut noticed) = ([0, 0], false);
    // The ends of what is allowed, and their neighbours.
    for ttl in [0, 1, 20 * MILLI - 1, 20 * MILLI, 20 * MILLI + 900_000, 2 * SECOND, YEAR - 1, YEAR, YEAR + 1] {
        let whole = ttl / MILLI * MILLI;
        let latest = whole.saturating_sub(whole / 100 + 2 * MILLI);
        let intervals = [0, 1, MILLI - 1, MILLI, latest.saturating_sub(1), latest, latest + 1, whole, ttl];
        let renews = forms("renew", &intervals, Renew::Every, vec![("true", Renew::Auto), ("false", Renew::Off)]);
        let unbounded = vec![("\"unbounded\"", MaxHold::Unbounded)];
        let bounds = forms("max_hold", &[0, 1, whole, whole + 1, ttl, ttl + 1], MaxHold::For, unbounded);
        for ((renew, interval), (max_hold, bound)) in
            renews.iter().flat_map(|renew| bounds.iter().map(move |bound| (renew, bound)))
        {
            let options = format!("key = \"a\", ttl = \"{ttl}ns\"{renew}{max_hold}");
            let mut request = runtime.lock(options.as_str()).ttl(Duration::from_nanos(ttl));
            request = interval.iter().copied().fold(request, LockRequest::renew);
            request = bound.iter().copied().fold(request, LockRequest::max_hold);
            // A busy machine may be too slow for a short TTL: that is no refusal.
            let accepts = !request.try_acquire().await.is_err_and(|error| error.is_config());
            counts[usize::from(accepts)] += 1;
            assert_eq!(attribute_accepts(&AS_IT_IS, &options), accepts, "{options}");
            noticed |= attribute_accepts(&weakened.attribute, &options) != accepts;
        }
    }
    assert!(counts.iter().all(|count| *count > 50), "refused and accepted: {counts:?}");
    assert!(noticed, "a limit that the attribute lacks is not noticed");
}
