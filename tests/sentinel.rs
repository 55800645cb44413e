//! Locks in a master that Redis Sentinel watches over: the runtime finds it, and moves with it after a failover.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Guard, LockError, Runtime};
use dlock_testkit::{Proxy, Raw, RedisServer, Sentinels, Value, eventually, eventually_async, log};
use tokio::task::JoinHandle;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(30);
/// A lease that no test lives to see the end of.
const LONG: Duration = Duration::from_secs(60);
/// How much later than `wait` a request may end, on a loaded machine.
const SLACK: Duration = Duration::from_millis(700);

fn on(group: &Sentinels) -> Builder {
    at(Sentinels::MASTER, group.urls())
}

fn at(master: &str, sentinels: Vec<String>) -> Builder {
    Runtime::builder().sentinel(master, sentinels).namespace("sentinel").ttl(LONG).wait(LONG)
}

async fn build(group: &Sentinels) -> Runtime {
    on(group).build().await.expect("the master is there")
}

fn wait_for(runtime: &Runtime, key: &'static str) -> JoinHandle<Guard> {
    let request = runtime.lock(key);
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

async fn until_somebody_waits(runtime: &Runtime, key: &'static str) {
    eventually_async("somebody waits", SOON, async || {
        runtime.inspect(key).await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == 1))
    })
    .await;
}

/// From one to the other, by a message: by polls it would take 125 ms on the average.
async fn is_direct(holder: &Runtime, waiter: &Runtime) {
    let mut times = Vec::new();
    for _ in 0..9 {
        let guard = holder.lock("times").acquire().await.expect("a turn");
        let waiting = wait_for(waiter, "times");
        until_somebody_waits(holder, "times").await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        waiting.await.expect("no panic").release().await.expect("ours");
        times.push(released.elapsed());
    }
    times.sort();
    assert!(times[4] < 60 * MS, "{times:?}");
}

/// Returns when the replicas have what the master has.
fn until_copied(group: &Sentinels) {
    let mut raw = group.master().raw();
    eventually("it is copied", SOON, || {
        raw.command(&["SET", "copied", "1"]);
        raw.command(&["WAIT", "2", "1000"]) == Value::Int(2)
    });
}

/// How many connections of ours a server has. Sentinels listen to one channel of it, and we to two.
fn connections(raw: &mut Raw) -> usize {
    raw.clients().iter().filter(|client| client["name"] == "checkout" || client["sub"] == "2").count()
}

fn text(error: &LockError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    assert!(!said.contains("sesame"), "{said}");
    said
}

