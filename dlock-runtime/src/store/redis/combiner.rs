//! The commands of one connection. A command that finds few others under way goes out at once, by its own task. While more are
//! under way, commands gather, and travel together: one write and one wake-up for many of them, on both sides.
//!
//! This is group commit, as databases write their logs. There is no timer in it: a batch leaves when one before it came back, with
//! whatever has gathered by then.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
};

use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::{sync::oneshot, task::yield_now};

use super::{
    groups::{Answer, Groups, Member},
    link::Link,
    route::Place,
};
use crate::{system::Handle, types::boot_time::BootTime};

/// So many commands may be under way by themselves. To gather two or three would cost more than it saves. The simulation has few tasks,
/// and is to see what gathers.
const ALONE: usize = if cfg!(dlock_simulation) { 1 } else { 4 };

/// So many batches may be under way: while the server works on one, the replies of the other are handed out.
const BATCHES: usize = 2;

/// The most commands of a batch. A longer one would make its first command wait for its last.
const LONGEST: usize = 256;

/// A connection, and the commands that wait for their batch.
#[derive(Clone)]
pub(super) struct Combiner(Arc<Shared>);

/// One that was taken out of service.
pub(super) struct Retired(Weak<Shared>);

impl Retired {
    /// The connection, if somebody uses it yet.
    pub(super) fn upgrade(&self) -> Option<Combiner> {
        self.0.upgrade().map(Combiner)
    }
}

struct Shared {
    connection: Link,
    /// Where it leads.
    place: Arc<Place>,
    /// Whether what comes over it counts for nothing any more.
    is_cut: AtomicBool,
    /// Where the connection lives, and so the tasks that carry batches.
    runtime: Handle,
    groups: Arc<Groups>,
    waiting: Mutex<Waiting>,
    /// Held while a batch is put on its way.
    order: Mutex<()>,
    last_reply: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    gathered: VecDeque<Gathered>,
    /// How many commands are under way by themselves.
    alone: usize,
    /// How many tasks carry batches, at most [`BATCHES`].
    carriers: usize,
    /// How many of them are about to take what has gathered.
    coming: usize,
}

/// What waits for its batch.
pub(super) struct Gathered {
    pub(super) item: Item,
    pub(super) reply: oneshot::Sender<Answer>,
}

pub(super) enum Item {
    Command(Cmd),
    /// It becomes a part of a command for many locks.
    Member(Member),
}

impl Combiner {
    pub(super) fn new(connection: Link, runtime: Handle, place: Arc<Place>, groups: Arc<Groups>) -> Self {
        Self(Arc::new(Shared {
            connection,
            place,
            is_cut: AtomicBool::new(false),
            runtime,
            groups,
            waiting: Mutex::default(),
            order: Mutex::default(),
            last_reply: AtomicU64::new(BootTime::now().to_bits()),
        }))
    }

    pub(super) fn place(&self) -> &Place {
        &self.0.place
    }

    pub(super) fn downgrade(&self) -> Retired {
        Retired(Arc::downgrade(&self.0))
    }

