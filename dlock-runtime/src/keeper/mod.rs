//! The thread of a runtime that works in the background: it renews what is held, releases what was dropped, and listens.
//!
//! `thread.rs` runs the jobs, `state.rs` is what they share, `schedule.rs` says what is due when. It uses the store and what
//! this process holds; those who acquire and the interface above may use it.

pub(crate) mod core;
pub(crate) mod executor;
pub(crate) mod hold;
pub(crate) mod inbox;
pub(crate) mod pending_release;
pub(crate) mod renewal;
pub(crate) mod schedule;
pub(crate) mod state;
pub(crate) mod thread;
pub(crate) mod unconfirmed_releases;
