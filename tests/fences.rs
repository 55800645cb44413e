//! Fences of one key rise, whatever befalls the key, the fence clock and the server.

use std::time::{Duration, SystemTime};

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{FENCE_CLOCK, Raw, RedisServer, Value, eventually, eventually_async};

const SOON: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

fn on(server: &RedisServer) -> Builder {
    Runtime::builder().redis(server.url()).namespace("fences").ttl(LONG).wait(LONG)
}

async fn build(server: &RedisServer) -> Runtime {
    on(server).build().await.expect("the store is there")
}

/// The fences of one key, as the resource sees them.
struct Fences {
    last: u64,
}

impl Fences {
    /// Takes the lock and gives it back.
    async fn next(&mut self, runtime: &Runtime, after: &str) {
        let guard = runtime.lock("k").wait(SOON).acquire().await.unwrap_or_else(|err| panic!("{after}: {err}"));
        self.note(guard.fence(), after);
        guard.release().await.unwrap_or_else(|err| panic!("{after}: {err}"));
    }

    #[track_caller]
    fn note(&mut self, fence: u64, after: &str) {
        assert!(fence > self.last, "{fence} after {}, after {after}", self.last);
        assert!(fence < 1 << 53, "{fence} is not exact in a double, after {after}");
        self.last = fence;
    }
}

/// The time in the unit of fences.
fn time_as_fence() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    (since_1970.as_micros() as u64 - 1_514_764_800_000_000) * 8
}

/// Sets the fence clock ahead of the time: to the server its own clock is behind.
fn set_ahead(raw: &mut Raw, by: Duration) {
    let last = time_as_fence() + by.as_micros() as u64 * 8;
    let life = life(raw);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros();
    let clock = format!("{last} {} {life} {now}", last + 80_000_000);
    assert!(raw.command(&["SET", FENCE_CLOCK, &clock]).is_ok());
}

