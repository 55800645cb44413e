//! The thread that renews what is held and releases what was dropped.
//!
//! It has a tokio runtime and thereby a connection of its own. A body that blocks its executor does not stop it,
//! and a guard can be dropped anywhere: on a plain thread, in a runtime that shuts down, during a panic.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{desk::Desk, lease::Lease, renewal, store::Store};

/// The way to the keeper's thread.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    thread: Handle,
}

impl Keeper {
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub(crate) async fn start(store: Arc<dyn Store>, command_timeout: Duration) -> io::Result<Self> {
        let desk = Arc::new(Desk::new(store, command_timeout));
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The keeper's life: until its runtime is gone and there is nothing left to keep.
async fn keep(desk: Arc<Desk>) {
    loop {
        if desk.is_done() {
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
