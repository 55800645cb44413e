//! The thread that renews what is held, releases what was dropped, and listens.
//!
//! It has a tokio runtime and thereby connections of its own. A body that blocks its executor does not stop it,
//! and a guard can be dropped anywhere: on a plain thread, in a runtime that shuts down, during a panic.
//!
//! Code of users does not stop it either. What it is to see goes through another thread (`observe/reporter.rs`), and a panic of a
//! waker ends where it is woken (`caught.rs`). A panic of its own ends the part that panicked, which begins anew.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    keeper::{inbox, renewal, state::KeeperState},
    local::queue::Rules,
    observe::{self, Observer, Reporter, caught::words},
    protocol::token::Identity,
    store::Store,
    system::{HAS_THREADS, JoinHandle, Thread, spawn},
    types::boot_time::BootTime,
};

/// Lest something that panics each time takes the whole thread.
const AFTER_A_PANIC: Duration = Duration::from_millis(10);

/// The way to the keeper's thread.
pub(crate) struct Keeper {
    state: Arc<KeeperState>,
}

impl Keeper {
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        identity: Identity,
        command_timeout: Duration,
        confirms: bool,
        rules: Rules,
        observer: Observer,
    ) -> io::Result<Self> {
        let thread = Thread::new()?;
        let state = KeeperState::new(store, command_timeout, confirms, rules, observer, thread.handle());
        // Where there is one thread for all, events are reported by whoever has them.
        let reporter = HAS_THREADS.then(Reporter::start).transpose()?;
        let work = Arc::clone(&state);
        thread.start("dlock-keeper", move || {
            if let Some(reporter) = reporter {
                reporter.install_here();
            }
            async move {
                let listening = Arc::clone(&work);
                spawn(supervise("listening", move || inbox::follow(Arc::clone(&listening), identity)));
                supervise("renewal", move || keep(Arc::clone(&work))).await;
            }
        })?;
        Ok(Self { state })
    }

    pub(crate) fn state(&self) -> &Arc<KeeperState> {
        &self.state
    }

    /// Runs `job` on the keeper's thread. It is cancelled if the handle is dropped.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> Job<T> {
        let guard = self.state.begin_job();
        Job(self.state.thread().spawn(async move {
            let _guard = guard;
            job.await
        }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.state.give_back_parked();
        self.state.schedule.close();
    }
}

/// A job on the keeper's thread that somebody waits for.
pub(crate) struct Job<T>(JoinHandle<T>);

impl<T> Future for Job<T> {
    /// `None` if the job panicked or the thread is gone.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does a part of the keeper's work to its end, anew if it panics: that must not end the rest.
async fn supervise<F>(part: &'static str, work: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = spawn(work()).await {
        let Ok(panic) = error.try_into_panic() else { return };
        observe::keeper_panicked(part, words(&*panic).to_owned());
        tokio::time::sleep(AFTER_A_PANIC).await;
    }
}

/// The keeper's life: until its runtime is gone and there is nothing left to keep.
async fn keep(state: Arc<KeeperState>) {
    loop {
        if state.is_done() {
            return;
        }
        state.schedule.next_due(|| state.queues.next_timeout().min(state.unconfirmed_releases.look_at())).await;
        let now = BootTime::now();
        if state.queues.next_timeout() <= now {
            state.queues.expire_waiters(now);
        }
        if state.unconfirmed_releases.look_at() <= now {
            state.confirm(now);
        }
        for work in renewal::due(&state) {
            let (state, guard) = (Arc::clone(&state), state.begin_job());
            spawn(async move {
                renewal::renew(&state, work).await;
                drop(guard);
            });
        }
    }
}

#[cfg(test)]
mod tests;
