//! Inputs from nothing: most of them are nearly right, because a parser is left early by what is far from right.

use crate::fragments::{NAMES, TEMPLATES, VALUES};
use crate::{Random, Target};

/// The values that are right for each option.
const RIGHT: &[(&str, &[&str])] = &[
    ("key", &["\"stock:<id>\"", "\"{shop}:<id>\"", "\"a\"", "format!(\"{id}\")", "id", "\"<id>:<qty>\""]),
    ("ttl", &["10", "2.5", "\"1500ms\"", "\"20ms\"", "TTL", "\"1.5 s\""]),
    ("wait", &["0", "3", "\"forever\"", "\"250us\"", "self.wait"]),
    ("renew", &["true", "false", "1", "\"10ms\"", "1.9"]),
    ("max_hold", &["\"unbounded\"", "\"2h\"", "60", "MAX"]),
    ("on_lost", &["cancel", "finish"]),
    ("or_else", &["|_| Err(E::Busy)", "E::from", "|err: LockError, | Err(f::<A, B>(err))"]),
    ("guard", &["lock", "r#type", "g"]),
    ("when", &["qty > 1", "true", "id == qty"]),
    ("reentrant", &["true", "false"]),
    ("warn", &["true", "false"]),
    ("doc", &["true", "false"]),
    ("runtime", &["&self.runtime", "runtime", "if a { &b } else { &c }"]),
    ("crate", &["::dlock", "crate::locks", "::a::b"]),
];

/// A new input.
pub(crate) fn generate(target: Target, random: &mut Random) -> String {
    match target {
        Target::Options => options(random),
        Target::Templates => template(random),
    }
}

/// Fragments, or placeholders with one of them between each two.
fn template(random: &mut Random) -> String {
    let pieces = 1 + random.below(7);
    match random.below(2) {
        0 => (0..pieces).map(|_| random.one_of(TEMPLATES)).collect(),
        _ => {
            let placeholders = ["<id>", "<qty>", "<order.sku>", "<self.shop>", "<type>", "<pair.1>"];
            (0..pieces).map(|at| random.one_of(if at % 2 == 1 { TEMPLATES } else { &placeholders })).collect()
        }
    }
}

fn options(random: &mut Random) -> String {
    // Each option once, in any order, for the most part.
    let mut order: Vec<usize> = (0..RIGHT.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    order.truncate(random.below(6));
    if random.below(8) > 0 && !order.contains(&0) {
        order.push(0);
    }
    let wrong = random.below(3);
    let mut text = random.one_of(&["", "", "1", "2", "3"]).to_owned();
    for (number, &at) in order.iter().enumerate() {
        let (right, values) = RIGHT[at];
        let name = if wrong == 1 && random.below(6) == 0 { random.one_of(NAMES) } else { right };
        let value = if wrong == 2 && random.below(3) == 0 { random.one_of(VALUES) } else { random.one_of(values) };
        if number > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push_str(" = ");
        text.push_str(value);
    }
    text
}
