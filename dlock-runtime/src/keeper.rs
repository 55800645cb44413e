//! The thread that renews what is held and releases what was dropped.
//!
//! It has a tokio runtime and thereby a connection of its own. A body that blocks its executor does not stop it,
//! and a guard can be dropped anywhere: on a plain thread, in a runtime that shuts down, during a panic.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use crate::{lease::Lease, ledger::Ledger, renewal, store::Store};

/// The way to the keeper's thread.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    thread: Handle,
}

/// What the keeper and its jobs share.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Ledger,
    /// How long one exchange with the store may take.
    pub(crate) command_timeout: Duration,
    /// Jobs under way; the thread does not end before them.
    jobs: AtomicUsize,
    /// Locks that the store must be told to release yet: held, dropped, or asked for and given up.
    owed: AtomicUsize,
    settled: Notify,
}

impl Keeper {
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub(crate) async fn start(store: Arc<dyn Store>, command_timeout: Duration) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            store,
            ledger: Ledger::default(),
            command_timeout,
            jobs: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
            settled: Notify::new(),
        });
        let (started, start) = oneshot::channel();
        let work = Arc::clone(&desk);
        thread::Builder::new().name("dlock-keeper".to_owned()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_io().enable_time().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    _ = started.send(Err(error));
                    return;
                }
            };
            _ = started.send(Ok(runtime.handle().clone()));
            runtime.block_on(keep(work));
        })?;
        let thread = start.await.map_err(|_| io::Error::other("the keeper's thread ended early"))??;
        Ok(Self { desk, thread })
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Watches over a lease from now on.
    pub(crate) fn hold(&self, lease: &Arc<Lease>) {
        self.desk.ledger.enter(lease, lease.due_after(lease.acquired));
    }

    /// Runs `job` on the keeper's thread. It is cancelled if the handle is dropped.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> Errand<T> {
        let at_work = self.desk.at_work();
        Errand(self.thread.spawn(async move {
            let _at_work = at_work;
            job.await
        }))
    }

    /// Runs `job` on the keeper's thread to its end.
    pub(crate) fn detach(&self, job: impl Future<Output = ()> + Send + 'static) {
        let at_work = self.desk.at_work();
        self.thread.spawn(async move {
            let _at_work = at_work;
            job.await;
        });
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.desk.ledger.close();
    }
}

/// A job on the keeper's thread that somebody waits for.
pub(crate) struct Errand<T>(JoinHandle<T>);

impl<T> Future for Errand<T> {
    /// `None` if the job panicked or the thread is gone.
    type Output = Option<T>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Desk {
    fn at_work(self: &Arc<Self>) -> AtWork {
        self.jobs.fetch_add(1, Ordering::AcqRel);
        AtWork(Arc::clone(self))
    }

    /// Notes that the store is owed a release, until the token is dropped.
    pub(crate) fn owe(self: &Arc<Self>) -> Owed {
        self.owed.fetch_add(1, Ordering::AcqRel);
        Owed(Arc::clone(self))
    }

    /// Returns once the store is owed nothing.
    pub(crate) async fn settled(&self) {
        loop {
            let change = self.settled.notified();
            if self.owed.load(Ordering::Acquire) == 0 {
                return;
            }
            change.await;
        }
    }
}

struct AtWork(Arc<Desk>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.0.jobs.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.ledger.is_closing() {
            self.0.ledger.nudge();
        }
    }
}

/// A lock that is to be released yet.
pub(crate) struct Owed(Arc<Desk>);

impl Drop for Owed {
    fn drop(&mut self) {
        if self.0.owed.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.notify_waiters();
        }
    }
}

/// The keeper's life: until its runtime is gone and there is nothing left to keep.
async fn keep(desk: Arc<Desk>) {
    loop {
        if desk.ledger.is_closing() && desk.ledger.is_empty() && desk.jobs.load(Ordering::Acquire) == 0 {
            return;
        }
        desk.ledger.next_due().await;
        for batch in renewal::due(&desk) {
            let (desk, at_work) = (Arc::clone(&desk), desk.at_work());
            tokio::spawn(async move {
                renewal::renew(&desk, batch).await;
                drop(at_work);
            });
        }
    }
}
