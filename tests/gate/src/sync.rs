//! What the queues build on, here on a scheduler that tries many orders.

pub(crate) use std::sync::PoisonError;
use std::{collections::hash_map::DefaultHasher, hash::BuildHasherDefault};

pub(crate) use shuttle::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Not random, so that a schedule can be run again.
pub(crate) type RandomState = BuildHasherDefault<DefaultHasher>;
