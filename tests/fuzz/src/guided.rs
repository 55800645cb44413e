//! The guided search by libFuzzer: see `tests/fuzz/run`. `DLOCK_FUZZ` says among what.
#![no_main]

use std::sync::LazyLock;

use dlock_fuzz::{AS_IT_IS, Dice, Target, Verdict, inputs::Inputs};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    std::env::var("DLOCK_FUZZ").ok().and_then(|name| Target::named(&name)).expect("options or templates")
});
static INPUTS: LazyLock<Inputs> = LazyLock::new(|| Inputs::of(&TARGET).expect("the corpus"));

fuzz_target!(|data: &[u8]| -> Corpus {
    // What does not reach the attribute is not worth keeping.
    match std::str::from_utf8(data).map(|text| (TARGET.check)(&AS_IT_IS, text)) {
        Ok(Verdict::Refused | Verdict::Accepted) => Corpus::Keep,
        Ok(Verdict::Unread) | Err(_) => Corpus::Reject,
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // libFuzzer's own changes know what comparisons the code made.
    if seed.is_multiple_of(4) {
        return fuzzer_mutate(data, size, max_size);
    }
    // Seeds are small numbers, one after another.
    let spread = (u64::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let old = String::from_utf8_lossy(&data[..size]).into_owned();
    let new = INPUTS.mutate(&old, &mut Dice(spread));
    let length = new.len().min(max_size).min(data.len());
    data[..length].copy_from_slice(&new.as_bytes()[..length]);
    length
});
