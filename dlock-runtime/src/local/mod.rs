//! What this process holds, and who in it waits: the queue of its tasks, their requests under way, the lease, the turns that
//! they take on it, and the bodies that run under them.
//!
//! No I/O: it decides, and what is to be sent or reported is left to the floors above, which reach it through the callbacks that
//! they bring. It uses the store's words, not a store.

pub(crate) mod body;
pub(crate) mod lease;
pub(crate) mod pending;
pub(crate) mod queue;
pub(crate) mod reentry;
pub(crate) mod turn;
pub(crate) mod verdict;
