//! How a lock is called: keys, the templates that make them, and the namespace of a runtime.
//!
//! It uses nothing but the limits. Everybody may use it. Values from requests are encoded here, so that no floor above has to
//! think of what a key may hold. `grammar.rs` and `limits.rs` are part of `dlock-macros` as well, by links.

mod grammar;
mod lock_key;
pub(crate) mod namespace;
pub(crate) mod template;

pub use self::lock_key::LockKey;
pub(crate) use self::namespace::Namespace;
