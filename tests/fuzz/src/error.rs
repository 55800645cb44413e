//! Stands in for the runtime's errors, of which its keys know one.

use std::borrow::Cow;

use crate::key::LockKey;

#[derive(Debug)]
pub(crate) enum LockError {
    #[expect(dead_code, reason = "no check asks which key it was")]
    InvalidKey { key: LockKey, reason: Cow<'static, str> },
}
