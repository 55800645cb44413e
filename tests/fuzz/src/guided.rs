//! What libFuzzer calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    Attribute, Random, Target, Verdict,
    mutate::{floor, mutate_text},
};

/// So often the counts are shown.
const SHOWN_EVERY: u64 = 1 << 20;

static REFUSED: AtomicU64 = AtomicU64::new(0);
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

/// Runs one input. Says whether it reached the attribute: the others are not worth keeping.
///
/// # Panics
/// If something does not hold that must.
pub fn run(target: Target, data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let count = match target.check(&Attribute::AS_IT_IS, text) {
        Verdict::Unread => return false,
        Verdict::Refused => &REFUSED,
        Verdict::Accepted => &ACCEPTED,
    };
    count.fetch_add(1, Relaxed);
    let (refused, accepted) = (REFUSED.load(Relaxed), ACCEPTED.load(Relaxed));
    if (refused + accepted).is_multiple_of(SHOWN_EVERY) {
        eprintln!("dlock-fuzz: {} inputs: {refused} refused, {accepted} accepted", refused + accepted);
    }
    true
}

/// A new input in the place of the first `size` bytes of `data`. Returns its length.
pub fn mutate(
    target: Target,
    data: &mut [u8],
    size: usize,
    longest: usize,
    seed: u32,
    bytewise: fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Random::new(u64::from(seed));
    // libFuzzer's own changes know what comparisons the code made.
    if random.below(4) == 0 {
        return bytewise(data, size, longest);
    }
    let old = String::from_utf8_lossy(&data[..size]).into_owned();
    let mut text = mutate_text(target, &old, &old, &mut random);
    text.truncate(floor(&text, longest.min(data.len())));
    data[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}
