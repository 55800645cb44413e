//! Who asks for which lock: the pair by which the store knows a request and, later, a lease.

use std::{fmt, ops::Deref, sync::Arc};

use crate::{system, types::error::LockError};

/// 128 random bits that distinguish one runtime from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity([u64; 2]);

impl Identity {
    /// # Errors
    /// [`LockError::Unavailable`] if the system has no random numbers to give.
    pub(crate) fn random() -> Result<Self, LockError> {
        let random = || system::random().map_err(LockError::unavailable);
        Ok(Self([random()?, random()?]))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0[0], self.0[1])
    }
}

/// Where a runtime is told of its requests, in a cluster: the hash tag of a channel. Elsewhere there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tag(pub(crate) Option<u32>);

impl Tag {
    /// Adds its text to a key.
    pub(crate) fn push_to(self, key: &mut String) {
        let Self(Some(tag)) = self else { return };
        key.push('{');
        key.extend(hex_digits(tag.into(), 1).map(char::from));
        key.push('}');
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |tag| write!(f, "{{{tag:x}}}"))
    }
}

/// An owner token: a runtime, and the number of its request. Nobody else has or will have the same number. In a cluster it has
/// the tag of the channel in which the runtime listens for it: `identity{tag}-number`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) identity: Identity,
    pub(crate) number: u64,
    pub(crate) tag: Tag,
}

impl Token {
    pub(crate) fn new(identity: Identity, number: u64) -> Self {
        Self { identity, number, tag: Tag::default() }
    }

    /// As the store keeps it: the value of the lock begins with it.
    pub(crate) fn text(&self) -> TokenText {
        let mut text = TokenText { bytes: [0; LONGEST], len: 0 };
        self.identity.0.iter().for_each(|half| text.push_hex(*half, 16));
        if let Tag(Some(tag)) = self.tag {
            text.push(b'{');
            text.push_hex(tag.into(), 1);
            text.push(b'}');
        }
        text.push(b'-');
        text.push_hex(self.number, 1);
        text
    }

    /// Reads a token that belongs to `identity`.
    pub(crate) fn read(identity: Identity, text: &str) -> Option<Self> {
        let (owner, number) = text.split_once('-')?;
        let (owner, tag) = match owner.strip_suffix('}') {
            Some(tagged) => tagged.split_once('{').map(|(owner, tag)| (owner, Some(tag)))?,
            None => (owner, None),
        };
        let tag = Tag(tag.map(|tag| u32::from_str_radix(tag, 16)).transpose().ok()?);
        let (high, low) = owner.split_at_checked(16)?;
        let owner = [high, low].map(|half| u64::from_str_radix(half, 16).ok());
        let number = u64::from_str_radix(number, 16).ok()?;
        (owner == identity.0.map(Some)).then_some(Self { identity, number, tag })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// With zeros before it, so that there are at least so many.
fn hex_digits(number: u64, least: u32) -> impl Iterator<Item = u8> {
    let needed = (u64::BITS - number.leading_zeros()).div_ceil(4);
    (0..needed.max(least)).rev().map(move |place| b"0123456789abcdef"[(number >> (4 * place)) as usize % 16])
}

/// An identity, a tag, a number, and one more.
const LONGEST: usize = 32 + 10 + 1 + 16 + 1;

/// The text of a token. Two are made for each lock, and by way of a formatter that was a tenth of all that a request costs.
pub(crate) struct TokenText {
    bytes: [u8; LONGEST],
    len: usize,
}

impl TokenText {
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(next) = self.bytes.get_mut(self.len) {
            *next = byte;
            self.len += 1;
        }
    }

    fn push_hex(&mut self, number: u64, least: u32) {
        hex_digits(number, least).for_each(|digit| self.push(digit));
    }
}

impl Deref for TokenText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// The number is for readers; the secret half stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "..-{:x}", self.number)
    }
}

/// The name of a lock in the store, and the owner token of who asks for it or has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockId {
    pub(crate) name: Arc<str>,
    pub(crate) token: Token,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_by_its_own_runtime_only() {
        let [ours, theirs] = [Identity([0, 0xa]), Identity([0xa, 0])];
        for tag in [None, Some(0), Some(0xb), Some(0x1_2345), Some(u32::MAX)].map(Tag) {
            let mut text = String::new();
            tag.push_to(&mut text);
            assert_eq!(text, tag.to_string());
        }
        let plain = Token::new(ours, 0x2f);
        assert_eq!(&*plain.text(), "0000000000000000000000000000000a-2f");
        let tagged = Token { tag: Tag(Some(0xb)), ..plain };
        assert_eq!(&*tagged.text(), "0000000000000000000000000000000a{b}-2f");
        for token in [plain, tagged] {
            assert_eq!(Token::read(ours, &token.text()), Some(token));
            assert_eq!(Token::read(theirs, &token.text()), None);
        }
        for foreign in
            ["a foreign token", "0000000000000000000000000000000a{x}-2f", "0000000000000000000000000000000ab}-2f"]
        {
            assert_eq!(Token::read(ours, foreign), None);
        }
    }

    #[test]
    fn the_longest_token_and_the_shortest_are_told_in_full() {
        let longest = Token { tag: Tag(Some(u32::MAX)), ..Token::new(Identity([u64::MAX; 2]), u64::MAX) };
        let mut text = longest.text();
        assert_eq!(&*text, format!("{}{{{}}}-{}", "f".repeat(32), "f".repeat(8), "f".repeat(16)));
        assert_eq!(longest.to_string(), *text);
        text.push(b' ');
        assert!(text.ends_with("f "), "there is room for one more");
        assert_eq!(&*Token::new(Identity([0, 1]), 0).text(), "00000000000000000000000000000001-0");
    }

    #[test]
    fn the_secret_half_of_a_token_stays_out_of_what_is_formatted_for_logs() {
        let token = Token::new(Identity([0xa, 0xb]), 0x2f);
        assert_eq!(format!("{token:?}"), "..-2f");
    }
}
