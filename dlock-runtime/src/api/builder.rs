//! Setting up a runtime.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use crate::{
    api::{reach, runtime::Runtime},
    keeper::{core::Engine, thread::Keeper},
    key::Namespace,
    local::queue::Rules,
    observe::{self, Observer, caught::caught},
    protocol::token::{Identity, Ticket, Token},
    store::{Embedded, Redis, Store},
    types::{
        error::LockError,
        options::{Defaults, MaxHold, Renew, Wait, Wishes},
    },
};

/// How long one exchange with the store may take, unless the builder says otherwise.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// Below this no answer would ever be in time.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// How long a lock may be held before that is told, unless the builder says otherwise.
const WARN_AFTER: Duration = Duration::from_secs(60);

/// Sets up a [`Runtime`]: where the locks live, and the defaults of those who take them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dlock_runtime::LockError> {
/// use std::time::Duration;
/// use dlock_runtime::Runtime;
///
/// let runtime = Runtime::builder()
///     .embedded() // or .redis("redis://127.0.0.1/")
///     .namespace("shop")
///     .ttl(Duration::from_secs(10))
///     .wait(Duration::from_secs(3))
///     .build()
///     .await?;
/// # runtime.lock("doc:builder").acquire().await?.release().await
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it builds or installs"]
pub struct Builder {
    redis: Option<String>,
    embedded: bool,
    namespace: String,
    defaults: Defaults,
    command_timeout: Option<Duration>,
    rules: Rules,
    confirms_not: bool,
    warn_after: Option<Duration>,
    hides_keys: bool,
    lazily: bool,
}

