//! Somebody spoilt a helper key: it is of another type, or full of nonsense. That keeps the lock from nothing.

use std::time::{Duration, Instant};

use dlock_runtime::{Guard, Runtime};
use dlock_testkit::{FENCE_CLOCK, Raw, RedisServer, Value, eventually};
use tokio::task::JoinHandle;

use crate::{SOON, each};

/// A lease, or a wait, that no test lives to see the end of: nothing here passes by expiry.
const LONG: Duration = Duration::from_secs(60);

/// Commands that make a key of each type.
const TYPES: [(&str, &[&str]); 6] = [
    ("string", &["SET", "nonsense"]),
    ("list", &["RPUSH", "a", "b"]),
    ("set", &["SADD", "a", "b"]),
    ("hash", &["HSET", "a", "b"]),
    ("zset", &["ZADD", "1", "a"]),
    ("stream", &["XADD", "*", "a", "b"]),
];

#[derive(Clone)]
struct Scene {
    url: String,
    key: String,
    helper: &'static str,
    how: &'static [&'static str],
}

impl Scene {
    fn helper(&self, helper: &str) -> String {
        if helper == "fence-clock" { FENCE_CLOCK.into() } else { format!("{{faults:{}}}:{helper}", self.key) }
    }

    fn spoil(&self, raw: &mut Raw) {
        let key = self.helper(self.helper);
        let words: Vec<&str> = [self.how[0], &key].into_iter().chain(self.how[1..].iter().copied()).collect();
        // Who waits may ask in between, and begin it anew.
        eventually(&format!("{self:?}"), SOON, || {
            raw.command(&["DEL", &key]);
            !matches!(raw.command(&words), Value::Error(_))
        });
    }

    async fn runtime(&self) -> Runtime {
        let builder = Runtime::builder().redis(&self.url).namespace("faults").ttl(LONG).wait(LONG);
        builder.build().await.expect("the store is there")
    }

    fn wait(&self, runtime: &Runtime) -> JoinHandle<Guard> {
        let request = runtime.lock(&*self.key);
        tokio::spawn(async move { request.acquire().await.expect("a turn") })
    }

