//! Who asks for which lock.

use crate::sync::Arc;

/// The name of a lock, and the token of who asks for it or has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockId {
    pub(crate) name: Arc<str>,
    pub(crate) token: Token,
}

/// There is one runtime only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) number: u64,
}

impl LockId {
    pub(crate) fn new(name: &Arc<str>, number: u64) -> Self {
        Self { name: Arc::clone(name), token: Token { number } }
    }
}
