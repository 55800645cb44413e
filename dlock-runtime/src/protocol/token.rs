//! Who asks for which lock: the pair by which the store knows a request and, later, a lease.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

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

    /// As the store keeps it, as the value of the lock.
    pub(crate) fn text(&self) -> String {
        // Made for each request, so it is not left to grow as it is written.
        let mut text = String::with_capacity(32 + 8 + 1 + 16);
        _ = write!(text, "{self}");
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
        write!(f, "{}{}-{:x}", self.identity, self.tag, self.number)
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
        let plain = Token::new(ours, 0x2f);
        assert_eq!(plain.text(), "0000000000000000000000000000000a-2f");
        let tagged = Token { tag: Tag(Some(0xb)), ..plain };
        assert_eq!(tagged.text(), "0000000000000000000000000000000a{b}-2f");
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
    fn the_secret_half_of_a_token_stays_out_of_what_is_formatted_for_logs() {
        let token = Token::new(Identity([0xa, 0xb]), 0x2f);
        assert_eq!(format!("{token:?}"), "..-2f");
    }
}
