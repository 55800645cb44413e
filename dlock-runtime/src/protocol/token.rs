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

/// An owner token: a runtime, and the number of its request. Nobody else has or will have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) identity: Identity,
    pub(crate) number: u64,
}

impl Token {
    /// As the store keeps it, as the value of the lock.
    pub(crate) fn text(&self) -> String {
        // Made for each request, so it is not left to grow as it is written.
        let mut text = String::with_capacity(32 + 1 + 16);
        _ = write!(text, "{self}");
        text
    }

    /// Reads the number of a token that belongs to `identity`.
    pub(crate) fn number_of(identity: Identity, text: &str) -> Option<u64> {
        let (owner, number) = text.split_once('-')?;
        let (high, low) = owner.split_at_checked(16)?;
        let owner = [high, low].map(|half| u64::from_str_radix(half, 16).ok());
        u64::from_str_radix(number, 16).ok().filter(|_| owner == identity.0.map(Some))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.identity, self.number)
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
        let text = Token { identity: ours, number: 0x2f }.text();
        assert_eq!(text, "0000000000000000000000000000000a-2f");
        assert_eq!(Token::number_of(ours, &text), Some(0x2f));
        assert_eq!(Token::number_of(theirs, &text), None);
        assert_eq!(Token::number_of(ours, "a foreign token"), None);
    }

    #[test]
    fn the_secret_half_of_a_token_stays_out_of_what_is_formatted_for_logs() {
        let token = Token { identity: Identity([0xa, 0xb]), number: 0x2f };
        assert_eq!(format!("{token:?}"), "..-2f");
    }
}
