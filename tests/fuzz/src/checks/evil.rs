//! Values that were chosen to be taken for each other.

use crate::subject::Piece;

/// So many places of a template are tried; one with more is made of the same.
const PLACES: usize = 6;

/// Lists of values for the placeholders: in each, one value holds what stands between two of them, plain or as the escapes
/// that it may be read as.
pub(crate) fn lists(pieces: &[Piece]) -> Vec<Vec<String>> {
    let gaps = gaps(pieces);
    let count = gaps.len();
    if count == 0 {
        return vec![Vec::new()];
    }
    let list = |at: usize, value: String| {
        let mut values = vec!["7".to_owned(); count];
        values[at] = value;
        values
    };
    let mut lists = vec![vec![String::new(); count], vec!["{\0/é²}%empty".to_owned(); count]];
    for (at, gap) in gaps.iter().enumerate().take(PLACES) {
        lists.push(list(at, format!("x{}y", unescaped(gap))));
        // A lone `%` can pass for the head of an escape whose digits come from the next value.
        lists.push(list(at, format!("2F{gap}")));
    }
    lists
}

/// For each placeholder the text between it and the one before; for the first that between it and the next.
fn gaps(pieces: &[Piece]) -> Vec<&str> {
    let mut gaps = Vec::new();
    let mut gap = "";
    for piece in pieces {
        match piece {
            Piece::Text(text) => gap = text,
            Piece::Value => {
                gaps.push(gap);
                gap = "";
            }
        }
    }
    if let [first, second, ..] = gaps.as_mut_slice() {
        *first = *second;
    }
    gaps
}

/// The text of which `gap` may be the escaped form: `%2F` back into `/`.
fn unescaped(gap: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = gap.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