fn life(raw: &mut Raw) -> String {
    let info = raw.command(&["INFO", "replication"]);
    let life = info.text().and_then(|info| info.lines().find_map(|line| line.strip_prefix("master_replid:")));
    life.expect("every server has one").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_rise_over_release_expiry_and_hand_over() {
    let server = RedisServer::start();
    let [one, other] = [build(&server).await, build(&server).await];
    let mut fences = Fences { last: 0 };
    for runtime in [&one, &other, &other, &one] {
        fences.next(runtime, "a release").await;
    }
    let expired = one.lock("k").ttl(Duration::from_millis(200)).renew(false).acquire().await.expect("free");
    fences.note(expired.fence(), "a release");
    fences.next(&other, "an expiry").await;
    let mut guard = one.lock("k").acquire().await.expect("free");
    for runtime in [&other, &one, &other] {
        fences.note(guard.fence(), "a hand-over");
        let waiting = tokio::spawn(runtime.lock("k").acquire());
        let waits = async || one.inspect("k").await.expect("asked").is_some_and(|holder| holder.waiters() == 1);
        eventually_async("it waits", SOON, waits).await;
        guard.release().await.expect("ours");
        guard = waiting.await.expect("no panic").expect("its turn");
    }
    fences.note(guard.fence(), "a hand-over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_rise_though_the_fence_clock_is_lost_or_spoilt_or_the_time_steps_back() {
    let mut server = RedisServer::start();
    let one = build(&server).await;
    let mut fences = Fences { last: 0 };
    let losses: [&[&str]; 10] = [
        &["FLUSHALL"],
        &["DEL", FENCE_CLOCK],
        &["SCRIPT", "FLUSH"],
        &["SET", FENCE_CLOCK, "nonsense"],
        &["SET", FENCE_CLOCK, ""],
        &["SET", FENCE_CLOCK, "1 2 life 3"],
        &["SET", FENCE_CLOCK, "99999999999999999999999999 99999999999999999999999999 life 3"],
        &["SET", FENCE_CLOCK, "5000000000000000 4000000000000000 life 3"],
        &["EXPIRE", FENCE_CLOCK, "0"],
        &["FLUSHDB"],
    ];
    for loss in losses {
        fences.next(&one, "a release").await;
        let reply = server.raw().command(loss);
        assert!(!matches!(reply, Value::Error(_)), "{loss:?}: {reply:?}");
        // Another process, which knows of no fence so far.
        fences.next(&build(&server).await, &loss.join(" ")).await;
        fences.next(&one, &loss.join(" ")).await;
    }
    server.restart();
    fences.next(&build(&server).await, "a restart without data").await;
    fences.next(&one, "a restart without data").await;

    // From here on the time is behind by an hour. If the clock is lost as well, one who had the lock knows better.
    set_ahead(&mut server.raw(), HOUR);
    fences.next(&one, "a step back").await;
    assert!(fences.last > time_as_fence(), "the negative control: the fences are ahead of the time");
    fences.next(&build(&server).await, "a step back").await;
    fences.next(&one, "a step back").await;
    server.restart();
    fences.next(&one, "a step back and a restart").await;
    assert!(fences.last > time_as_fence(), "the negative control: they are yet");
}

/// A master whose clock is an hour ahead of its replica's, a lock taken on both, and then once more on the master alone. Returns
/// the replica, which is the master now, and the last fence of the other one.
async fn failover() -> (RedisServer, RedisServer, Fences) {
    let old = RedisServer::start();
    // The first replica of a server begins a new life of it, too.
    let new = RedisServer::start_replica_of(&old);
    set_ahead(&mut old.raw(), HOUR);
    let (runtime, mut fences) = (build(&old).await, Fences { last: 0 });
    fences.next(&runtime, "the start").await;
    let last = old.raw().fence_clock();
    eventually("the replica has it", SOON, || new.raw().fence_clock() == last);
    // It keeps what it has, and gets no more.
    assert!(new.raw().command(&["REPLICAOF", "127.0.0.1", "1"]).is_ok());
    for _ in 0..100 {
        fences.next(&runtime, "a write that gets lost").await;
    }
    assert!(new.raw().fence_clock() < old.raw().fence_clock(), "the negative control: the last writes are lost");
    new.promote();
    (old, new, fences)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_rise_over_a_promotion_that_loses_the_last_writes_to_a_server_whose_clock_is_behind() {
    let (_old, new, mut fences) = failover().await;
    until_the_life_is_looked_at(&new);
    fences.next(&build(&new).await, "a promotion").await;
    assert!(fences.last > time_as_fence(), "the negative control: the time alone is not enough");
}

/// A failover takes longer than two looks at the life of the server are apart.
fn until_the_life_is_looked_at(server: &RedisServer) {
    eventually("the next request looks at the life of the server", SOON, || {
        let Some(checked) = server.raw().command(&["GET", FENCE_CLOCK]).text().and_then(checked) else { return false };
        SystemTime::UNIX_EPOCH + checked + Duration::from_millis(110) < SystemTime::now()
    });
}

/// When the life of the server was looked at.
fn checked(clock: &str) -> Option<Duration> {
    clock.rsplit(' ').next()?.parse().ok().map(Duration::from_micros)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_without_the_new_life_they_would_come_again() {
    let (_old, new, fences) = failover().await;
    let mut raw = new.raw();
    let life = life(&mut raw);
    let clock = raw.command(&["GET", FENCE_CLOCK]).text().expect("a clock").to_owned();
    let mut words = clock.split(' ').collect::<Vec<_>>();
    words[2] = &life;
    assert!(raw.command(&["SET", FENCE_CLOCK, &words.join(" ")]).is_ok());
    let guard = build(&new).await.lock("k").acquire().await.expect("free");
    assert!(guard.fence() <= fences.last, "{} is above {}", guard.fence(), fences.last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_rise_for_connections_that_survive_a_failover() {
    let server = RedisServer::start();
    let copy = RedisServer::start_replica_of(&server);
    set_ahead(&mut server.raw(), HOUR);
    let [one, other] = [build(&server).await, build(&server).await];
    let mut fences = Fences { last: 0 };
    fences.next(&one, "the start").await;
    let last = server.raw().fence_clock();
    eventually("the copy has it", SOON, || copy.raw().fence_clock() == last);
    copy.promote();
    let connections = |raw: &mut Raw| raw.command(&["INFO", "stats"]).text().map(connections_received).expect("stats");
    for _ in 0..100 {
        fences.next(&other, "a write that gets lost").await;
    }
    // What a failover behind a proxy looks like to a connection: the data of another server, in a new life.
    assert!(copy.raw().command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).is_ok());
    server.follow(&copy);
    server.promote();
    until_the_life_is_looked_at(&server);
    let mut raw = server.raw();
    let before = connections(&mut raw);
    fences.next(&one, "a failover").await;
    assert_eq!(connections(&mut raw), before, "the negative control: the connection is the same");
    assert!(fences.last > time_as_fence(), "the negative control: the time alone is not enough");
    fences.next(&other, "a failover").await;
}

fn connections_received(stats: &str) -> u64 {
    let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.trim().parse().ok()).expect("INFO counts connections")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_million_turns_a_second_do_not_outrun_the_time() {
    let server = RedisServer::start();
    let (mut raw, runtime) = (server.raw(), build(&server).await);
    let before = raw.fence_clock().expect("the rehearsal took a lock");
    assert!(before <= time_as_fence() + 10, "it begins at the time");
    let tasks = (0..16).map(|_| {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for _ in 0..2_000 {
                runtime.lock("k").acquire().await.expect("a turn").release().await.expect("ours");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    let spent = raw.fence_clock().expect("it stays") - before;
    // Eight million fences a second are the time; a turn may cost 2.67 of them.
    assert!(spent >= 32_000 && spent * 3 < 32_000 * 8, "{spent} fences for 32,000 turns");
}