async fn refused(builder: Builder) -> String {
    let error = builder.wait(300 * MS).build().await.expect_err("it cannot be built");
    assert!(matches!(error, LockError::Config { .. }), "{error:?}");
    text(&error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_taken_from_the_master_and_handed_over_directly() {
    let group = Sentinels::shared();
    let [holder, waiter] = [build(group).await, build(group).await];
    let guard = holder.lock("main").acquire().await.expect("free");
    assert!(group.master().raw().exists("sentinel:main"));
    assert!(waiter.lock("main").try_acquire().await.expect("asked").is_none());
    guard.release().await.expect("ours");
    is_direct(&holder, &waiter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_database_and_name_are_those_of_the_masters_url_and_sentinels_have_their_own() {
    let group = Sentinels::start_with(LONG, &[]);
    for server in &group.servers {
        assert!(server.raw().command(&["ACL", "SETUSER", "app", "on", ">open/sesame", "~*", "&*", "+@all"]).is_ok());
    }
    // SAFETY.md has these rights.
    let safety = include_str!("../SAFETY.md");
    let start = safety.find("ACL SETUSER locks").expect("SAFETY.md has the block");
    let rights = safety[start..].split("```").next().expect("it ends").split_whitespace().collect::<Vec<_>>();
    assert_eq!(rights[..5], ["ACL", "SETUSER", "locks", "on", ">password"]);
    for sentinel in &group.sentinels {
        let mut raw = sentinel.raw();
        let words = [&["ACL", "SETUSER", "locks", "on", ">sesame-2"], &rights[5..]].concat();
        assert!(raw.command(&words).is_ok(), "{words:?}");
        assert!(raw.command(&["ACL", "SETUSER", "default", "resetpass", ">admin"]).is_ok());
    }
    let urls =
        group.urls().into_iter().map(|url| url.replace("redis://", "redis://locks:sesame-2@")).collect::<Vec<_>>();
    let master = "redis://app:open%2Fsesame@mymaster/5";
    let builder = at(master, urls.clone()).client_name("checkout");
    assert!(!format!("{builder:?}").contains("sesame"), "{builder:?}");
    let runtime = builder.build().await.expect("a runtime");
    let guard = runtime.lock("user").acquire().await.expect("free");
    let mut raw = group.servers[0].raw();
    let ours = raw.clients().into_iter().filter(|client| client["user"] == "app").collect::<Vec<_>>();
    assert!(ours.iter().any(|client| client["name"] == "checkout" && client["db"] == "5"), "{ours:?}");
    assert!(raw.command(&["SELECT", "5"]).is_ok() && raw.exists("sentinel:user"));
    guard.release().await.expect("held");
    for sentinel in &group.sentinels {
        let mut raw = sentinel.raw();
        assert!(raw.command(&["AUTH", "admin"]).is_ok());
        eventually("each is listened to", SOON, || {
            raw.clients().iter().any(|client| client["user"] == "locks" && client["sub"] == "2")
        });
        assert_eq!(raw.command(&["ACL", "LOG"]), Value::List(vec![]), "the rights of SAFETY.md are enough");
    }

    let said = refused(at(master, group.urls())).await;
    assert!(said.contains("the sentinel at 127.0.0.1:") && said.contains("its own URL"), "{said}");
    let said = refused(at("redis://app:sesame-wrong@mymaster", urls)).await;
    assert!(said.contains(&format!("127.0.0.1:{} (master `mymaster`)", group.servers[0].port())), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leads_to_no_master_is_named() {
    let group = Sentinels::shared();
    let said = refused(at("yourmaster", group.urls())).await;
    assert!(said.contains("the sentinels know no master `yourmaster`, but `mymaster`"), "{said}");
    let said = refused(at("mymaster", vec![group.servers[0].url()])).await;
    assert!(said.contains(&format!("127.0.0.1:{} is no sentinel", group.servers[0].port())), "{said}");
    let said = refused(at("mymaster", Vec::new())).await;
    assert!(said.contains("no sentinel is named"), "{said}");
    let said = refused(at("redis://:sesame@127.0.0.1:6379/", group.urls())).await;
    assert!(said.contains("without a port"), "{said}");
    let said = refused(at("redis://:ses/ame@mymaster/", group.urls())).await;
    assert!(said.contains("percent-encoded"), "{said}");
    let said = refused(at("mymaster", vec![group.urls()[0].clone() + "3"])).await;
    assert!(said.contains("no database"), "{said}");
    let said = refused(on(group).redis(group.servers[0].url())).await;
    assert!(said.contains("more than one of `redis`, `redis_client` and `sentinel`"), "{said}");
    let said = refused(on(group).embedded()).await;
    assert!(said.contains("choose one"), "{said}");
    let said = refused(Runtime::builder().redis(group.urls()[0].clone())).await;
    assert!(said.contains("this is a sentinel; say `.sentinel("), "{said}");

    // Nobody is there, which may pass.
    let nowhere = vec!["redis://127.0.0.1:1".to_owned(), "redis://:sesame@[::1]:1".to_owned()];
    let error = at("mymaster", nowhere).wait(100 * MS).build().await.expect_err("nobody is there");
    assert!(error.is_unavailable(), "{error:?}");
    let said = text(&error);
    assert!(said.contains("no sentinel says where the master `mymaster` is: 127.0.0.1:1: "), "{said}");
    assert!(said.contains(", [::1]:1: "), "{said}");
    // The negative control: it was the names.
    at("mymaster", group.urls()).build().await.expect("these are right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_are_down_or_do_not_answer_are_done_without() {
    let mut group = Sentinels::start_with(LONG, &[]);
    let before = build(&group).await;
    group.sentinels[0].kill();
    let began = Instant::now();
    group.sentinels[1].pause();
    let runtime = build(&group).await;
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    runtime.lock("one").acquire().await.expect("free").release().await.expect("ours");
    // A name that none knows is told from sentinels of which none answers.
    let said = refused(at("yourmaster", group.urls())).await;
    assert!(said.contains("know no master `yourmaster`"), "{said}");
    group.sentinels[2].kill();
    let error = on(&group).wait(300 * MS).build().await.expect_err("nobody says where the master is");
    assert!(error.is_unavailable(), "{error:?}");
    // Who is connected needs no sentinel.
    is_direct(&before, &runtime).await;
    let lazy = on(&group).connect_lazily().build().await.expect("it asks nobody");
    let error = lazy.lock("lazy").wait(300 * MS).acquire().await.expect_err("nobody says where the master is");
    assert!(error.is_unavailable() && text(&error).contains("`mymaster`"), "{}", text(&error));
    group.sentinels[1].resume();
    lazy.lock("lazy").acquire().await.expect("free").release().await.expect("ours");
    build(&group).await.lock("again").acquire().await.expect("free").release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_keeps_locks_and_moves_everything_to_the_new_master() {
    log::listen();
    let group = Sentinels::start_with(LONG, &[]);
    let [holder, waiter] = [on(&group).client_name("checkout"), on(&group).client_name("checkout")].map(Builder::build);
    let (holder, waiter) = (holder.await.expect("a runtime"), waiter.await.expect("a runtime"));
    let held = holder.lock("held").ttl(8 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, "held");
    until_somebody_waits(&holder, "held").await;
    until_copied(&group);
    let old = &group.servers[group.master_at()];
    group.fail_over();
    let moved = Instant::now();
    let (mut at_old, mut at_new) = (old.raw(), group.master().raw());
    // It does not know yet that it was replaced, and nobody tells its clients but the sentinels.
    let role = at_old.command(&["ROLE"]);
    assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "{role:?}");
    eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    let guard = holder.lock("new").acquire().await.expect("free");
    assert!(moved.elapsed() < SECOND, "{:?}", moved.elapsed());
    assert!(at_new.exists("sentinel:new") && !at_old.exists("sentinel:new"));
    guard.release().await.expect("ours");
    held.renew().await.expect("it was copied, so it is ours yet");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    eventually("both listen at the new master", 3 * SECOND, || {
        at_new.clients().iter().filter(|client| client["sub"] == "2").count() == 2
    });
    is_direct(&holder, &waiter).await;
    let said = log::said("the lock store is at another server now");
    let port = format!("store=127.0.0.1:{} (master `mymaster`)", group.master().port());
    assert!(said.iter().any(|(_, line)| line.contains(&port)), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_costs_the_time_of_the_sentinels_and_no_lock() {
    log::listen();
    let mut group = Sentinels::start();
    let [holder, waiter] = [build(&group).await, build(&group).await];
    let held = holder.lock("held").ttl(30 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, "held");
    until_somebody_waits(&holder, "held").await;
    until_copied(&group);
    let old = group.master_at();
    let port = group.servers[old].port();
    group.servers[old].kill();
    // Nobody waits for longer than is said, with an error that says what is wrong and where.
    for round in 0..4 {
        let wait = 100 * MS * round;
        let began = Instant::now();
        let error = holder.lock(format!("{round}")).wait(wait).acquire().await.expect_err("nobody is there");
        assert!(error.is_unavailable(), "{error:?}");
        // One question is asked even without any time.
        assert!(began.elapsed() < wait.max(500 * MS) + SLACK, "{wait:?}: {:?}", began.elapsed());
        assert!(text(&error).contains(&format!("127.0.0.1:{port} (master `mymaster`)")), "{}", text(&error));
    }
    let patient = holder.lock("patient").acquire();
    group.until_replaced(old);
    let found = Instant::now();
    patient.await.expect("there is a master").release().await.expect("ours");
    assert!(found.elapsed() < SECOND, "{:?}", found.elapsed());
    held.renew().await.expect("it was copied, so it is ours yet");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    let mut at_new = group.master().raw();
    eventually("both listen at the new master", 3 * SECOND, || {
        at_new.clients().iter().filter(|client| client["sub"] == "2").count() == 2
    });
    is_direct(&holder, &waiter).await;
    let outage = log::warnings(&format!("store=127.0.0.1:{port} (master `mymaster`)"));
    assert!(outage.iter().any(|line| line.contains("cannot be asked")), "{outage:?}");

    // It comes back, and is made a replica.
    group.servers[old].restart();
    group.until_ready();
    is_direct(&holder, &waiter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_master_that_comes_back_grants_nothing() {
    let group = Sentinels::start();
    let runtime = on(&group).client_name("checkout").build().await.expect("a runtime");
    runtime.lock("before").acquire().await.expect("free").release().await.expect("ours");
    // A connection in another tokio runtime, which is not used in between.
    let idle = std::thread::spawn({
        let request = runtime.lock("idle");
        move || {
            let executor = tokio::runtime::Runtime::new().expect("an executor");
            executor.block_on(async { request.acquire().await.expect("free").release().await.expect("ours") });
            executor
        }
    });
    let idle = idle.join().expect("no panic");
    until_copied(&group);
    let old = group.master_at();
    group.servers[old].pause();
    // A request that has no answer yet when the master is replaced.
    let under_way = tokio::spawn(runtime.lock("under-way").acquire());
    group.until_replaced(old);
    let new = group.master().raw();
    let guard = tokio::time::timeout(SOON, under_way).await.expect("in time").expect("no panic").expect("a master");
    group.servers[old].resume();
    let (mut at_old, mut at_new) = (group.servers[old].raw(), new);
    let role = at_old.command(&["ROLE"]);
    assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "the control: {role:?}");
    assert!(at_new.exists("sentinel:under-way"));
    guard.ensure_held().expect("by the new master");
    let (held, executor) = std::thread::spawn({
        let request = runtime.lock("idle");
        move || (idle.block_on(request.acquire()), idle)
    })
    .join()
    .expect("no panic");
    let held = held.expect("free");
    assert!(at_new.exists("sentinel:idle") && !at_old.exists("sentinel:idle"));
    held.release().await.expect("ours");
    guard.release().await.expect("ours");
    eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    std::thread::spawn(move || drop(executor)).join().expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_missed_a_failover_misleads_nobody() {
    let group = Sentinels::start_with(LONG, &[]);
    let runtime = build(&group).await;
    until_copied(&group);
    let old = group.master_at();
    group.sentinels[2].pause();
    let mut leader = group.sentinels[0].raw();
    assert!(leader.command(&["SENTINEL", "FAILOVER", "mymaster"]).is_ok());
    let port = group.servers[old].port().to_string();
    let names = |raw: &mut Raw| {
        let Value::List(words) = raw.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]) else { return None };
        words[1].text().map(str::to_owned)
    };
    eventually("there is a new master", SOON, || names(&mut leader).is_some_and(|named| named != port));
    group.sentinels[2].resume();
    let fresh = build(&group).await;
    let mut at_old = group.servers[old].raw();
    for runtime in [&fresh, &runtime] {
        // Each learns of it by one answer or message. For ten seconds the old master would take locks.
        let began = Instant::now();
        eventually_async("it is at the new master", SOON, async || {
            let guard = runtime.lock("k").acquire().await.expect("a master");
            let is_at_old = at_old.exists("sentinel:k");
            _ = guard.release().await;
            !is_at_old
        })
        .await;
        assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
        let role = at_old.command(&["ROLE"]);
        assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "the control: {role:?}");
    }
}

/// No sentinel tells of it, as somebody does it by hand, and no connection is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_demoted_is_left_at_its_first_refusal_and_by_an_idle_listener() {
    let old = RedisServer::start();
    let new = RedisServer::start_replica_of(&old);
    let watches = |server: &RedisServer| {
        RedisServer::start_sentinel(&format!("sentinel monitor mymaster 127.0.0.1 {} 1\n", server.port()))
    };
    let sentinel = watches(&old);
    let proxy = Proxy::start(&sentinel);
    let runtime = at("mymaster", vec![proxy.url()]).client_name("checkout").build().await.expect("a runtime");
    let held = runtime.lock("held").acquire().await.expect("free");
    let (mut at_old, mut at_new) = (old.raw(), new.raw());
    eventually("it is copied", SOON, || at_new.exists("sentinel:held"));
    // Until it is killed it would make the old master one again.
    sentinel.pause();
    new.promote();
    old.follow(&new);
    assert!(connections(&mut at_old) > 0, "the control: they are open");
    let next = watches(&new);
    proxy.redirect(&next);
    held.renew().await.expect("the new master has it");
    let time = eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    assert!(time < Duration::from_secs(8), "{time:?}");
    eventually("it listens at the new one", SOON, || at_new.clients().iter().any(|client| client["sub"] == "2"));
    held.release().await.expect("ours");
    sentinel.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_of_several_runtimes_work_on_after_each_failover() {
    let group = Sentinels::start_with(LONG, &[]);
    let runtimes = [build(&group).await, build(&group).await, build(&group).await];
    let (turns, stop) = <(Arc<AtomicU32>, Arc<AtomicBool>)>::default();
    let mut tasks = Vec::new();
    for runtime in runtimes.iter().cycle().take(12) {
        let (runtime, turns, stop) = (runtime.clone(), turns.clone(), stop.clone());
        tasks.push(tokio::spawn(async move {
            let mut unavailable = 0;
            while !stop.load(Ordering::Relaxed) {
                match runtime.lock("one").ttl(2 * SECOND).wait(5 * SECOND).acquire().await {
                    Ok(guard) => {
                        tokio::time::sleep(MS).await;
                        // It may be lost, if the new master never had it.
                        turns.fetch_add(u32::from(guard.release().await.is_ok()), Ordering::Relaxed);
                    }
                    Err(error) if error.is_unavailable() => unavailable += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            unavailable
        }));
    }
    for _ in 0..2 {
        let before = turns.load(Ordering::Relaxed);
        eventually("they work", SOON, || turns.load(Ordering::Relaxed) > before + 50);
        group.fail_over();
        let now = turns.load(Ordering::Relaxed);
        // A lock that the new master has and its holder gave back to the old one goes with its TTL.
        let time = eventually("they work again", SOON, || turns.load(Ordering::Relaxed) > now + 20);
        assert!(time < 4 * SECOND, "{time:?}");
        group.until_ready();
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), 0, "each got the lock within its patience");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_names_and_ipv6_addresses_are_followed_as_they_are_announced() {
    let server = RedisServer::start_with(&["--bind", "127.0.0.1", "::1"]);
    let name = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n";
    for (host, shown, lines) in [("localhost", "localhost", name), ("::1", "[::1]", "")] {
        let monitor = format!("{lines}sentinel monitor mymaster {host} {} 1\n", server.port());
        let sentinel = RedisServer::start_sentinel(&monitor);
        let runtime = at("mymaster", vec![sentinel.url()]).build().await.expect("a runtime");
        runtime.lock("k").acquire().await.expect("free").release().await.expect("ours");
        let said = refused(at("redis://nobody:sesame@mymaster/2", vec![sentinel.url()])).await;
        let shown = format!("{shown}:{}, database 2 (master `mymaster`)", server.port());
        assert!(said.contains(&shown), "{said}");
    }
}
