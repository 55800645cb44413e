//! In how many ways a key can come from a template: two would be two lists of values with one key.

use crate::subject::Piece;

/// How a value looks in a key, stated once more, so that it is held against what the runtime does.
const EMPTY: &str = "%empty";

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
                Piece::Text(text) if key[at..].starts_with(text.as_str()) => reach(at + text.len()),
                Piece::Text(_) => {}
                Piece::Value => ends(&key[at..], &mut |length| reach(at + length)),
            }
        }
        ways = next;
    }
    ways[key.len()]
}

/// The lengths of all values that the text can begin with.
fn ends(text: &str, reach: &mut dyn FnMut(usize)) {
    if text.starts_with(EMPTY) {
        reach(EMPTY.len());
    }
    let mut rest = text;
    while let Some(length) = one_character(rest) {
        rest = &rest[length..];
        reach(text.len() - rest.len());
    }
}

/// The length of the character at the head, as a value holds it: itself, or its bytes as escapes.
fn one_character(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if first != '%' {
        return is_kept(first).then(|| first.len_utf8());
    }
    let mut bytes = Vec::new();
    for escape in text.as_bytes().chunks_exact(3).take(4) {
        let &[b'%', high, low] = escape else { break };
        let (Some(high), Some(low)) = (hex(high), hex(low)) else { break };
        bytes.push(high << 4 | low);
        if let Ok(decoded) = std::str::from_utf8(&bytes) {
            return decoded.chars().all(|character| !is_kept(character)).then_some(3 * bytes.len());
        }
    }
    None
}

fn is_kept(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "-._~@+".contains(character)
        || (!character.is_ascii() && character.is_alphabetic())
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
