//! What the queue of tasks (`local/queue`) builds on, in one place: a test runs the same text on a scheduler that tries every order.

pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

pub(crate) use crate::system::RandomState;
