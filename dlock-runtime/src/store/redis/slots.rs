//! The slots of a Redis cluster: in which one a key lies, and a short hash tag for each.

use std::sync::LazyLock;

use crate::protocol::token::Tag;

/// How many slots there are.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key: that of its hash tag, `{tag}`, if it has one.
pub(super) fn slot(key: &str) -> u16 {
    let key = key.as_bytes();
    let tag = first(key, b'{').and_then(|open| {
        let rest = &key[open + 1..];
        first(rest, b'}').map(|end| &rest[..end])
    });
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key)) % SLOTS as u16
}

/// Keys are short, so a plain loop is quicker than a search that is made for long texts.
fn first(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// A hash tag that lies in `slot`.
pub(super) fn tag(slot: u16) -> Tag {
    Tag(Some(TAGS[usize::from(slot) % SLOTS]))
}

/// The first number that lies in each slot. Found once: some 100,000 numbers are tried.
static TAGS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut tags = vec![None; SLOTS];
    let mut open = SLOTS;
    for number in 0.. {
        let found = &mut tags[usize::from(slot(&Tag(Some(number)).to_string()))];
        if found.is_none() {
            *found = Some(number);
            open -= 1;
        }
        if open == 0 {
            break;
        }
    }
    tags.into_iter().map(Option::unwrap_or_default).collect()
});

/// CRC-16/XMODEM, as Redis uses it. It is wanted several times for each request.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ OF_BYTE[usize::from((crc >> 8) as u8 ^ byte)])
}

const OF_BYTE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // As `CLUSTER KEYSLOT` says.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in
            [("", 0), ("foo", 12_182), ("a{foo}b", 12_182), ("foo{}{bar}", 8_363), ("{user1000}.x", 3_443)]
        {
            assert_eq!(super::slot(key), slot, "{key:?}");
        }
    }

    #[test]
    fn each_slot_has_a_short_tag_of_its_own() {
        for number in 0..SLOTS as u16 {
            let tag = tag(number).to_string();
            assert_eq!(slot(&format!("k:{tag}")), number);
            assert!(tag.len() <= 8, "{tag}");
        }
    }
}
