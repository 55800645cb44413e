//! What the runtime takes from the machine: clocks, randomness, threads, tasks, and locks between them.
//!
//! It lies below all floors and uses none of them; everybody may use it. `host.rs` is the machine itself, in plain re-exports
//! and calls. The simulation (`tests/simulation`) compiles this crate a second time with `--cfg dlock_simulation`, and there
//! `simulated.rs` stands in its place: what each seed decides. No feature leads there, so no user's build can.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(not(dlock_simulation))]
mod host;
#[cfg(dlock_simulation)]
pub mod simulated;

#[cfg(not(dlock_simulation))]
pub(crate) use self::host::{
    HAS_THREADS, Handle, Id, JoinHandle, RandomState, Thread, boot_nanos, fit, process_name, random, set_fit, spawn,
    try_drivers, wall_time,
};
#[cfg(dlock_simulation)]
pub(crate) use self::simulated::{
    HAS_THREADS, Handle, Id, JoinHandle, RandomState, Thread, boot_nanos, connect, fit, process_name, random, set_fit,
    spawn, try_drivers, wall_time,
};

/// Waits for a lock within this process. Nothing panics while it holds one, so what it guards is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
