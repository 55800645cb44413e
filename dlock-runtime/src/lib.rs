//! Distributed locks as an attribute.

#[doc(hidden)]
#[path = "rt.rs"]
pub mod __rt;
mod acquire;
mod builder;
mod clock;
mod context;
mod error;
mod give_back;
mod guard;
mod held;
mod hold;
mod holder;
mod keeper;
mod key;
mod lease;
mod ledger;
mod lock;
mod name;
mod observe;
mod options;
mod renewal;
mod runtime;
mod store;
mod template;
mod wait;

#[doc = include_str!("distributed_lock.md")]
pub use dlock_macros::distributed_lock;

pub use self::{
    builder::Builder,
    error::{LockError, LostReason},
    guard::Guard,
    holder::Holder,
    key::LockKey,
    lock::LockRequest,
    options::{MaxHold, OnLost, Renew, Wait},
    runtime::Runtime,
};
