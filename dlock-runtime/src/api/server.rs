//! Which Redis server a runtime uses, and how its connections are let in.

use std::{error::Error, fmt, sync::Arc};

use crate::{
    api::Builder,
    store::{Provider, Seed, SentinelOptions},
    types::credentials::Credentials,
};

/// A node of a Redis Cluster: a URL, or a client of the redis crate. See [`Builder::cluster`].
#[derive(Clone)]
pub struct ClusterNode(Seed);

impl From<&str> for ClusterNode {
    fn from(url: &str) -> Self {
        Self(Seed::Url(url.to_owned()))
    }
}

impl From<String> for ClusterNode {
    fn from(url: String) -> Self {
        Self(Seed::Url(url))
    }
}

impl From<redis::Client> for ClusterNode {
    fn from(client: redis::Client) -> Self {
        Self(Seed::Client(Box::new(client)))
    }
}

impl fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL or a client may hold a password.
        f.write_str("ClusterNode(..)")
    }
}

impl Builder {
    /// Keeps the locks in the Redis server at `url`: `redis://user:password@host:port/db`,
    /// `redis+unix:///path?db=0`, or `rediss://...` with the feature `tls`. Redis 6.2 or newer.
    ///
    /// Connections speak RESP2, which every server and proxy understands; `?protocol=resp3` at the end of the URL has them
    /// speak RESP3.
    ///
    /// ```
    /// # use dlock_runtime::Runtime;
    /// let builder = Runtime::builder().redis("redis://shop:password@redis.example/5");
    /// ```
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis.url = Some(url.into());
        self
    }

    /// Keeps the locks in the master of the name in `master`, wherever the `sentinels` say that it is: before a failover and after
    /// it. Redis Sentinel is asked anew each time a connection is made, and is listened to, so that the runtime moves with the
    /// master by itself.
    ///
    /// `master` is the master's name alone, or `redis://user:password@mymaster/db`, where the host is the name and everything else is
    /// as in [`redis`](Self::redis): it is for the master and its replicas, `rediss` too. Each sentinel has a URL of its own, whose user and
    /// password are those of the sentinel; the port is 26379 unless it says so. Name all sentinels: those that are down are done
    /// without.
    ///
    /// ```
    /// # use dlock_runtime::Runtime;
    /// let builder = Runtime::builder().sentinel(
    ///     "redis://shop:password@mymaster/0",
    ///     ["redis://s1.example:26379", "redis://s2.example:26379", "redis://s3.example:26379"],
    /// );
    /// ```
    ///
    /// A private authority and certificates of clients are for [`redis_client`](Self::redis_client) and [`cluster`](Self::cluster) alone;
    /// here those of the operating system are trusted.
    ///
    /// The master is reached under the address that the sentinels announce: an IP address, or a host name if they are told to
    /// announce those (`sentinel announce-hostnames yes`), as certificates usually need.
    ///
    /// # What a failover costs
    /// A master that fails without warning takes along what its replica did not copy yet, and locks are no exception. So the
    /// [failover guard](Self::failover_guard) is on: the new master grants nothing for the builder's [`ttl`](Self::ttl) and a second, and
    /// nor does a group of servers that began a moment ago. Locks that are held are kept, if their TTL exceeds the time until there is
    /// a new master. Without the guard a lock that was granted in the last moment may be granted to somebody else as well, until its
    /// holder's next renewal; its fence is lower than the other's. `SAFETY.md` has the rest.
    pub fn sentinel(
        mut self,
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let sentinels = sentinels.into_iter().map(Into::into).collect();
        self.redis.sentinel = Some(SentinelOptions { master: master.into(), sentinels });
        self
    }

    /// Keeps the locks in a Redis Cluster, each in the server that has its slot. `nodes` are the URLs of some of its nodes, as in
    /// [`redis`](Self::redis): the runtime asks them for the others, and again whenever something moves. Redis 7.0 or Valkey 7.2 or
    /// newer.
    ///
    /// ```
    /// # use dlock_runtime::Runtime;
    /// let builder = Runtime::builder()
    ///     .cluster(["redis://shop:password@n1.example:6379", "redis://shop:password@n2.example:6379"]);
    /// ```
    ///
    /// All nodes are reached in the same way: with the same user and password, and by TLS if the URLs say `rediss`. They are reached
    /// under the addresses that they announce: IP addresses, or host names (`cluster-preferred-endpoint-type hostname`), as
    /// certificates usually need; behind NAT they must announce addresses that lead to them. A cluster has the database 0 alone.
    ///
    /// A node may also be a client of the redis crate, for a private authority and for certificates of clients
    /// ([`redis_client`](Self::redis_client) says how to make one): what it says of TLS, user and password is for all nodes.
    ///
    /// # Moving slots
    /// While a slot is moved key by key (`redis-cli --cluster reshard`), locks of that slot which are held stay held, are renewed and can
    /// be given back. New ones cannot be taken, as Redis refuses scripts with several keys then: requests wait, and end as
    /// [`LockError::Unavailable`](crate::LockError::Unavailable) when their wait is over. Where the server moves whole slots at once
    /// (Valkey 9, Redis 8.4), there is no such time.
    ///
    /// # What a failover costs
    /// As with [`sentinel`](Self::sentinel), and for the locks of that shard alone: the [failover guard](Self::failover_guard) is on.
    /// Slots that move close nothing.
    pub fn cluster<S: Into<ClusterNode>>(mut self, nodes: impl IntoIterator<Item = S>) -> Self {
        self.redis.cluster = Some(nodes.into_iter().map(|node| node.into().0).collect());
        self
    }

    /// Keeps the locks in the Redis server that `client` leads to. This is for what a URL cannot say: the address and the
    /// settings of the client are used as they are. Only Nagle's algorithm is switched off in any case, sockets are kept alive,
    /// and `SO_LINGER` is left alone. Connections are made by the runtime and are shared with nobody. The client is of the redis
    /// crate, version 1; what makes one is exported in [`dlock_runtime::redis`](crate::redis).
    ///
    /// A client says the name of its library (`CLIENT SETINFO`) unless its settings have `set_skip_set_lib_name()`. To a user
    /// without that permission it does no harm, but each time the refusal goes to the server's `ACL LOG`.
    ///
    /// ```
    /// use dlock_runtime::{Runtime, redis::{Client, IntoConnectionInfo, RedisConnectionInfo}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let settings = RedisConnectionInfo::default().set_username("shop").set_password("not/encoded").set_db(5);
    /// let info = "redis://redis.example".into_connection_info()?.set_redis_settings(settings);
    /// let builder = Runtime::builder().redis_client(Client::open(info)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # A private certificate authority, and certificates of clients
    /// With the feature `tls`. Without `root_cert` the certificates of the operating system are trusted.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tls")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::fs::read;
    /// use dlock_runtime::{Runtime, redis::{Client, ClientTlsConfig, TlsCertificates}};
    ///
    /// let certificates = TlsCertificates {
    ///     root_cert: Some(read("authority.pem")?),
    ///     client_tls: Some(ClientTlsConfig { client_cert: read("shop.pem")?, client_key: read("shop-key.pem")? }),
    /// };
    /// let client = Client::build_with_tls("rediss://redis.example:6380", certificates)?;
    /// let builder = Runtime::builder().redis_client(client);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tls"))]
    /// # fn main() {}
    /// ```
    pub fn redis_client(mut self, client: redis::Client) -> Self {
        self.redis.client = Some(client);
        self
    }

    /// Asks `provider` for user and password each time a connection is made, instead of those of the URL or the client: for
    /// tokens of a cloud, and for passwords that are rotated.
    ///
    /// If the [`Credentials`] say for how long they are [valid](Credentials::valid_for), live connections authenticate anew
    /// when three quarters of that time are over (`AUTH`). The connection that listens for messages cannot do so: another one
    /// takes its place, without a gap. A lock that is held is not affected by any of that, nor by a password that is not
    /// valid any more: connections that the server closes are made anew, and the provider is asked.
    ///
    /// The provider is called in each tokio runtime that uses the lock runtime, and on the background thread of that, which it
    /// must not block. It may take its time: if a connection is given up meanwhile, since
    /// [`command_timeout`](Self::command_timeout) is over, its answer is for the next attempt. After ten seconds it is asked
    /// anew. But requests wait for it, so a provider that asks over the network should have its answer ready. Its errors count
    /// as an outage of the store, and are the source of [`LockError::Unavailable`](crate::LockError::Unavailable). Embedded
    /// locks do not ask it.
    ///
    /// ```
    /// use std::{fs, io, time::Duration};
    /// use dlock_runtime::{Credentials, Runtime};
    ///
    /// let builder = Runtime::builder().redis("redis://redis.example/").credentials(|| async {
    ///     // Somebody else writes a new one into this file every hour.
    ///     let token = fs::read_to_string("/run/secrets/redis-token")?;
    ///     Ok::<_, io::Error>(Credentials::new("shop", token.trim()).valid_for(Duration::from_secs(3600)))
    /// });
    /// ```
    pub fn credentials<F, A, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.redis.provider = Some(Arc::new(Provider::new(provider)));
        self
    }

    /// Gives the connections a name, which `CLIENT LIST` shows: 1 to 64 ASCII letters, digits or signs. The default is none, as
    /// users with least rights may not say one, and each attempt would be in the server's log of refusals.
    ///
    /// The connections for commands get it by `CLIENT SETNAME`. All of them, the one that listens for messages too, say
    /// `dlock-runtime(name)` as the name of their library by `CLIENT SETINFO`, unless the [client](Self::redis_client) has
    /// one. A server that does not know these commands or refuses them is no trouble.
    ///
    /// ```
    /// # use dlock_runtime::Runtime;
    /// let builder = Runtime::builder().redis("redis://redis.example/").client_name("checkout");
    /// ```
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.redis.client_name = Some(name.into());
        self
    }
}
