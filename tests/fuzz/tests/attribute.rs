//! The inputs on file, and 200,000 more that are made of them by chance, the same in every run. And the negative controls: each
//! mistake that is made on purpose is found, with few inputs.

use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
};

use dlock_fuzz::{
    AS_IT_IS, Attribute, OPTIONS, TEMPLATES, Target, Verdict,
    inputs::{Inputs, escaped, unescaped},
    weakness,
};

/// Made of the corpus of each target.
const MORE: usize = 100_000;

/// A guided search tries so many in a second or two.
const FEW: usize = 20_000;

fn inputs(target: &Target) -> Inputs {
    Inputs::of(target).expect("the corpus")
}

/// What is said of an input that fails a check.
fn checked(target: &Target, attribute: &Attribute, text: &str) -> Result<Verdict, String> {
    panic::catch_unwind(AssertUnwindSafe(|| (target.check)(attribute, text))).map_err(|failure| {
        let said = failure.downcast_ref::<&str>().map(|said| (*said).to_owned());
        said.or_else(|| failure.downcast_ref::<String>().cloned()).unwrap_or_default()
    })
}

/// They would tell little if most of them were turned away at the door.
fn all_are_told_or_expanded(target: &Target, texts: impl Iterator<Item = String>) {
    let mut counts = BTreeMap::from([Verdict::Refused, Verdict::Accepted].map(|verdict| (verdict, 0)));
    for text in texts {
        let verdict = checked(target, &AS_IT_IS, &text).unwrap_or_else(|said| panic!("{text:?}: {said}"));
        *counts.entry(verdict).or_default() += 1;
    }
    println!("{}: {counts:?}", target.name);
    let all = counts.values().sum::<usize>();
    assert!(counts[&Verdict::Accepted] > all / 20 && counts[&Verdict::Refused] > all / 10, "{counts:?}");
}

#[test]
fn options_are_told_their_mistakes_or_expanded() {
    let inputs = inputs(&OPTIONS);
    all_are_told_or_expanded(&OPTIONS, inputs.made_by_chance(4).take(MORE));
    all_are_told_or_expanded(&OPTIONS, inputs.on_file.into_iter());
}

#[test]
fn templates_are_told_their_mistakes_or_expanded() {
    let inputs = inputs(&TEMPLATES);
    all_are_told_or_expanded(&TEMPLATES, inputs.made_by_chance(4).take(MORE));
    all_are_told_or_expanded(&TEMPLATES, inputs.on_file.into_iter());
}

#[test]
fn an_input_is_the_same_after_it_was_on_file() {
    let strange =
        ["", "\\", "\\n", "\n", "a\\u{7}b\u{7}", "é\u{202e}\u{1F600}\r\n\0", "\\\\n\\", "\u{2028}", "\\\"'\\'"];
    let on_file = [OPTIONS, TEMPLATES].into_iter().flat_map(|target| inputs(&target).on_file);
    for text in strange.map(str::to_owned).into_iter().chain(on_file) {
        let line = escaped(&text);
        assert!(unescaped(&line) == text && line.lines().count() <= 1, "{text:?}");
    }
}

/// Positions would be kept for each text that was ever read, and millions are.
#[test]
fn no_positions_of_tokens_are_kept() {
    assert_eq!(format!("{:?}", proc_macro2::Span::call_site()), "Span", "something enables `span-locations`");
}

#[test]
fn every_weakness_is_found() {
    for weakness in weakness::ALL {
        let texts = inputs(&weakness.found_by);
        let said = |text: String| Some((checked(&weakness.found_by, &weakness.attribute, &text).err()?, text));
        let mut failures = texts.made_by_chance(1).take(FEW).filter_map(said);
        let found = failures.find(|(said, _)| said.contains(weakness.said));
        println!("{}: {found:?}", weakness.name);
        assert!(found.is_some(), "{} is not found", weakness.name);
    }
}