    /// Waits until the store says that somebody else waits. That can take a poll.
    async fn until_somebody_waits(&self, runtime: &Runtime) {
        let began = Instant::now();
        while runtime.inspect(&*self.key).await.expect("asked").is_none_or(|holder| holder.waiters() == 0) {
            assert!(began.elapsed() < SOON, "{self:?}: nobody waits");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn got(&self, waiting: JoinHandle<Guard>) -> Guard {
        let guard = tokio::time::timeout(SOON, waiting).await;
        guard.unwrap_or_else(|_| panic!("{self:?}: it does not come to its turn")).expect("no panic")
    }

    async fn every_operation(self) {
        let mut raw = Raw::connect(&self.url);
        let (one, other) = (self.runtime().await, self.runtime().await);
        let lock = format!("faults:{}", self.key);

        self.spoil(&mut raw);
        let guard = one.lock(&*self.key).acquire().await.unwrap_or_else(|err| panic!("{self:?}: acquire: {err}"));
        self.spoil(&mut raw);
        guard.renew().await.unwrap_or_else(|err| panic!("{self:?}: renew: {err}"));
        self.spoil(&mut raw);
        assert!(one.inspect(&*self.key).await.unwrap_or_else(|err| panic!("{self:?}: inspect: {err}")).is_some());
        assert!(one.is_locked(&*self.key).await.expect("asked"));
        self.spoil(&mut raw);
        let refused = other.lock(&*self.key).try_acquire().await;
        assert!(refused.unwrap_or_else(|err| panic!("{self:?}: try: {err}")).is_none());

        // A turn of the same runtime that needs more fences than were reserved.
        let next = self.wait(&one);
        self.until_somebody_waits(&one).await;
        self.spoil(&mut raw);
        let fence = guard.fence();
        guard.release().await.unwrap_or_else(|err| panic!("{self:?}: the turn ends: {err}"));
        let guard = self.got(next).await;
        assert!(guard.fence() > fence, "{self:?}: fences grow");

        // It is handed over, though the queue was spoilt while somebody stood in it.
        let fence = guard.fence();
        self.spoil(&mut raw);
        let waiting = self.wait(&other);
        self.until_somebody_waits(&one).await;
        self.lapses(&mut raw);
        self.spoil(&mut raw);
        guard.release().await.unwrap_or_else(|err| panic!("{self:?}: release: {err}"));
        let guard = self.got(waiting).await;
        assert!(guard.fence() > fence, "{self:?}: fences grow");

        // Who waits and goes away.
        let waiting = self.wait(&one);
        self.until_somebody_waits(&other).await;
        self.spoil(&mut raw);
        waiting.abort();
        _ = waiting.await;
        assert!(one.shutdown(SOON).await, "{self:?}: what was cancelled is given back");
        self.spoil(&mut raw);
        guard.release().await.unwrap_or_else(|err| panic!("{self:?}: the last release: {err}"));
        eventually(&format!("{self:?}: it is free"), SOON, || !raw.exists(&lock));
    }

    /// Whatever there is of ours goes away by itself, once somebody stands in the queue: nonsense counts as one who does, so it may be
    /// a moment before that.
    fn lapses(&self, raw: &mut Raw) {
        for helper in ["queue", "seen"] {
            eventually(&format!("{self:?}: {helper} has a TTL"), SOON, || {
                raw.command(&["PTTL", &self.helper(helper)]) != Value::Int(-1)
            });
        }
    }
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a {} as {}", self.how[0], self.helper)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helper_key_of_another_type_keeps_the_lock_from_nothing() {
    let server = RedisServer::start();
    for (helper, right) in [("fence-clock", "hash"), ("queue", "zset"), ("seen", "zset")] {
        let wrong = TYPES.into_iter().filter(|(kind, _)| *kind != right);
        let scenes = wrong.map(|(kind, how)| Scene { url: server.url(), key: format!("{helper}-{kind}"), helper, how });
        each(scenes.collect::<Vec<_>>(), Scene::every_operation).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helper_key_full_of_nonsense_keeps_the_lock_from_nothing() {
    let server = RedisServer::start();
    let nonsense: [(&str, &[&str]); 7] = [
        ("fence-clock", &["HSET", "last", "nonsense"]),
        ("fence-clock", &["HSET", "last", "99999999999999999999999", "ceiling", "99999999999999999999999"]),
        ("fence-clock", &["HSET", "last", "9007199254740993", "ceiling", "9007199254740994"]),
        ("fence-clock", &["HSET", "last", "9007199254740993", "checked", "nonsense"]),
        ("queue", &["ZADD", "1", "nonsense"]),
        ("queue", &["ZADD", "-inf", "0-0 99999999999999999999999 4 host"]),
        ("seen", &["ZADD", "inf", "nonsense"]),
    ];
    let scenes = nonsense.into_iter().enumerate().map(|(number, (helper, how))| Scene {
        url: server.url(),
        key: format!("nonsense-{number}"),
        helper,
        how,
    });
    each(scenes.collect::<Vec<_>>(), Scene::every_operation).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_make_a_queue_lapse_leaves_none_behind() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let rules = ["ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-pexpire"];
    assert!(raw.command(&rules).is_ok());
    let scene = Scene { url: server.url(), key: "lapse".into(), helper: "seen", how: &["SADD", "a"] };
    let guard = scene.runtime().await.lock("lapse").acquire().await.expect("it is free");
    let limited = server.url().replace("redis://", "redis://limited:secret@");
    let builder = Runtime::builder().redis(limited).namespace("faults").ttl(LONG).wait(SOON / 10);
    // The builder may refuse such a user; what counts is what is left.
    if let Ok(limited) = builder.build().await {
        assert!(limited.lock("lapse").acquire().await.is_err());
    }
    for helper in ["queue", "seen"] {
        assert!(!raw.exists(&scene.helper(helper)), "{helper}");
    }
    guard.release().await.expect("ours");
}
