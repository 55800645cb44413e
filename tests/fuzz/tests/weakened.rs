//! The negative controls: each mistake that is made on purpose is found, with few inputs.

use std::panic::{self, AssertUnwindSafe};

use dlock_fuzz::{Random, corpus, mutate, weakness};

/// A guided search tries so many in a second or two.
const INPUTS: usize = 20_000;

#[test]
fn every_weakness_is_found() {
    // Each of the failures would be printed.
    panic::set_hook(Box::new(|_| {}));
    let found: Vec<_> = weakness::ALL.iter().map(find).collect();
    let _ = panic::take_hook();
    for (weakness, found) in weakness::ALL.iter().zip(found) {
        let (input, said) = found.unwrap_or_else(|| panic!("{} is not found", weakness.name));
        println!("{}: {input:?}: {said}", weakness.name);
        assert!(said.contains(weakness.said), "{}: {said}", weakness.name);
    }
}

/// The first input that fails, and what is said of it.
fn find(weakness: &weakness::Weakness) -> Option<(String, String)> {
    let target = weakness.found_by;
    let inputs = corpus::read(target).expect("the corpus");
    let mut random = Random::new(1);
    let made = (0..INPUTS).map(|_| {
        let [one, other] = [&inputs, &inputs].map(|inputs| &inputs[random.below(inputs.len())]);
        mutate(target, one, other, &mut random)
    });
    let fails = |text: String| {
        let failure = panic::catch_unwind(AssertUnwindSafe(|| target.check(&weakness.attribute, &text))).err()?;
        let said = failure.downcast_ref::<String>().cloned();
        let said = said.or_else(|| failure.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Some((text, said.unwrap_or_default()))
    };
    made.into_iter().find_map(fails)
}
