//! What `dlock-runtime/src/sync.rs` gives the runtime on the scheduler (shuttle): its locks and atomics, and tokio's oneshot
//! channel and `Notify`, each of whose operations is one step.
//!
//! Some of them do wrong what is named by [`weaken`]: the controls, by which it is seen that a scenario notices.

use std::{
    collections::hash_map::DefaultHasher,
    hash::BuildHasherDefault,
    mem::forget,
    ops::Deref,
    sync::{OnceLock, PoisonError},
};

use shuttle::sync::atomic;
pub(crate) use shuttle::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering},
    },
    thread_local,
};

/// Not random, so that an order can be tried again.
pub(crate) type RandomState = BuildHasherDefault<DefaultHasher>;

static WEAKNESS: OnceLock<String> = OnceLock::new();

/// From now on this process does wrong what `name` says.
pub fn weaken(name: &str) {
    WEAKNESS.get_or_init(|| name.to_owned());
}

pub(crate) fn is_weakened(name: &str) -> bool {
    WEAKNESS.get().is_some_and(|weakness| weakness == name)
}

/// Others may run before what comes next.
fn step() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

#[derive(Debug)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) const fn new(value: u64) -> Self {
        Self(atomic::AtomicU64::new(value))
    }

    pub(crate) fn fetch_min(&self, value: u64, order: Ordering) -> u64 {
        if is_weakened("a_timeout_check_forgets_who_joined_meanwhile") {
            return self.swap(value, order);
        }
        if is_weakened("a_timeout_check_looks_before_it_listens") {
            self.store(u64::MAX, order);
        }
        self.0.fetch_min(value, order)
    }
}

impl Deref for AtomicU64 {
    type Target = atomic::AtomicU64;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// In a process that weakens something, others may have panicked within it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes one who waits, or the next who is going to.
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }

    pub(crate) fn notify_one(&self) {
        step();
        if is_weakened("who_is_about_to_wait_is_not_notified") { self.0.notify_waiters() } else { self.0.notify_one() }
    }

    pub(crate) async fn notified(&self) {
        step();
        self.0.notified().await;
    }
}

/// A channel for one value.
pub(crate) mod oneshot {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use tokio::sync::oneshot::{self, error::RecvError};

    use super::*;

    pub(crate) struct Sender<T>(oneshot::Sender<T>);
    pub(crate) struct Receiver<T>(oneshot::Receiver<T>);

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (send, receive) = oneshot::channel();
        (Sender(send), Receiver(receive))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(self, value: T) -> Result<(), T> {
            step();
            match self.0.send(value) {
                Err(value) if is_weakened("a_baton_goes_with_who_left") => {
                    forget(value);
                    Ok(())
                }
                sent => sent,
            }
        }

        pub(crate) fn is_closed(&self) -> bool {
            step();
            self.0.is_closed()
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            step();
            if is_weakened("a_baton_that_was_sent_is_gone_with_its_channel") {
                forget(self.0.try_recv());
            }
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, RecvError>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            step();
            let mut deaf = Context::from_waker(Waker::noop());
            let is_deaf = is_weakened("who_gets_the_baton_is_not_woken");
            Pin::new(&mut self.0).poll(if is_deaf { &mut deaf } else { cx })
        }
    }
}
