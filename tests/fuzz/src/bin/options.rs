//! The guided search among options: see `tests/fuzz/run`.
#![no_main]

use dlock_fuzz::{Target, guided};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| -> Corpus {
    if guided::run(Target::Options, data) { Corpus::Keep } else { Corpus::Reject }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    guided::mutate(Target::Options, data, size, max_size, seed, fuzzer_mutate)
});
