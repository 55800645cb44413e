//! The guided search among templates: see `tests/fuzz/run`.
#![no_main]

use dlock_fuzz::{Target, guided};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| -> Corpus {
    if guided::run(Target::Templates, data) { Corpus::Keep } else { Corpus::Reject }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    guided::mutate(Target::Templates, data, size, max_size, seed, fuzzer_mutate)
});
