//! Inputs: those on file, and what is made of them by chance.
//!
//! `corpus/NAME.txt` has an input on each line, and `corpus/NAME.parts.txt` what inputs are made of, each as in a string of Rust, less
//! the backslash before a quote. libFuzzer keeps each input in a file of its own, so [`unpack`] and [`pack`] stand between.

use std::{collections::BTreeSet, fs, io, ops::Range, path::Path, path::PathBuf};

use syn::LitStr;

use crate::Target;

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

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name).with_extension("txt")
}

fn read(name: &str) -> io::Result<Vec<String>> {
    Ok(fs::read_to_string(file(name))?.lines().map(unescaped).collect())
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

/// Writes each input of a target into a file of its own.
pub fn unpack(target: Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let texts = read(target.name())?;
    texts.iter().enumerate().try_for_each(|(number, text)| fs::write(folder.join(format!("{number:05}")), text))
}

/// Adds what stands in the files of `folder` to the inputs of a target, sorted, each once.
pub fn pack(target: Target, folder: &Path) -> io::Result<()> {
    let mut texts: BTreeSet<String> = read(target.name())?.into_iter().collect();
    for entry in fs::read_dir(folder)? {
        // What is no text is no input either.
        texts.extend(String::from_utf8(fs::read(entry?.path())?));
    }
    fs::write(file(target.name()), texts.iter().map(|text| escaped(text) + "\n").collect::<String>())
}

impl Inputs {
    /// Those of a target.
    pub fn of(target: Target) -> io::Result<Self> {
        let parts = read(&format!("{}.parts.txt", target.name()))?;
        Ok(Self { on_file: read(target.name())?, parts, comma: if target == Target::Options { ", " } else { ":" } })
    }

    /// Inputs without end, the same for a seed in every run.
    pub fn made_by_chance(&self, seed: u64) -> impl Iterator<Item = String> {
        let mut random = Random::new(seed);
        std::iter::repeat_with(move || self.mutate(random.one_of(&self.on_file), &mut random))
    }

    /// One input more, from one that is there.
    pub fn mutate(&self, text: &str, random: &mut Random) -> String {
        if random.below(8) == 0 {
            let comma = [self.comma, self.comma, random.one_of(&self.parts)][random.below(3)];
            return (0..=random.below(6)).map(|_| self.item(random)).collect::<Vec<_>>().join(comma);
        }
        let mut text = text.to_owned();
        for _ in 0..=random.below(3) {
            let range = range(&text, random);
            let place = range.start..if random.below(2) == 0 { range.start } else { range.end };
            match random.below(10) {
                0 => text.replace_range(range, ""),
                1 => text = format!("{}{}", &text[..range.end], &text[range.start..]),
                2 => {
                    let other = random.one_of(&self.on_file);
                    text.replace_range(place, &other[self::range(other, random)]);
                }
                3..=4 => text = self.with_another_item(&text, random),
                _ => text.replace_range(place, random.one_of(&self.parts)),
            }
        }
        text.truncate(floor(&text, LONGEST));
        text
    }

    /// One item says something else or is another one, or there is one more. A parser is left early by what is far from right.
    fn with_another_item(&self, text: &str, random: &mut Random) -> String {
        let mut items: Vec<&str> = text.split(self.comma).collect();
        let (at, part) = (random.below(items.len()), random.one_of(&self.parts));
        let said = items[at].split_once(" = ").map_or(part.to_owned(), |(name, _)| format!("{name} = {part}"));
        let other = if random.below(2) == 0 { &said } else { self.item(random) };
        items.splice(at..at + random.below(2), [other]);
        items.join(self.comma)
    }

    fn item(&self, random: &mut Random) -> &str {
        let items: Vec<&str> = random.one_of(&self.on_file).split(self.comma).collect();
        items[random.below(items.len())]
    }
}

/// From one place to another not far behind it.
fn range(text: &str, random: &mut Random) -> Range<usize> {
    let from = floor(text, random.below(text.len() + 1));
    from..floor(text, from + random.below(12)).max(from)
}

/// The last place at or before `at` where a character ends. (The standard library's own is younger than our oldest compiler.)
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Random numbers that are the same in every run (splitmix64).
pub struct Random(u64);

impl Random {
    /// The sequence with this number.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    /// A number below `bound`, evenly enough for a bound that is small beside 2^64.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % bound
    }

    fn one_of<'a>(&mut self, of: &'a [String]) -> &'a str {
        &of[self.below(of.len())]
    }
}
