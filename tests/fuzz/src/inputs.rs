//! Inputs: those on file, and what is made of them by chance.
//!
//! `corpus/NAME.txt` has an input on each line, and `corpus/NAME.parts.txt` what inputs are made of, each as in a string of Rust, less
//! the backslash before a quote.

use std::{fs, io, iter::repeat_with, ops::Range, path::PathBuf};

use syn::LitStr;

use crate::{Dice, Target};

/// So long an input may get. Deep nesting would end the compiler itself before it reaches the attribute.
const LONGEST: usize = 256;

/// The inputs of a target, and what they are made of.
pub struct Inputs {
    /// Those on file.
    pub on_file: Vec<String>,
    parts: Vec<String>,
    /// What stands between the items of most of them.
    comma: &'static str,
}

/// The file of the corpus that has this name.
pub fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", &format!("{name}.txt")].iter().collect()
}

/// A line of a file for an input.
pub fn escaped(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// The input that a line stands for.
pub fn unescaped(line: &str) -> String {
    let literal = format!("\"{}\"", line.replace('"', "\\\""));
    syn::parse_str::<LitStr>(&literal).unwrap_or_else(|error| panic!("{line}: {error}")).value()
}

impl Inputs {
    /// Those of a target.
    pub fn of(target: &Target) -> io::Result<Self> {
        let read = |name: &str| io::Result::Ok(fs::read_to_string(file(name))?.lines().map(unescaped).collect());
        Ok(Self { on_file: read(target.name)?, parts: read(&format!("{}.parts", target.name))?, comma: target.comma })
    }

    /// Inputs without end, the same for a seed in every run.
    pub fn made_by_chance(&self, seed: u64) -> impl Iterator<Item = String> {
        let mut dice = Dice(seed);
        repeat_with(move || self.mutate(one_of(&self.on_file, &mut dice), &mut dice))
    }

    /// One input more, from one that is there.
    pub fn mutate(&self, text: &str, dice: &mut Dice) -> String {
        if dice.below(8) == 0 {
            let comma = [self.comma, self.comma, one_of(&self.parts, dice)][below(3, dice)];
            return (0..=dice.below(6)).map(|_| self.item(dice)).collect::<Vec<_>>().join(comma);
        }
        let mut text = text.to_owned();
        for _ in 0..=dice.below(3) {
            let range = range(&text, dice);
            let place = range.start..if dice.below(2) == 0 { range.start } else { range.end };
            match dice.below(10) {
                0 => text.replace_range(range, ""),
                1 => text = format!("{}{}", &text[..range.end], &text[range.start..]),
                2 => {
                    let other = one_of(&self.on_file, dice);
                    text.replace_range(place, &other[self::range(other, dice)]);
                }
                3..=4 => text = self.with_another_item(&text, dice),
                _ => text.replace_range(place, one_of(&self.parts, dice)),
            }
        }
        text.truncate(floor(&text, LONGEST));
        text
    }

    /// One item says something else or is another one, or there is one more. A parser is left early by what is far from right.
    fn with_another_item(&self, text: &str, dice: &mut Dice) -> String {
        let mut items: Vec<&str> = text.split(self.comma).collect();
        let (at, part) = (below(items.len(), dice), one_of(&self.parts, dice));
        let said = items[at].split_once(" = ").map_or(part.to_owned(), |(name, _)| format!("{name} = {part}"));
        let other = if dice.below(2) == 0 { &said } else { self.item(dice) };
        items.splice(at..at + below(2, dice), [other]);
        items.join(self.comma)
    }

    fn item(&self, dice: &mut Dice) -> &str {
        let items: Vec<&str> = one_of(&self.on_file, dice).split(self.comma).collect();
        items[below(items.len(), dice)]
    }
}

fn below(bound: usize, dice: &mut Dice) -> usize {
    dice.below(bound as u64) as usize
}

fn one_of<'a>(all: &'a [String], dice: &mut Dice) -> &'a str {
    &all[below(all.len(), dice)]
}

/// From one place to another not far behind it.
fn range(text: &str, dice: &mut Dice) -> Range<usize> {
    let from = floor(text, below(text.len() + 1, dice));
    from..floor(text, from + below(12, dice))
}

/// The last place at or before `at` where a character ends. (The standard library's own is younger than our oldest compiler.)
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
