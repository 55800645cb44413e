//! Locks inside this process, for development, unit tests and single-process programs.
//!
//! The semantics are those of the Redis store: leases that expire, owner tokens, fences, a queue with hand-over,
//! idempotent operations. All embedded runtimes of a process share one table, so that several runtimes can stand for
//! several replicas.

mod table;

use std::{
    future::{pending, ready},
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use self::table::Table;
use super::{
    AcquireCommand, AcquireReply, Notification, Permit, ReleaseCommand, RenewCommand, RenewReply, Reply, Store,
    StoreError, Subscriber,
};
use crate::{
    protocol::token::{Identity, LockId},
    system::lock,
    types::{boot_time::BootTime, holder::Holder},
};

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// The store in this process.
pub(crate) struct Embedded;

impl Store for Embedded {
    fn address(&self) -> Arc<str> {
        "this process".into()
    }

    fn check(&self, _: LockId, _: Duration) -> Reply<Duration> {
        Box::pin(ready(Ok(Duration::ZERO)))
    }

    fn acquire(&self, command: &Arc<AcquireCommand>, _: Permit, _: Duration) -> Reply<AcquireReply> {
        reply(|table| table.acquire(command, BootTime::now()))
    }

    fn renew(&self, renewals: Vec<RenewCommand>, _: Duration) -> Reply<Vec<Result<RenewReply, StoreError>>> {
        reply(|table| {
            let now = BootTime::now();
            renewals.iter().map(|renewal| Ok(table.renew(renewal, now))).collect()
        })
    }

    fn release(&self, command: ReleaseCommand, _: Permit, _: Duration) -> Reply<bool> {
        reply(|table| table.release(&command, BootTime::now()))
    }

    fn inspect(&self, name: &Arc<str>, _: Duration) -> Reply<Option<Holder>> {
        reply(|table| table.inspect(name, BootTime::now()))
    }

    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        Box::pin(async move {
            let _subscription = Subscription::begin(identity, subscriber);
            pending().await
        })
    }
}

/// Works on the table, and sends the notifications once it is not locked any more: a subscriber may use the table.
fn reply<T: Send + 'static>(work: impl FnOnce(&mut Table) -> T) -> Reply<T> {
    let (reply, notifications) = with_table(|table| (work(table), table.take_notifications()));
    for (subscriber, notification) in notifications {
        subscriber.notify(notification);
    }
    Box::pin(ready(Ok(reply)))
}

fn with_table<T>(work: impl FnOnce(&mut Table) -> T) -> T {
    work(&mut lock(&TABLE))
}

/// A subscription, which lasts as long as this.
struct Subscription(Identity);

impl Subscription {
    fn begin(identity: Identity, subscriber: Arc<dyn Subscriber>) -> Self {
        with_table(|table| table.subscribe(identity, Arc::clone(&subscriber)));
        subscriber.subscribed();
        Self(identity)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let subscriber = with_table(|table| table.unsubscribe(self.0));
        // Outside of the lock, as dropping it may drop anything.
        drop(subscriber);
    }
}

/// What is to be sent, and to whom.
type Notifications = Vec<(Arc<dyn Subscriber>, Notification)>;
