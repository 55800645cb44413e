//! Setting up a runtime.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use crate::{
    api::{connect, runtime::Runtime},
    keeper::{core::Core, thread::Keeper},
    key::Namespace,
    local::queue::Rules,
    observe::{self, Observer, caught::caught},
    protocol::token::{Identity, LockId, Token},
    store::{self, Embedded, RedisOptions, Store},
    system,
    types::{
        error::LockError,
        options::{Defaults, MaxHold, Overrides, Renew, Terms, Wait},
        settling::FailoverGuard,
    },
};

/// How long one exchange with the store may take, unless the builder says otherwise.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// Below this no reply would ever be in time.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// How long a lock may be held before that is reported, unless the builder says otherwise.
const WARN_AFTER: Duration = Duration::from_secs(60);

/// Sets up a [`Runtime`]: where the locks live, and the defaults for those who take them.
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
    pub(super) redis: RedisOptions,
    embedded: bool,
    failover_guard: Option<FailoverGuard>,
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
    /// Keeps the locks in this process: for development, tests and programs of a single process. All embedded runtimes
    /// of a process share the same locks; a [`namespace`](Self::namespace) keeps them apart.
    pub fn embedded(mut self) -> Self {
        self.embedded = true;
        self
    }

    /// Puts `namespace` and a colon before every key. The default is no namespace. One that ends in one of `: _ - / .` gets
    /// no colon, so that the prefix of another client, such as `process_lock_`, works too.
    ///
    /// A namespace has at most 256 bytes and no control characters. If it has braces, they form one hash tag `{...}`, and
    /// its keys must not have one of their own.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Lease TTL: how long a lock outlives a crashed holder. The default is 10 s. At least 20 ms, at most 365 days; counted
    /// in whole milliseconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.defaults.ttl = ttl;
        self
    }

    /// How long a request waits while somebody else holds the lock. The default is 3 s. Zero tries once;
    /// [`Duration::MAX`] waits for ever.
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.defaults.wait = wait.into();
        self
    }

    /// Whether, or how often, a held lock is renewed in the background. The default is every third of the TTL. An interval
    /// is at least 1 ms, and shorter than the TTL less 1% and 2 ms.
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.defaults.renew = renew.into();
        self
    }

    /// Whether, or for how long, nothing is granted after a failover: a master that was replaced may have granted locks of which its
    /// successor does not know. The default is yes for [`sentinel`](Self::sentinel) and [`cluster`](Self::cluster), where failovers happen by
    /// themselves, and no for [`redis`](Self::redis) and [`redis_client`](Self::redis_client). [`embedded`](Self::embedded) locks have nothing to guard.
    ///
    /// With the guard, a server that took over, or that began not long ago, grants no locks and hands none over for a while: for the
    /// TTL of the builder and a second (`true`), or for as long as is said. By then every lease has ended that may have been granted
    /// before. Locks that are held are kept meanwhile: their next renewal brings them back. Requests wait, and end as
    /// [`LockError::Unavailable`] whose source is [`Settling`](crate::Settling). [`build`](Self::build) waits as well.
    ///
    /// No request may ask for a longer TTL than this time less a second. All runtimes of a server should have the same guard. What it
    /// covers, and what a failover may lose without it, is in `SAFETY.md`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dlock_runtime::Runtime;
    ///
    /// let builder = Runtime::builder()
    ///     .sentinel("mymaster", ["redis://s1.example", "redis://s2.example", "redis://s3.example"])
    ///     .ttl(Duration::from_secs(5))
    ///     .failover_guard(Duration::from_secs(31)); // some locks ask for 30 s
    /// ```
    pub fn failover_guard(mut self, guard: impl Into<FailoverGuard>) -> Self {
        self.failover_guard = Some(guard.into());
        self
    }

    /// The longest time for which a lock may be held, renewals included. The default is no bound. Past it the lock is lost
    /// and the body is dropped, even if it is healthy: set a bound only for work that may get stuck and must not hold up
    /// others for longer.
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.defaults.max_hold = max_hold.into();
        self
    }

    /// After this time a lock that is still held is reported once, by a warning and by the metric
    /// `dlock_long_holds_total`. The default is 60 s; [`Duration::MAX`] means never. The lock itself is not touched.
    pub fn warn_after(mut self, held: Duration) -> Self {
        self.warn_after = Some(held);
        self
    }

    /// Whether events and spans carry the key of the lock in a field `key`. The default is yes; switch it off where keys
    /// are personal data. Metrics never carry keys.
    pub fn log_keys(mut self, on: bool) -> Self {
        self.hides_keys = !on;
        self
    }

    /// How long one exchange with the store may take before it counts as unanswered. The default is 500 ms. At least
    /// 1 ms; [`Duration::MAX`] means no limit for locks; [`build`](Self::build) is bounded all the same.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = Some(timeout);
        self
    }

    /// Makes [`build`](Self::build) and [`install`](Self::install) return without asking the store, so that a program can
    /// start before its Redis. Until the store can be reached, requests end as [`LockError::Unavailable`] after their wait.
    /// What `build` would have found wrong with the store goes to the log, once, when the store can be reached.
    pub fn connect_lazily(mut self) -> Self {
        self.lazily = true;
        self
    }

    /// Builds the runtime and connects it to the store.
    ///
    /// A Redis that cannot be reached is tried again for as long as [`wait`](Self::wait), at most for 3 s. Then the scripts
    /// run once, on a key `dlock-probe:..` of the namespace, to check that this server and this user can do all that locking
    /// needs. Each attempt, to connect and to check, takes 3 s at most, even if the server accepts the connection and never
    /// replies. The check leaves nothing behind.
    ///
    /// # Errors
    /// - [`LockError::Config`] if no store or two stores were named, if an option is out of its limits, or if the store
    ///   cannot do what locking needs: the error names the missing permission, or says that the server is a replica, a
    ///   sentinel, a node of a cluster, or too old.
    /// - [`LockError::Unavailable`] if the store cannot be reached, or if a [guarded](Self::failover_guard) one grants nothing for
    ///   longer than [`wait`](Self::wait), of which the error says how long; unless the runtime
    ///   [connects lazily](Self::connect_lazily).
    ///
    /// # Cancel safety
    /// Dropping the future drops what was built so far.
    pub async fn build(mut self) -> Result<Runtime, LockError> {
        self.guard();
        let usual = self.check_limits()?;
        let store: Arc<dyn Store> = match (self.redis.name_a_server(), self.embedded) {
            (true, false) => store::open(self.redis)?,
            (false, true) => Arc::new(Embedded),
            (true, true) => {
                return Err(LockError::config("both a Redis server and `embedded` are given; choose one"));
            }
            (false, false) => {
                return Err(LockError::config(
                    "no store is given; say `.redis(\"redis://...\")`, or `.embedded()` for locks within this process",
                ));
            }
        };
        let command_timeout = self.command_timeout.unwrap_or(COMMAND_TIMEOUT);
        let warn_after = self.warn_after.unwrap_or(WARN_AFTER);

        let identity = Identity::random()?;
        let namespace = Namespace::new(self.namespace);
        let place = Arc::clone(&store);
        let observer = Observer::new(move || place.address(), namespace.len(), !self.hides_keys, warn_after);
        let keeper = Keeper::start(store, identity, command_timeout, !self.confirms_not, self.rules, observer)
            .map_err(LockError::unavailable)?;
        // Of an identity of its own, so that this one gets no message of it.
        let probe = Identity::random()?;
        let name = namespace.name(&format!("dlock-probe:{probe}").into()).map_err(|flaw| LockError::config(&*flaw))?;
        let probe = LockId { name, token: Token::new(probe, 0) };
        if self.lazily {
            connect::in_the_background(&keeper, probe);
        } else {
            connect::now(&keeper, probe, self.defaults.wait).await?;
        }
        caught(observe::describe);
        Ok(Runtime(Arc::new(Core {
            keeper,
            namespace,
            defaults: self.defaults,
            usual,
            identity,
            process: system::process_name(),
            tokens: AtomicU64::new(1),
            shut_down: AtomicBool::new(false),
        })))
    }

    /// Whether the tasks of this runtime take turns on a lock that the runtime got from the store. The default is yes. A
    /// turn costs no round trip, and still has a TTL, a deadline and a fence of its own. When another runtime waits, turns
    /// end as [`yield_after`](Self::yield_after) says. Without turns, every call takes its lock from the store and gives it
    /// back.
    pub fn turns(mut self, on: bool) -> Self {
        self.rules.share.turns = on;
        self
    }

    /// How soon a runtime whose tasks take turns gives the lock to another runtime that waits for it: after so many turns
    /// or so much time since it learned of that, whichever comes first, and then at the end of the turn that is under way.
    /// The default is 10,000 turns and 3 ms. Higher values favour throughput, lower ones favour those who wait.
    pub fn yield_after(mut self, turns: u32, time: Duration) -> Self {
        self.rules.share.most_turns = turns;
        self.rules.share.longest = time;
        self
    }

    /// How long the runtime keeps a lock that none of its tasks uses, in case one of them asks for it again. The default is
    /// not at all. Meanwhile the lock goes to anybody who asks for it elsewhere. It is kept no longer than its TTL.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.rules.linger = linger;
        self
    }

    /// Whether a release waits until the store has confirmed it. The default is yes. Otherwise the release is sent, its
    /// caller goes on, and the runtime makes sure in the background that it happens; a loss that only the store knows of is
    /// then not reported to the caller.
    pub fn confirm_release(mut self, confirm: bool) -> Self {
        self.confirms_not = !confirm;
        self
    }

    /// How many tasks of this runtime may wait for one lock. The default is 10,000; at least 1. Further tasks get
    /// [`LockError::Busy`] at once.
    pub fn waiters_per_key(mut self, most: usize) -> Self {
        self.rules.waiters_per_key = most;
        self
    }

    /// How many tasks of this runtime may wait for locks in all. The default is 100,000; at least 1. For each lock, the one
    /// task that asks the store on behalf of the others does not count. Further tasks get [`LockError::Busy`] at once.
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
        f.debug_struct("Builder")
            .field("redis", &self.redis)
            .field("embedded", &self.embedded)
            .field("namespace", &self.namespace)
            .field("defaults", &self.defaults)
            .field("command_timeout", &self.command_timeout)
            .finish()
    }
}

impl Builder {
    /// Settles for how long the store is closed after a failover.
    fn guard(&mut self) {
        let guard = self.failover_guard.unwrap_or(FailoverGuard::from(self.redis.may_fail_over()));
        let quarantine = guard.quarantine(self.defaults.ttl).filter(|_| !self.embedded);
        (self.defaults.quarantine, self.redis.quarantine) = (quarantine, quarantine);
    }

    /// What holds for a request that leaves all open.
    ///
    /// # Errors
    /// [`LockError::Config`] that says the limit.
    fn check_limits(&self) -> Result<Terms, LockError> {
        let usual = Overrides::default().resolve(&self.defaults)?;
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
            None => Ok(usual),
        }
    }
}
