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

    /// Takes the lock before and after a command that spoils the fence clock.
    async fn rise_over(&mut self, loss: &[&str], server: &RedisServer, runtime: &Runtime) {
        self.next(runtime, "a release").await;
        let reply = server.raw().command(loss);
        assert!(!matches!(reply, Value::Error(_)), "{loss:?}: {reply:?}");
        // Another process, which knows of no fence so far.
        self.next(&build(server).await, &loss.join(" ")).await;
        self.next(runtime, &loss.join(" ")).await;
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
    let life = life(raw);
    let ahead = ahead(by, &life);
    set(raw, &ahead);
}

/// What a fence clock says that is ahead of the time, and of that life of a server, which looked at it a second ago.
fn ahead(by: Duration, life: &str) -> Vec<String> {
    let last = time_as_fence() + by.as_micros() as u64 * 8;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros();
    let [last, ceiling, checked] = [last, last + 160_000_000, now as u64 - 1_000_000].map(|number| number.to_string());
    ["last", &last, "ceiling", &ceiling, "life", life, "checked", &checked].map(str::to_owned).to_vec()
}

fn set(raw: &mut Raw, fields: &[String]) {
    let words = ["HSET", FENCE_CLOCK].into_iter().chain(fields.iter().map(String::as_str));
    assert!(!matches!(raw.command(&words.collect::<Vec<_>>()), Value::Error(_)));
}

fn life(raw: &mut Raw) -> String {
    raw.info(&["INFO", "replication"], "master_replid").expect("every server has one")
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
    let losses: [&[&str]; 15] = [
        &["FLUSHALL"],
        &["DEL", FENCE_CLOCK],
        &["SCRIPT", "FLUSH"],
        &["SET", FENCE_CLOCK, "nonsense"],
        &["SET", FENCE_CLOCK, ""],
        &["HSET", FENCE_CLOCK, "last", "5000000000000000", "ceiling", "4000", "life", "life", "checked", "3"],
        &["EXPIRE", FENCE_CLOCK, "0"],
        &["FLUSHDB"],
        &["HDEL", FENCE_CLOCK, "last"],
        &["HDEL", FENCE_CLOCK, "checked"],
        &["HDEL", FENCE_CLOCK, "ceiling", "checked"],
        &["HSET", FENCE_CLOCK, "last", "nonsense"],
        &["HSET", FENCE_CLOCK, "last", "99999999999999999999999999"],
        &["HSET", FENCE_CLOCK, "last", "9223372036854775807"],
        &["HSET", FENCE_CLOCK, "ceiling", "nonsense", "checked", "nonsense"],
    ];
    for loss in losses {
        fences.rise_over(loss, &server, &one).await;
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
        let checked = server.raw().command(&["HGET", FENCE_CLOCK, "checked"]);
        let Some(checked) = checked.text().and_then(|micros| micros.parse().ok()) else { return false };
        SystemTime::UNIX_EPOCH + Duration::from_micros(checked) + Duration::from_millis(110) < SystemTime::now()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_without_the_new_life_they_would_come_again() {
    let (_old, new, fences) = failover().await;
    let mut raw = new.raw();
    let life = life(&mut raw);
    assert_eq!(raw.command(&["HSET", FENCE_CLOCK, "life", &life]), Value::Int(0));
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
    let connections = |raw: &mut Raw| raw.figure("stats", "total_connections_received");
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

/// Each of the two begins with what the server before them wrote last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_rise_over_a_failover_that_loses_all_that_was_written_since_the_one_before() {
    let servers = [RedisServer::start(), RedisServer::start()];
    let copy = ahead(HOUR, "of the server before them");
    let mut fences = Fences { last: 0 };
    for server in &servers {
        set(&mut server.raw(), &copy);
        // Another process, which knows of no fence so far.
        fences.next(&build(server).await, "a failover").await;
        assert!(fences.last > time_as_fence(), "the negative control: the fences are ahead of the time");
    }
}