impl Builder {
    /// Keeps the locks in the Redis server at `url`: `redis://user:password@host:port/db`,
    /// `redis+unix:///path?db=0`, or `rediss://...` with the feature `tls`. Redis 6.2 or newer.
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(url.into());
        self
    }

    /// Keeps the locks in this process, for development, tests and single-process programs. All embedded runtimes
    /// of a process share them; [`namespace`](Self::namespace) keeps them apart.
    pub fn embedded(mut self) -> Self {
        self.embedded = true;
        self
    }

    /// Puts `namespace` and a colon before every key. A namespace that ends in one of `: _ - / .` is taken as it
    /// is, so that a prefix of other clients, such as `process_lock_`, works too. None by default. At most 256 bytes, without
    /// control characters; its braces, if it has any, form one hash tag `{...}`, and then its keys have none of their own.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How soon others may go on after a crash: 10 s unless set. At least 20 ms, at most 365 days.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.defaults.ttl = ttl;
        self
    }

    /// How long to wait for a lock that somebody else holds: 3 s unless set. Zero: try once. [`Duration::MAX`] is for ever.
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.defaults.wait = wait.into();
        self
    }

    /// Whether, or how often, held locks are renewed: every third of the TTL unless set. At least 1 ms apart, and sooner than
    /// the TTL less 1% and 2 ms.
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.defaults.renew = renew.into();
        self
    }

    /// How long a lock may be held in all: as long as its holder likes, unless set. Past this bound the lock is lost and the
    /// body dropped, also if it is healthy; it is for work that may get stuck and must not hold up others for longer.
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.defaults.max_hold = max_hold.into();
        self
    }

    /// After how long a lock that is still held is told of, once, by a warning and the metric `dlock_long_holds_total`: 60 s
    /// unless set, [`Duration::MAX`] for never. Nothing happens to the lock.
    pub fn warn_after(mut self, held: Duration) -> Self {
        self.warn_after = Some(held);
        self
    }

    /// Whether events and spans carry the key of the lock in a field `key`: yes unless set. Say no where keys are personal
    /// data. Metrics never carry keys.
    pub fn log_keys(mut self, on: bool) -> Self {
        self.hides_keys = !on;
        self
    }

    /// How long one exchange with the store may take before it counts as unanswered: 500 ms unless set. At least
    /// 1 ms; [`Duration::MAX`] is for ever.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = Some(timeout);
        self
    }

    /// Does not ask the store in [`build`](Self::build) and [`install`](Self::install), so that a program can start before its
    /// Redis. Whoever takes a lock connects; until that is possible, requests end as [`LockError::Unavailable`] after their
    /// wait. What `build` would have found wrong with the store is told in the log, once it can be reached.
    pub fn connect_lazily(mut self) -> Self {
        self.lazily = true;
        self
    }

    /// Builds the runtime and connects it. A Redis that cannot be reached is tried again for as long as
    /// [`wait`](Self::wait), but at most for 3 s. The scripts are run once, on a key `dlock-probe:..` of the namespace, to see
    /// that this server and this user can do what locking needs; nothing is left of that.
    ///
    /// # Errors
    /// [`LockError::Config`] if no store or two were named, an option cannot work, or the store cannot do what locking
    /// needs: the error names a missing permission, a replica, a sentinel, a node of a cluster, a server that is too old.
    /// [`LockError::Unavailable`] if the store cannot be reached, unless it is to be [connected lazily](Self::connect_lazily).
    ///
    /// # Cancel safety
    /// Dropping the future drops what was built so far.
    pub async fn build(self) -> Result<Runtime, LockError> {
        self.check_limits()?;
        let store: Arc<dyn Store> = match (self.redis, self.embedded) {
            (Some(url), false) => Arc::new(Redis::new(&url)?),
            (None, true) => Arc::new(Embedded),
            (Some(_), true) => return Err(LockError::config("both `redis` and `embedded` are given; choose one")),
            (None, false) => {
                return Err(LockError::config(
                    "no store is given; say `.redis(\"redis://...\")`, or `.embedded()` for locks within this process",
                ));
            }
        };
        let command_timeout = self.command_timeout.unwrap_or(COMMAND_TIMEOUT);
        let warn_after = self.warn_after.unwrap_or(WARN_AFTER);

        let identity = Identity::random()?;
        let namespace = Namespace::new(self.namespace);
        let observer = Observer::new(store.place(), namespace.len(), !self.hides_keys, warn_after);
        let keeper = Keeper::start(store, identity, command_timeout, !self.confirms_not, self.rules, observer)
            .map_err(LockError::unavailable)?;
        // Of an identity of its own, so that nothing is told to this one.
        let probe = Identity::random()?;
        let name = namespace.name(&format!("dlock-probe:{probe}").into()).map_err(|flaw| LockError::config(&*flaw))?;
        let probe = Ticket { name, token: Token { identity: probe, number: 0 } };
        if self.lazily {
            reach::in_the_background(&keeper, probe);
        } else {
            reach::now(&keeper, probe, self.defaults.wait).await?;
        }
        caught(observe::describe);
        Ok(Runtime(Arc::new(Engine {
            keeper,
            namespace,
            defaults: self.defaults,
            identity,
            place: format!("{} pid {}", host(), std::process::id()),
            tokens: AtomicU64::new(1),
            shut_down: AtomicBool::new(false),
        })))
    }

    /// Whether the tasks of this runtime take turns on a lock that it got from the store, as long as nobody waits for it
    /// elsewhere: yes unless set. A turn costs no round trip; it has terms and a fence of its own all the same. Without
    /// turns every call takes its own lock from the store and gives it back.
    pub fn turns(mut self, on: bool) -> Self {
        self.rules.share.turns = on;
        self
    }

    /// When a runtime whose tasks take turns lets somebody else have the lock: after so many turns or so much time
    /// since it knows that one waits, whichever comes first, at the end of the turn that is under way then. 10,000
    /// turns and 3 ms unless set. More is good for throughput, less for those who wait.
    pub fn yield_after(mut self, turns: u32, time: Duration) -> Self {
        self.rules.share.most_turns = turns;
        self.rules.share.longest = time;
        self
    }

    /// How long a lock is kept that no task of this runtime uses, in case one comes back for it: not at all unless set.
    /// It is given to whoever asks for it elsewhere in the meantime. At most what is left of its TTL.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.rules.linger = linger;
        self
    }

    /// Whether a release waits until the store has confirmed it: yes unless set. If not, it is sent in order and the
    /// keeper sees to it that it happens. A lock that was lost without notice is not told of then.
    pub fn confirm_release(mut self, confirm: bool) -> Self {
        self.confirms_not = !confirm;
        self
    }

    /// How many tasks may wait for one lock: 10,000 unless set, at least 1. Those beyond get [`LockError::Busy`] at once.
    pub fn waiters_per_key(mut self, most: usize) -> Self {
        self.rules.waiters_per_key = most;
        self
    }

    /// How many tasks may wait for locks in all, behind those that ask the store for all that want the same: 100,000 unless
    /// set, at least 1. Those beyond get [`LockError::Busy`] at once.
    pub fn waiters(mut self, most: usize) -> Self {
        self.rules.waiters = most;
        self
    }

    /// Builds the runtime and makes it the one that annotated functions use.
    ///
    /// # Errors
    /// As [`build`](Self::build), and [`LockError::Config`] if one is installed already and was not shut down.
    ///
    /// # Cancel safety
    /// As [`build`](Self::build).
    pub async fn install(self) -> Result<Runtime, LockError> {
        self.build().await?.install()
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Builder")
            .field("redis", &self.redis.as_ref().map(|_| ".."))
            .field("embedded", &self.embedded)
            .field("namespace", &self.namespace)
            .field("defaults", &self.defaults)
            .field("command_timeout", &self.command_timeout)
            .finish()
    }
}

impl Builder {
    /// # Errors
    /// [`LockError::Config`] that says the limit.
    fn check_limits(&self) -> Result<(), LockError> {
        Wishes::default().on(&self.defaults)?;
        Namespace::check(&self.namespace).map_err(LockError::config)?;
        if let Some(timeout) = self.command_timeout.filter(|timeout| *timeout < SHORTEST_TIMEOUT) {
            let rule = format!("command_timeout is {timeout:?}, and it must be at least {SHORTEST_TIMEOUT:?}");
            return Err(LockError::config(rule));
        }
        if self.warn_after.is_some_and(|held| held.is_zero()) {
            return Err(LockError::config("warn_after is zero, and it must be longer; `Duration::MAX` is for never"));
        }
        let bounds = [("waiters_per_key", self.rules.waiters_per_key), ("waiters", self.rules.waiters)];
        match bounds.into_iter().find(|(_, most)| *most == 0) {
            Some((name, _)) => Err(LockError::config(format!("{name} is 0, and it must be at least 1"))),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().replace(char::is_whitespace, "-")
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "host".to_owned()).replace(char::is_whitespace, "-")
}
