//! Locks inside this process, for development, unit tests and single-process programs.
//!
//! The semantics are those of the Redis store: leases that expire, owner tokens, fences, a queue with hand-over,
//! idempotent operations. All embedded runtimes of a process share one table, so that several runtimes can stand for
//! several replicas.

mod table;

use std::{
    future::{pending, ready},
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use self::table::Table;
use super::{Answer, Claim, Ears, Leaving, News, Renewal, Renewed, Reply, Store, StoreError};
use crate::{
    protocol::token::{Identity, Ticket},
    types::{clock::Moment, holder::Holder},
};

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// The store in this process.
pub(crate) struct Embedded;

impl Store for Embedded {
    fn place(&self) -> &str {
        "this process"
    }

    fn check(&self, _: Ticket, _: Duration) -> Reply<()> {
        Box::pin(ready(Ok(())))
    }

    fn acquire(&self, claim: &Arc<Claim>, _: Duration) -> Reply<Answer> {
        answer(|table| table.acquire(claim, Moment::now()))
    }

    fn renew(&self, renewals: Vec<Renewal>, _: Duration) -> Reply<Vec<Result<Renewed, StoreError>>> {
        answer(|table| {
            let now = Moment::now();
            renewals.iter().map(|renewal| Ok(table.renew(renewal, now))).collect()
        })
    }

    fn release(&self, leaving: Leaving, _: Duration) -> Reply<bool> {
        answer(|table| table.release(&leaving, Moment::now()))
    }

    fn inspect(&self, name: &Arc<str>, _: Duration) -> Reply<Option<Holder>> {
        answer(|table| table.inspect(name, Moment::now()))
    }

    fn listen(
        &self,
        identity: Identity,
        ears: Arc<dyn Ears>,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        Box::pin(async move {
            let _listener = Listener::enter(identity, ears);
            pending().await
        })
    }
}

/// Works on the table, and tells the news when it is not locked any more: who hears them may look into the table.
fn answer<T: Send + 'static>(work: impl FnOnce(&mut Table) -> T) -> Reply<T> {
    let (answer, news) = with_table(|table| (work(table), table.take_news()));
    for (ears, news) in news {
        ears.hear(news);
    }
    Box::pin(ready(Ok(answer)))
}

fn with_table<T>(work: impl FnOnce(&mut Table) -> T) -> T {
    // Nothing panics while it holds this lock.
    work(&mut TABLE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Is told the news as long as it lives.
struct Listener(Identity);

impl Listener {
    fn enter(identity: Identity, ears: Arc<dyn Ears>) -> Self {
        with_table(|table| table.listen(identity, Arc::clone(&ears)));
        ears.listening();
        Self(identity)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ears = with_table(|table| table.leave(self.0));
        // Outside of the lock, as dropping it may drop anything.
        drop(ears);
    }
}

/// What a table has to say, and to whom.
type Told = Vec<(Arc<dyn Ears>, News)>;
