//! What `dlock-runtime/src/sync.rs` gives the runtime on the scheduler (shuttle): its locks and atomics, and models of tokio's
//! oneshot channel and of its `Notify` that are built on them, so that each of their operations is a step as well.
//!
//! Some of them do wrong what is named by [`weaken`]: the controls, by which it is seen that a scenario notices.

use std::{
    any::Any,
    cell::RefCell,
    collections::hash_map::DefaultHasher,
    hash::BuildHasherDefault,
    ops::{Deref, DerefMut},
    panic::Location,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll, Waker},
};

pub(crate) use shuttle::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};
pub(crate) use shuttle::thread_local;
pub(crate) use std::sync::PoisonError;

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

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(shuttle::sync::atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $number) -> Self {
                Self(shuttle::sync::atomic::$name::new(value))
            }
        }

        impl Deref for $name {
            type Target = shuttle::sync::atomic::$name;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    };
}

atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);

impl AtomicUsize {
    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        if !is_weakened("many_take_the_last_place") {
            return self.0.fetch_add(value, order);
        }
        let before = self.load(order);
        self.store(before + value, order);
        before
    }

    #[track_caller]
    pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        let by = Location::caller().file();
        let is_lost = is_weakened("who_leaves_still_counts") && by.ends_with("queue/wait.rs")
            || is_weakened("who_is_refused_counts") && by.ends_with("queue/mod.rs");
        self.0.fetch_sub(if is_lost { 0 } else { value }, order)
    }
}

impl AtomicU64 {
    pub(crate) fn fetch_min(&self, value: u64, order: Ordering) -> u64 {
        if is_weakened("a_timeout_check_forgets_who_joined_meanwhile") {
            return self.0.swap(value, order);
        }
        if is_weakened("a_timeout_check_looks_before_it_listens") {
            self.store(u64::MAX, order);
        }
        self.0.fetch_min(value, order)
    }
}

/// A lock.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a shuttle::sync::Mutex<T>,
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
    is_used: bool,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the one of std")]
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
        Ok(MutexGuard { mutex: &self.0, guard: Some(locked(&self.0)), is_used: false })
    }
}

/// In a process that weakens something, others may have panicked within it.
fn locked<T>(mutex: &shuttle::sync::Mutex<T>) -> shuttle::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("it is locked")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        if is_weakened("a_lock_lets_others_in_between_two_uses") && std::mem::replace(&mut self.is_used, true) {
            self.guard = None;
            shuttle::thread::yield_now();
            self.guard = Some(locked(self.mutex));
        }
        self.guard.as_mut().expect("it is locked")
    }
}

/// Wakes one who waits, or the next who is going to.
pub(crate) struct Notify(Mutex<(bool, Option<Waker>)>);

impl Notify {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((false, None)))
    }

    pub(crate) fn notify_one(&self) {
        let mut state = locked(&self.0.0);
        state.0 = state.1.is_some() || !is_weakened("who_is_about_to_wait_is_not_notified");
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) async fn notified(&self) {
        struct Gone<'a>(&'a Notify);
        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                locked(&self.0.0.0).1 = None;
            }
        }
        let _gone = Gone(self);
        std::future::poll_fn(|cx| {
            let mut state = locked(&self.0.0);
            if std::mem::take(&mut state.0) {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A channel for one value.
pub(crate) mod oneshot {
    use super::*;

    pub(crate) struct Sender<T>(Arc<Mutex<Channel<T>>>);
    pub(crate) struct Receiver<T>(Arc<Mutex<Channel<T>>>);

    struct Channel<T> {
        value: Option<T>,
        waker: Option<Waker>,
        sends: bool,
        receives: bool,
    }

    std::thread_local! {
        /// The other two ends of two channels that were crossed.
        static CROSSED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
    }

    pub(crate) fn channel<T: 'static>() -> (Sender<T>, Receiver<T>) {
        if !is_weakened("the_last_one_is_served_first") {
            return new();
        }
        let other = CROSSED.take().and_then(|ends| ends.downcast::<(Sender<T>, Receiver<T>)>().ok());
        if let Some(other) = other {
            return *other;
        }
        let ((send, wait), (other_send, other_wait)) = (new(), new());
        CROSSED.set(Some(Box::new((other_send, wait))));
        (send, other_wait)
    }

    /// What another order left crossed is forgotten.
    pub(crate) fn begin() {
        std::mem::forget(CROSSED.take());
    }

    fn new<T>() -> (Sender<T>, Receiver<T>) {
        let channel = Arc::new(Mutex::new(Channel { value: None, waker: None, sends: true, receives: true }));
        (Sender(Arc::clone(&channel)), Receiver(channel))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(self, value: T) -> Result<(), T> {
            let mut channel = locked(&self.0.0);
            if !channel.receives {
                drop(channel);
                if is_weakened("a_baton_goes_with_who_left") {
                    std::mem::forget(value);
                    return Ok(());
                }
                return Err(value);
            }
            channel.value = Some(value);
            Ok(())
        }

        pub(crate) fn is_closed(&self) -> bool {
            !locked(&self.0.0).receives
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            let mut channel = locked(&self.0.0);
            channel.sends = false;
            let waker = channel.waker.take();
            drop(channel);
            waker.filter(|_| !is_weakened("who_gets_the_baton_is_not_woken")).into_iter().for_each(Waker::wake);
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            let mut channel = locked(&self.0.0);
            channel.receives = false;
            let (value, waker) = (channel.value.take(), channel.waker.take());
            drop(channel);
            if is_weakened("a_baton_that_was_sent_is_gone_with_its_channel") {
                std::mem::forget(value);
            } else {
                drop((value, waker));
            }
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, ()>;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let mut channel = locked(&self.0.0);
            if let Some(value) = channel.value.take() {
                return Poll::Ready(Ok(value));
            }
            if !channel.sends {
                return Poll::Ready(Err(()));
            }
            channel.waker = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}
