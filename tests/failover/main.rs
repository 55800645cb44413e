//! The failover guard on real servers: what a master granted and its successor does not know of is granted to nobody else, and comes
//! back with the next renewal.

mod closed;
mod cluster;
mod holds;
mod opening;
mod sentinel;
mod storm;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, FailoverGuard, Guard, LockError, Runtime, Settling};
use dlock_testkit::{Proxy, RedisServer, eventually};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(30);

/// A master and a replica behind an address that can be moved.
struct Pair {
    servers: [RedisServer; 2],
    /// Which of them is the master.
    master: usize,
    proxy: Proxy,
}

impl Pair {
    fn start() -> Self {
        let options = ["--repl-diskless-sync-delay", "0"];
        let servers = [RedisServer::start_with(&options), RedisServer::start_with(&options)];
        servers[1].follow(&servers[0]);
        let proxy = Proxy::start(&servers[0]);
        Self { servers, master: 0, proxy }
    }

    /// The same, open for runtimes with any guard.
    fn open() -> Self {
        let pair = Self::start();
        pair.master().open_guard();
        pair.until_copied();
        pair
    }

    fn master(&self) -> &RedisServer {
        &self.servers[self.master]
    }

    fn replica(&self) -> &RedisServer {
        &self.servers[1 - self.master]
    }

    /// A runtime that finds the master by the address.
    fn builder(&self, guard: impl Into<FailoverGuard>) -> Builder {
        Runtime::builder().redis(self.proxy.url()).failover_guard(guard)
    }

    fn until_copied(&self) {
        let mut raw = self.master().raw();
        eventually("it is copied", SOON, || {
            raw.command(&["SET", "copied", "1"]);
            raw.command(&["WAIT", "1", "1000"]).int() == Some(1)
        });
    }

    /// From now on the replica copies nothing.
    fn lag(&self) {
        self.replica().pause();
        assert_eq!(self.master().raw().command(&["CLIENT", "KILL", "TYPE", "replica"]).int(), Some(1));
    }

    /// The replica, which may lag, takes the place of the master, which is dead or does not answer.
    fn promote(&mut self) {
        self.replica().resume();
        self.replica().promote();
        self.master = 1 - self.master;
        self.proxy.redirect(self.master());
        // A virtual address that moves breaks the connections behind it.
        self.proxy.close_all();
    }

    /// The master dies.
    fn fail_over(&mut self) {
        self.servers[self.master].kill();
        self.promote();
    }

    /// The old master comes back, as a replica of the new one.
    fn heal(&mut self) {
        let old = 1 - self.master;
        self.servers[old].restart();
        self.servers[old].follow(self.master());
    }
}

/// How long a server grants nothing yet, as the error says.
fn settling(error: &LockError) -> Option<Duration> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(settling) = error.downcast_ref::<Settling>() {
            return Some(settling.opens_in());
        }
        source = error.source();
    }
    None
}

/// Asks, with little patience, until the server says that it is closed, and for how long: on a busy machine it may say nothing in time.
async fn is_closed(runtime: &Runtime, key: &str) -> Duration {
    let end = Instant::now() + SOON;
    loop {
        let error = runtime.lock(key).wait(100 * MS).acquire().await.expect_err("nobody knows who has it");
        assert!(error.is_unavailable(), "{error:?}");
        match settling(&error) {
            Some(left) => return left,
            None => assert!(Instant::now() < end, "{error:?}"),
        }
    }
}

fn text(error: &LockError) -> String {
    let (mut said, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    said
}
