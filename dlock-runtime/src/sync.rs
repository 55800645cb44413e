//! The locks, atomics and channels that the floor `local` is built on, in one place. A check of it (`tests/gate`) compiles this
//! crate a second time with `--cfg dlock_shuttle`, and there they belong to a scheduler that tries many orders of their steps.

#[cfg(dlock_shuttle)]
#[path = "../../tests/gate/src/scheduled.rs"]
pub(crate) mod scheduled;

#[cfg(not(dlock_shuttle))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(dlock_shuttle))]
pub(crate) use std::thread_local;
#[cfg(not(dlock_shuttle))]
pub(crate) use tokio::sync::{Notify, oneshot};

#[cfg(dlock_shuttle)]
pub(crate) use self::scheduled::{
    Arc, AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, Ordering, RandomState,
    lock, oneshot, thread_local,
};
#[cfg(not(dlock_shuttle))]
pub(crate) use crate::system::{RandomState, lock};