    /// Closes the connection. What still comes over it is no reply.
    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Relaxed);
        self.0.connection.cut();
    }

    /// The connection itself, for what is seldom asked.
    pub(super) fn connection(&self) -> Link {
        self.0.connection.clone()
    }

    /// Sends many commands together. Each has a reply of its own.
    ///
    /// # Errors
    /// What became of the connection.
    pub(super) async fn batch(&self, commands: &mut Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        let replies = commands.ignore_errors().query_async(&mut self.connection()).await?;
        self.0.note_reply()?;
        Ok(replies)
    }

    /// When the server last replied on this connection.
    pub(super) fn last_reply(&self) -> BootTime {
        BootTime::from_bits(self.0.last_reply.load(Ordering::Relaxed))
    }

    /// Sends a command. Commands of one task leave in the order in which they are sent.
    ///
    /// # Errors
    /// What the server says to it, or what became of the connection.
    pub(super) async fn call(&self, command: Cmd) -> RedisResult<Value> {
        let reply = match self.gather(Item::Command(command)) {
            Ok(reply) => answer(reply).await?,
            Err(Item::Command(command)) => {
                let _alone = Alone(&self.0);
                // Boxed, as it would make each request large that gathers, which are many.
                let reply = Box::pin(self.connection().send_packed_command(&command)).await?;
                self.0.note_reply()?;
                return reply.extract_error();
            }
            Err(Item::Member(_)) => None,
        };
        Ok(reply.unwrap_or(Value::Nil))
    }

    /// Sends a request in a script for many locks. `None` if it is to go by itself: nothing was done for it.
    ///
    /// # Errors
    /// As those of [`call`](Self::call).
    pub(super) async fn together(&self, member: Member) -> Answer {
        if !self.0.groups.are_formed() {
            return Ok(None);
        }
        match self.gather(Item::Member(member)) {
            Ok(reply) => answer(reply).await,
            Err(_) => Ok(None),
        }
    }

    /// Has something gathered with others, unless it may go by itself.
    fn gather(&self, item: Item) -> Result<oneshot::Receiver<Answer>, Item> {
        let mut waiting = self.0.waiting();
        // Not while something is gathered that may be of the same task, and older.
        if waiting.carriers == 0 && waiting.alone < ALONE {
            waiting.alone += usize::from(matches!(item, Item::Command(_)));
            return Err(item);
        }
        let (sender, reply) = oneshot::channel();
        waiting.gathered.push_back(Gathered { item, reply: sender });
        if waiting.coming == 0 && waiting.carriers < BATCHES {
            waiting.carriers += 1;
            waiting.coming += 1;
            drop(waiting);
            self.0.runtime.spawn(self.clone().carry());
        }
        Ok(reply)
    }

    /// Carries batches until nothing is gathered.
    async fn carry(self) {
        loop {
            // Who is ready now comes along.
            yield_now().await;
            let begun = poll_fn(|cx| {
                // Batches leave in the order in which they gathered: the first poll puts one on its way.
                let _order = self.0.order.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(batch) = self.0.take() else { return Poll::Ready(None) };
                let mut carried = Box::pin(self.deliver(batch));
                let is_over = carried.as_mut().poll(cx).is_ready();
                Poll::Ready(Some((carried, is_over)))
            });
            match begun.await {
                Some((_, true)) => {}
                Some((carried, false)) => carried.await,
                None => return,
            }
        }
    }

    /// Sends a batch, and hands its replies out.
    async fn deliver(&self, batch: Vec<Gathered>) {
        // Also what nobody waits for any more: a release may be sent again by the keeper, but comes first here.
        let (mut pipeline, riders) = self.0.groups.load(batch);
        let replies = self.batch(&mut pipeline).await;
        self.0.waiting().coming += 1;
        self.0.groups.hand_out(riders, replies);
    }
}

async fn answer(reply: oneshot::Receiver<Answer>) -> Answer {
    // It is lost with the runtime that the connection lives in.
    reply.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))
}

/// A command that is under way by itself.
struct Alone<'a>(&'a Shared);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.waiting().alone -= 1;
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds this lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// If the connection was cut.
    fn note_reply(&self) -> RedisResult<()> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        self.last_reply.store(BootTime::now().to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// What has gathered. `None` ends the carrier that asks.
    fn take(&self) -> Option<Vec<Gathered>> {
        let mut waiting = self.waiting();
        waiting.coming -= 1;
        let count = waiting.gathered.len().min(LONGEST);
        if count == 0 {
            waiting.carriers -= 1;
            return None;
        }
        Some(waiting.gathered.drain(..count).collect())
    }
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, aio::MultiplexedConnection};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_reply_over_a_connection_that_was_cut_counts_for_nothing() {
        let info = "redis://unused".into_connection_info().expect("a URL");
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let (here, mut there) = duplex(1024);
        let connected = MultiplexedConnection::new_with_config(&settings, here, AsyncConnectionConfig::new()).await;
        let (connection, driver) = connected.expect("nothing is said");
        // As over TLS it goes on, since somebody else drives it.
        tokio::spawn(driver);
        let place = Place { at: ConnectionAddr::Tcp("redis".to_owned(), 6379), name: "redis:6379".into() };
        let runtime = Handle::try_current().expect("a runtime");
        let combiner = Combiner::new(Link::driven_elsewhere(connection), runtime, Arc::new(place), Arc::default());
        for is_cut in [false, true] {
            let called = combiner.clone();
            let call = tokio::spawn(async move { called.call(redis::cmd("PING")).await });
            assert!(there.read(&mut [0; 64]).await.expect("a request") > 0);
            if is_cut {
                combiner.cut();
            }
            there.write_all(b"+PONG\r\n").await.expect("it is read");
            let reply = call.await.expect("no panic");
            assert_eq!(reply.as_ref().is_err_and(|error| error.is_connection_dropped()), is_cut, "{reply:?}");
        }
    }
}
