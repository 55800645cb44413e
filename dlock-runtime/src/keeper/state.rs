//! What the keeper and its jobs share: the store, the schedule, the local queues, and the counts of jobs and obligations.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, Semaphore};

use crate::{
    keeper::{schedule::Schedule, unconfirmed_releases::UnconfirmedReleases},
    local::{
        lease::Lease,
        queue::{Baton, LocalQueues, Rules, ToRelease},
        turn::Obligor,
    },
    observe::{Observer, caught::caught},
    protocol::token::LockId,
    store::{self, Reply, Store, StoreError},
    system::Handle,
    types::boot_time::BootTime,
};

/// How many batches of renewals are under way at a time: commands that are ready to be sent take more memory than leases.
const LANES: usize = 8;

/// What the keeper and its jobs share.
pub(crate) struct KeeperState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) schedule: Schedule,
    pub(crate) queues: Arc<LocalQueues>,
    pub(crate) observer: Observer,
    /// How long one exchange with the store may take.
    pub(crate) command_timeout: Duration,
    /// Whether a release waits for the store.
    pub(crate) confirms: bool,
    /// The keeper's thread.
    thread: Handle,
    /// Whether notifications of the store arrive.
    is_subscribed: AtomicBool,
    /// Notified after each attempt to subscribe, however it ended.
    tried: Notify,
    /// Jobs under way; the thread does not end before them.
    jobs: AtomicUsize,
    /// Limits how many batches of renewals are under way.
    pub(crate) lanes: Semaphore,
    /// Releases that were sent and not confirmed yet.
    pub(crate) unconfirmed_releases: UnconfirmedReleases,
    /// Releases that are owed to the store: of locks that are held, dropped, or asked for and given up.
    obligations: AtomicUsize,
    /// Notified when there is no obligation left.
    settled: Notify,
}

impl KeeperState {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        command_timeout: Duration,
        confirms: bool,
        rules: Rules,
        observer: Observer,
        thread: Handle,
    ) -> Arc<Self> {
        Arc::new_cyclic(|state: &std::sync::Weak<Self>| {
            let (keeper, woken) = (state.clone(), state.clone());
            let give_back = move |left| {
                if let Some(state) = keeper.upgrade() {
                    state.give_back(left);
                }
            };
            let wake_keeper = move || {
                if let Some(state) = woken.upgrade() {
                    state.schedule.wake();
                }
            };
            Self {
                store,
                schedule: Schedule::default(),
                queues: Arc::new(LocalQueues::new(rules, give_back, wake_keeper)),
                observer,
                command_timeout,
                confirms,
                thread,
                is_subscribed: AtomicBool::new(false),
                tried: Notify::new(),
                lanes: Semaphore::new(LANES),
                unconfirmed_releases: UnconfirmedReleases::default(),
                jobs: AtomicUsize::new(0),
                obligations: AtomicUsize::new(0),
                settled: Notify::new(),
            }
        })
    }

    /// Awaits a reply about `lock` for as long as a command may take.
    pub(crate) fn within_timeout<T>(&self, lock: &str, reply: Reply<T>) -> impl Future<Output = Result<T, StoreError>> {
        self.within(lock, self.command_timeout, reply)
    }

    /// The same, and once more if no reply came: the network may have forgotten an idle connection, and the next one is fresh.
    pub(crate) async fn with_retry<T>(&self, lock: &str, ask: impl Fn() -> Reply<T>) -> Result<T, StoreError> {
        match self.observed(|| self.store.address_of(lock), self.command_timeout, false, ask()).await {
            Err(error) if error.is_timeout() => self.within_timeout(lock, ask()).await,
            reply => reply,
        }
    }

    /// Awaits a reply about `lock` for at most `limit`.
    pub(crate) fn within<T>(
        &self,
        lock: &str,
        limit: Duration,
        reply: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> impl Future<Output = Result<T, StoreError>> {
        self.observed(|| self.store.address_of(lock), limit, limit >= self.command_timeout, reply)
    }

    /// Awaits a reply and notes for the observer whether the store replies at all. `had_full_time` is as in [`Observer::note_reply`].
    /// An error says that it was asked for at `address`.
    pub(crate) async fn observed<T>(
        &self,
        address: impl FnOnce() -> Arc<str>,
        limit: Duration,
        had_full_time: bool,
        reply: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> Result<T, StoreError> {
        let epoch = self.observer.epoch();
        let reply = store::within(address, limit, reply).await;
        self.observer.note_reply(epoch, reply.as_ref().err(), had_full_time);
        reply
    }

    /// Passes the baton of a turn that has ended on. Returns what is left to the store, if nobody here goes on with `lease`. Else
    /// it may be parked from now on, and the keeper looks when that is over.
    pub(crate) fn pass_on(&self, baton: Baton, lease: &Arc<Lease>, now: BootTime) -> Option<ToRelease> {
        let left = baton.pass_on(now);
        let linger = self.queues.linger();
        if left.is_none() && !linger.is_zero() {
            self.schedule.add(lease, now.after(linger));
        }
        left
    }

    /// Runs `job` on the keeper's thread to its end.
    pub(crate) fn detach(self: &Arc<Self>, job: impl Future<Output = ()> + Send + 'static) {
        let guard = self.begin_job();
        self.thread.spawn(async move {
            let _guard = guard;
            job.await;
        });
    }

    pub(crate) fn thread(&self) -> &Handle {
        &self.thread
    }

    /// Whether messages of the store arrive.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.is_subscribed.load(Ordering::Relaxed)
    }

    /// Whether messages for that request arrive.
    pub(crate) fn hears(&self, lock_id: &LockId) -> bool {
        self.is_subscribed() && self.store.hears(lock_id)
    }

    pub(crate) fn set_subscribed(&self, is_subscribed: bool) {
        self.is_subscribed.store(is_subscribed, Ordering::Relaxed);
        caught(|| self.tried.notify_one());
    }

    /// Returns once messages arrive, or it turned out that they will not for the time being; after `limit` in any case.
    pub(crate) async fn subscription_tried(&self, limit: Duration) {
        _ = tokio::time::timeout(self.command_timeout.min(limit), self.tried.notified()).await;
    }

    /// Whether the runtime is gone and there is nothing left to keep.
    pub(crate) fn is_done(&self) -> bool {
        self.schedule.is_closing() && self.schedule.is_empty() && self.jobs.load(Ordering::Acquire) == 0
    }

    pub(crate) fn begin_job(self: &Arc<Self>) -> JobGuard {
        self.jobs.fetch_add(1, Ordering::AcqRel);
        JobGuard(Arc::clone(self))
    }

    /// Returns once the store is owed nothing.
    pub(crate) async fn settled(&self) {
        loop {
            let change = self.settled.notified();
            if self.obligations.load(Ordering::SeqCst) == 0 {
                return;
            }
            change.await;
        }
    }
}

/// A job under way.
pub(crate) struct JobGuard(Arc<KeeperState>);

impl Drop for JobGuard {
    fn drop(&mut self) {
        if self.0.jobs.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.schedule.is_closing() {
            self.0.schedule.wake();
        }
    }
}

impl Obligor for KeeperState {
    fn count_obligation(&self) {
        self.obligations.fetch_add(1, Ordering::SeqCst);
    }

    fn count_fulfilment(&self) {
        if self.obligations.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_waiters();
        }
    }
}
