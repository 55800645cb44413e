//! The thread that renews what is held, releases what was dropped, and listens.
//!
//! It has a tokio runtime and thereby connections of its own. A body that blocks its executor does not stop it,
//! and a guard can be dropped anywhere: on a plain thread, in a runtime that shuts down, during a panic.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, task::JoinHandle};

use crate::{clock::Moment, desk::Desk, gate::Rules, news, observe::Observer, renewal, store::Store, ticket::Identity};

/// The way to the keeper's thread.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
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
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let desk = Desk::new(store, command_timeout, confirms, rules, observer, runtime.handle().clone());
        let work = Arc::clone(&desk);
        thread::Builder::new().name("dlock-keeper".to_owned()).spawn(move || {
            runtime.spawn(news::follow(Arc::clone(&work), identity));
            runtime.block_on(keep(work));
        })?;
        Ok(Self { desk })
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Runs `job` on the keeper's thread. It is cancelled if the handle is dropped.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> Errand<T> {
        let at_work = self.desk.at_work();
        Errand(self.desk.thread().spawn(async move {
            let _at_work = at_work;
            job.await
        }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.desk.give_back_parked();
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
        desk.ledger.next_due(|| desk.gates.patrol_at().min(desk.unconfirmed.look_at())).await;
        let now = Moment::now();
        if desk.gates.patrol_at() <= now {
            desk.gates.patrol(now);
        }
        if desk.unconfirmed.look_at() <= now {
            desk.confirm(now);
        }
        for work in renewal::due(&desk) {
            let (desk, at_work) = (Arc::clone(&desk), desk.at_work());
            tokio::spawn(async move {
                renewal::renew(&desk, work).await;
                drop(at_work);
            });
        }
    }
}
