//! The inputs on file, and 200,000 more that are made of them by chance, the same in every run.

use std::panic::{self, AssertUnwindSafe};

use dlock_fuzz::{Attribute, Random, Target, Verdict, corpus, mutate};

/// Made of the corpus of each target.
const MORE: usize = 100_000;

#[test]
fn every_input_on_file_is_told_its_mistakes_or_expanded() {
    for target in Target::ALL {
        let inputs = corpus::read(target).expect("the corpus");
        let mut counts = Counts::default();
        for text in &inputs {
            counts.add(run(target, text));
        }
        println!("{}: {counts:?}", target.name());
        assert!(counts.accepted > 10 && counts.refused > 10, "{}: {counts:?}", target.name());
    }
}

#[test]
fn options_made_by_chance_are_told_their_mistakes_or_expanded() {
    made_by_chance(Target::Options);
}

#[test]
fn templates_made_by_chance_are_told_their_mistakes_or_expanded() {
    made_by_chance(Target::Templates);
}

fn made_by_chance(target: Target) {
    let inputs = corpus::read(target).expect("the corpus");
    let mut random = Random::new(4);
    let mut counts = Counts::default();
    for _ in 0..MORE {
        let [one, other] = [&inputs, &inputs].map(|inputs| &inputs[random.below(inputs.len())]);
        counts.add(run(target, &mutate(target, one, other, &mut random)));
    }
    println!("{}: {counts:?}", target.name());
    // They would tell little if most of them were turned away at the door.
    assert!(counts.accepted > MORE / 20 && counts.refused > MORE / 10, "{}: {counts:?}", target.name());
}

#[test]
fn an_input_is_the_same_after_it_was_on_file() {
    for text in ["", "\\", "\\n", "\n", "a\\u{7}b\u{7}", "é\u{202e}\u{1F600}\r\n\0", "\\\\n\\", "\u{2028}"] {
        assert!(corpus::survives(text), "{text:?}");
    }
    for target in Target::ALL {
        for text in corpus::read(target).expect("the corpus") {
            assert!(corpus::survives(&text), "{text:?}");
        }
    }
}

/// Positions would be kept for each text that was ever read, and millions are.
#[test]
fn no_positions_of_tokens_are_kept() {
    assert_eq!(format!("{:?}", proc_macro2::Span::call_site()), "Span", "something enables `span-locations`");
}

#[derive(Debug, Default)]
struct Counts {
    unread: usize,
    refused: usize,
    accepted: usize,
}

impl Counts {
    fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Unread => &mut self.unread,
            Verdict::Refused => &mut self.refused,
            Verdict::Accepted => &mut self.accepted,
        } += 1;
    }
}

/// Names the input when a check fails.
fn run(target: Target, text: &str) -> Verdict {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| target.check(&Attribute::AS_IT_IS, text)));
    outcome.unwrap_or_else(|_| panic!("{}: {text:?}", target.name()))
}
