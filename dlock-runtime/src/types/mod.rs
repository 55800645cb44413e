//! The words of the interface: errors, options and who holds a lock; and time as deadlines are measured in.
//!
//! Plain values without I/O and without a lock of their own. They use keys; everybody above may use them.

pub(crate) mod boot_time;
pub(crate) mod credentials;
pub(crate) mod error;
pub(crate) mod holder;
pub(crate) mod nanos;
pub(crate) mod options;
pub(crate) mod settling;
pub(crate) mod store_error;
