//! Values that were chosen to be taken for each other, and in how many ways a key can come from a template: two would be two
//! lists of values with one key.

use std::iter::successors;

use crate::template::Part;

/// How a value looks in a key, stated once more, so that it is held against what the runtime does.
const EMPTY: &str = "%empty";

/// So many places of a template are tried; one with more is made of the same.
const PLACES: usize = 6;

pub(crate) fn is_value(part: &Part) -> bool {
    matches!(part, Part::Value(_))
}

/// Lists of values for the placeholders: in each, one value holds what stands beside its place, plain or as the escapes that
/// it may be read as.
pub(crate) fn misleading(parts: &[Part]) -> Vec<Vec<String>> {
    let places: Vec<usize> = (0..parts.len()).filter(|at| is_value(&parts[*at])).collect();
    let mut lists = ["", "{\0/é²}%empty"].map(|value| vec![value.to_owned(); places.len()]).to_vec();
    for (number, &at) in places.iter().enumerate().take(PLACES) {
        for beside in [parts.get(at.wrapping_sub(1)), parts.get(at + 1)] {
            if let Some(Part::Text(text)) = beside {
                // A lone `%` can pass for the head of an escape whose digits come from the next value.
                for value in [format!("x{}y", unescaped(text)), format!("2F{text}")] {
                    let mut list = vec!["7".to_owned(); places.len()];
                    list[number] = value;
                    lists.push(list);
                }
            }
        }
    }
    lists
}

/// How many lists of values give `key`; two or more stand for any number.
pub(crate) fn readings(parts: &[Part], key: &str) -> usize {
    match parts {
        [] => usize::from(key.is_empty()),
        [Part::Text(text), rest @ ..] => key.strip_prefix(text.as_str()).map_or(0, |key| readings(rest, key)),
        [Part::Value(_), rest @ ..] => {
            let empty = key.strip_prefix(EMPTY);
            let others = successors(Some(key), |key| Some(&key[one_character(key)?..])).skip(1);
            let ends = empty.into_iter().chain(others);
            ends.fold(0, |found, key| if found < 2 { found + readings(rest, key) } else { found })
        }
    }
}

/// The length of the character at the head, as a value holds it: itself, or its bytes as escapes.
fn one_character(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if first != '%' {
        return is_kept(first).then(|| first.len_utf8());
    }
    let bytes = text.as_bytes().chunks(3).take(4).map_while(escape).collect::<Vec<_>>();
    let character = (1..=bytes.len()).find_map(|count| std::str::from_utf8(&bytes[..count]).ok())?;
    (!character.contains(is_kept)).then_some(3 * character.len())
}

fn is_kept(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "-._~@+".contains(character)
        || (!character.is_ascii() && character.is_alphabetic())
}

/// The byte of the escape at the head.
fn escape(bytes: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(bytes.strip_prefix(b"%")?.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok().filter(|byte| format!("{byte:02X}") == digits)
}

/// The text of which `text` may be the escaped form: `%2F` back into `/`.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        let byte = escape(rest);
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &rest[3..] } else { others };
    }
    String::from_utf8_lossy(&plain).into_owned()
}
