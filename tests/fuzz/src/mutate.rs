//! Small changes of an input, in the terms of what it is made of.

use crate::fragments::{self, VALUES};
use crate::generate::generate;
use crate::{Random, Target};

/// So long an input may get. Deep nesting would end the compiler itself before it reaches the attribute.
const LONGEST: usize = 256;

/// One input more, from one that is there; `other` lends parts of itself.
pub fn mutate_text(target: Target, text: &str, other: &str, random: &mut Random) -> String {
    if random.below(16) == 0 {
        return generate(target, random);
    }
    let mut text = text.to_owned();
    for _ in 0..1 + random.below(3) {
        text = step(target, &text, other, random);
    }
    text.truncate(floor(&text, LONGEST));
    text
}

fn step(target: Target, text: &str, other: &str, random: &mut Random) -> String {
    let (from, to) = range(text, random);
    let (before, middle, after) = (&text[..from], &text[from..to], &text[to..]);
    match random.below(10) {
        0..=2 => format!("{before}{}{middle}{after}", random.one_of(fragments::of(target))),
        3..=4 => format!("{before}{}{after}", random.one_of(fragments::of(target))),
        5 => format!("{before}{after}"),
        6 => format!("{before}{middle}{middle}{after}"),
        7 => {
            let (from, to) = range(other, random);
            format!("{before}{}{after}", &other[from..to])
        }
        _ if target == Target::Options => with_another_value(text, random),
        8 => text.chars().rev().collect(),
        _ => format!("{after}{before}"),
    }
}

/// From one place to another not far behind it.
fn range(text: &str, random: &mut Random) -> (usize, usize) {
    let from = floor(text, random.below(text.len() + 1));
    let to = floor(text, (from + random.below(12)).min(text.len()));
    (from, to.max(from))
}

/// What stands between a `=` and the next comma, said otherwise.
fn with_another_value(text: &str, random: &mut Random) -> String {
    let signs: Vec<usize> = text.match_indices('=').map(|(at, _)| at + 1).collect();
    let Some(&from) = signs.get(random.below(signs.len())) else { return text.to_owned() };
    let to = text[from..].find(',').map_or(text.len(), |length| from + length);
    format!("{} {}{}", &text[..from], random.one_of(VALUES), &text[to..])
}

/// The last place at or before `at` where a character ends. (The standard library's own is younger than our oldest compiler.)
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
