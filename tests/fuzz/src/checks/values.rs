//! Values that were chosen to be taken for each other, and in how many ways a key can come from a template: two would be two
//! lists of values with one key.

use crate::Piece;

/// How a value looks in a key, stated once more, so that it is held against what the runtime does.
const EMPTY: &str = "%empty";

/// So many places of a template are tried; one with more is made of the same.
const PLACES: usize = 6;

/// Lists of values for the placeholders: in each, one value holds what stands beside its place, plain or as the escapes that
/// it may be read as.
pub(crate) fn misleading(pieces: &[Piece]) -> Vec<Vec<String>> {
    let places: Vec<usize> = (0..pieces.len()).filter(|at| matches!(pieces[*at], Piece::Value)).collect();
    let mut lists = ["", "{\0/é²}%empty"].map(|value| vec![value.to_owned(); places.len()]).to_vec();
    for (number, &at) in places.iter().enumerate().take(PLACES) {
        for beside in [pieces.get(at.wrapping_sub(1)), pieces.get(at + 1)] {
            if let Some(Piece::Text(text)) = beside {
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

/// How many lists of values give `key`; two stands for more.
pub(crate) fn readings(pieces: &[Piece], key: &str) -> u8 {
    // Of the pieces so far: in how many ways they end at each place of the key.
    let mut ways = vec![0_u8; key.len() + 1];
    ways[0] = 1;
    for piece in pieces {
        let mut next = vec![0_u8; key.len() + 1];
        for (at, &count) in ways.iter().enumerate().filter(|(_, count)| **count > 0) {
            let mut reach = |end: usize| next[end] = (next[end] + count).min(2);
            match piece {
                Piece::Text(text) if key[at..].starts_with(text) => reach(at + text.len()),
                Piece::Text(_) => {}
                Piece::Value => {
                    if key[at..].starts_with(EMPTY) {
                        reach(at + EMPTY.len());
                    }
                    let mut end = at;
                    while let Some(length) = one_character(&key[end..]) {
                        end += length;
                        reach(end);
                    }
                }
            }
        }
        ways = next;
    }
    ways[key.len()]
}

/// The length of the character at the head, as a value holds it: itself, or its bytes as escapes.
fn one_character(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if first != '%' {
        return is_kept(first).then(|| first.len_utf8());
    }
    let escapes = text.as_bytes().chunks(3).take(4).map_while(escape);
    let bytes = escapes.collect::<Vec<_>>();
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
