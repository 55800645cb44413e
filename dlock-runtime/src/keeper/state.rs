//! What the keeper and its jobs share: the store, the ledger, the local queues, and the count of what is not done yet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};

use crate::{
    keeper::{pending_release::Unconfirmed, schedule::Ledger},
    local::queue::{LocalQueues, Rules},
    observe::{Observer, caught::caught},
    store::{self, Reply, Store, StoreError},
};

/// How many batches of renewals are under way at a time: what is ready to be sent takes more memory than the leases.
const LANES: usize = 8;

/// What the keeper and its jobs share.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Ledger,
    pub(crate) queues: Arc<LocalQueues>,
    pub(crate) observer: Observer,
    /// How long one exchange with the store may take.
    pub(crate) command_timeout: Duration,
    /// Whether a release waits for the store.
    pub(crate) confirms: bool,
    /// The keeper's thread.
    thread: Handle,
    /// Whether messages of the store arrive.
    hears: AtomicBool,
    /// Tells of the first attempt to listen, how ever it ended.
    tried: Notify,
    /// Jobs under way; the thread does not end before them.
    jobs: AtomicUsize,
    /// Where batches of renewals wait until they may be sent.
    pub(crate) lanes: Semaphore,
    /// Releases that were sent and not confirmed yet.
    pub(crate) unconfirmed: Unconfirmed,
    /// Locks that the store must be told to release yet: held, dropped, or asked for and given up.
    owed: AtomicUsize,
    settled: Notify,
}

impl Desk {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        command_timeout: Duration,
        confirms: bool,
        rules: Rules,
        observer: Observer,
        thread: Handle,
    ) -> Arc<Self> {
        Arc::new_cyclic(|desk: &std::sync::Weak<Self>| {
            let (keeper, woken) = (desk.clone(), desk.clone());
            let give_back = move |left| {
                if let Some(desk) = keeper.upgrade() {
                    desk.give_back(left);
                }
            };
            let wake_keeper = move || {
                if let Some(desk) = woken.upgrade() {
                    desk.ledger.nudge();
                }
            };
            Self {
                store,
                ledger: Ledger::default(),
                queues: Arc::new(LocalQueues::new(rules, give_back, wake_keeper)),
                observer,
                command_timeout,
                confirms,
                thread,
                hears: AtomicBool::new(false),
                tried: Notify::new(),
                lanes: Semaphore::new(LANES),
                unconfirmed: Unconfirmed::default(),
                jobs: AtomicUsize::new(0),
                owed: AtomicUsize::new(0),
                settled: Notify::new(),
            }
        })
    }

    /// Awaits a reply for as long as a command may take.
    pub(crate) async fn in_time<T>(&self, reply: Reply<T>) -> Result<T, StoreError> {
        self.within(self.command_timeout, reply).await
    }

    /// The same, and once more if no answer came: a connection that was idle may have been forgotten on the way, and the
    /// next one is fresh.
    pub(crate) async fn surely<T>(&self, ask: impl Fn() -> Reply<T>) -> Result<T, StoreError> {
        match self.listen_to(self.command_timeout, false, ask()).await {
            Err(error) if error.is_timeout() => self.in_time(ask()).await,
            answer => answer,
        }
    }

    /// Awaits a reply for at most `limit`.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        reply: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.listen_to(limit, limit >= self.command_timeout, reply).await
    }

    /// Every answer of the store passes here, and tells whether it can be asked. `patient` is as in
    /// [`Observer::heard`].
    pub(crate) async fn listen_to<T>(
        &self,
        limit: Duration,
        patient: bool,
        reply: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let era = self.observer.era();
        let answer = store::within(&*self.store, limit, reply).await;
        self.observer.heard(era, answer.as_ref().err(), patient);
        answer
    }

    /// Runs `job` on the keeper's thread to its end.
    pub(crate) fn detach(self: &Arc<Self>, job: impl Future<Output = ()> + Send + 'static) {
        let at_work = self.at_work();
        self.thread.spawn(async move {
            let _at_work = at_work;
            job.await;
        });
    }

    pub(crate) fn thread(&self) -> &Handle {
        &self.thread
    }

    /// Whether messages of the store arrive.
    pub(crate) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    pub(crate) fn set_hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::Relaxed);
        caught(|| self.tried.notify_one());
    }

    /// Returns once messages arrive, or it turned out that they will not for the time being.
    pub(crate) async fn tried_to_hear(&self) {
        _ = tokio::time::timeout(self.command_timeout, self.tried.notified()).await;
    }

    /// Whether the runtime is gone and there is nothing left to keep.
    pub(crate) fn is_done(&self) -> bool {
        self.ledger.is_closing() && self.ledger.is_empty() && self.jobs.load(Ordering::Acquire) == 0
    }

    pub(crate) fn at_work(self: &Arc<Self>) -> AtWork {
        self.jobs.fetch_add(1, Ordering::AcqRel);
        AtWork(Arc::clone(self))
    }

    /// Notes that the store is owed a release, until the token is dropped.
    pub(crate) fn owe(self: &Arc<Self>) -> Owed {
        self.count_debt();
        Owed(Arc::clone(self))
    }

    pub(crate) fn count_debt(&self) {
        self.owed.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_payment(&self) {
        if self.owed.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_waiters();
        }
    }

    /// Returns once the store is owed nothing.
    pub(crate) async fn settled(&self) {
        loop {
            let change = self.settled.notified();
            if self.owed.load(Ordering::SeqCst) == 0 {
                return;
            }
            change.await;
        }
    }
}

/// A job under way.
pub(crate) struct AtWork(Arc<Desk>);

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
        self.0.count_payment();
    }
}
