//! Who is measured: dlock, and what it is measured against.

use std::{sync::Arc, time::Duration};

use dlock_runtime::{Guard, Runtime};
use redis::{IntoConnectionInfo, aio::MultiplexedConnection, io::tcp::TcpSettings};
use rslock::{LockGuard, LockManager};
use tokio::sync::{Mutex, MutexGuard};

use crate::Outcome;

/// All sides lock for as long.
const TTL: Duration = Duration::from_secs(10);

/// Something that locks.
pub trait Locker: Clone + Send + Sync + 'static {
    /// What it gives to whom it gives the lock.
    type Held: Send;

    /// What it is called.
    const NAME: &str;

    /// Whether a task that still waits at the end of a round is aborted. Else it gets its turn first.
    const ABORTED: bool = false;

    /// Whether its clients send `SET`. Else a script does.
    const SETS: bool = false;

    /// Takes the lock; `None` if it does not wait and somebody else has it.
    fn acquire(&self, key: &str) -> impl Future<Output = Outcome<Option<Self::Held>>> + Send;

    /// Gives it back.
    fn release(&self, held: Self::Held) -> impl Future<Output = Outcome<()>> + Send;
}

/// dlock, by hand.
#[derive(Clone, Debug)]
pub struct Dlock(pub Runtime);

impl Locker for Dlock {
    type Held = Guard;

    const NAME: &str = "dlock";

    async fn acquire(&self, key: &str) -> Outcome<Option<Guard>> {
        Ok(Some(self.0.lock(key).acquire().await?))
    }

    async fn release(&self, guard: Guard) -> Outcome<()> {
        Ok(guard.release().await?)
    }
}

/// dlock as an annotated function without `guard = ..` uses it: nobody looks at the fence.
#[derive(Clone, Debug)]
pub struct Unfenced(pub Dlock);

impl Locker for Unfenced {
    type Held = Guard;

    const NAME: &str = "dlock, unfenced";
    const SETS: bool = true;

    async fn acquire(&self, key: &str) -> Outcome<Option<Guard>> {
        let Self(Dlock(runtime)) = self;
        Ok(Some(runtime.lock(key).unfenced().acquire().await?))
    }

    async fn release(&self, guard: Guard) -> Outcome<()> {
        self.0.release(guard).await
    }
}

/// The least that a lock on Redis can be: `SET NX PX` and a compare-and-delete on one multiplexed connection. No
/// fence, no waiting, no renewal, and one token for all.
#[derive(Clone)]
pub struct Floor {
    connection: MultiplexedConnection,
    unlock: Arc<redis::Script>,
}

impl Floor {
    /// Connects to the server at `url`.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn connect(url: &str) -> Outcome<Self> {
        let connection = redis::Client::open(without_delay(url)?)?.get_multiplexed_async_connection().await?;
        let unlock = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
        Ok(Self { connection, unlock: Arc::new(redis::Script::new(unlock)) })
    }

    /// One round trip.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn ping(&self) -> Outcome<()> {
        Ok(redis::cmd("PING").query_async(&mut self.connection.clone()).await?)
    }
}

impl Locker for Floor {
    type Held = String;

    const NAME: &str = "floor";
    const SETS: bool = true;

    async fn acquire(&self, key: &str) -> Outcome<Option<String>> {
        let mut set = redis::cmd("SET");
        set.arg(key).arg("token").arg("NX").arg("PX").arg(TTL.as_millis() as u64);
        let answer: Option<String> = set.query_async(&mut self.connection.clone()).await?;
        Ok(answer.map(|_| key.to_owned()))
    }

    async fn release(&self, key: String) -> Outcome<()> {
        Ok(self.unlock.key(key).arg("token").invoke_async(&mut self.connection.clone()).await?)
    }
}

/// rslock with its defaults: after a refusal it deletes what it did not set, sleeps for up to 200 ms, and after three
/// tries begins anew. It is spared one default of the redis crate, Nagle's algorithm, so that what is compared are
/// locks.
#[derive(Clone, Debug)]
pub struct Rslock(LockManager);

impl Rslock {
    /// A lock manager for the server at `url`. It connects when it is first used.
    ///
    /// # Errors
    /// If that is no URL.
    pub fn new(url: &str) -> Outcome<Self> {
        Ok(Self(LockManager::new(vec![without_delay(url)?])))
    }
}

impl Locker for Rslock {
    type Held = LockGuard;

    const NAME: &str = "rslock";
    const ABORTED: bool = true;
    const SETS: bool = true;

    async fn acquire(&self, key: &str) -> Outcome<Option<LockGuard>> {
        Ok(Some(self.0.acquire(key, TTL).await?))
    }

    async fn release(&self, guard: LockGuard) -> Outcome<()> {
        guard.release().await;
        Ok(())
    }
}

/// A mutex of this process: what turns could cost at the very least.
#[derive(Clone, Copy, Debug)]
pub struct Bare(&'static Mutex<()>);

impl Default for Bare {
    fn default() -> Self {
        // It lasts as long as the process, which spares its guards an `Arc`.
        Self(Box::leak(Box::default()))
    }
}

impl Locker for Bare {
    type Held = MutexGuard<'static, ()>;

    const NAME: &str = "mutex";

    async fn acquire(&self, _: &str) -> Outcome<Option<Self::Held>> {
        Ok(Some(self.0.lock().await))
    }

    async fn release(&self, _: Self::Held) -> Outcome<()> {
        Ok(())
    }
}

fn without_delay(url: &str) -> redis::RedisResult<redis::ConnectionInfo> {
    Ok(url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}
