//! An outage of the store is told by one line when it begins and one when it ends, whatever number of locks and requests it
//! strikes. What fails in between is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use dlock_runtime::{Builder, Guard, LockKey, Runtime};
use dlock_testkit::{
    RedisServer, eventually, eventually_async,
    log::{self, said},
};
use tracing::Level;

use crate::{
    MS, SECOND, SOON,
    kit::{listen, metric},
};

const BEGINS: &str = "message=the lock store cannot be asked ";
const ENDS: &str = "message=the lock store can be asked again ";

/// A server that keeps its data over a restart.
fn server() -> RedisServer {
    listen();
    RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
}

fn on(server: &RedisServer) -> Builder {
    let builder = Runtime::builder().redis(server.url()).namespace(format!("at{}", server.port()));
    builder.ttl(20 * SECOND).renew(SECOND).wait(200 * MS)
}

/// What was told at warn or above of this server and of locks whose keys begin with `keys`.
fn loud(server: &RedisServer, keys: &str) -> Vec<String> {
    let (store, key) = (store(server), format!("key={keys}"));
    log::warnings("").into_iter().filter(|line| line.contains(&store) || line.contains(&key)).collect()
}

fn store(server: &RedisServer) -> String {
    format!("store=127.0.0.1:{} ", server.port())
}

/// The lines of this server that say `what`.
fn lines(server: &RedisServer, what: &str) -> Vec<String> {
    said(what).into_iter().map(|(_, line)| line).filter(|line| line.contains(&store(server))).collect()
}

fn number(line: &str, field: &str) -> u64 {
    let (_, rest) = line.split_once(&format!(" {field}=")).unwrap_or_else(|| panic!("no {field}: {line}"));
    rest.split(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{field} is no number: {line}"))
}

/// Tasks that ask for locks all the time.
struct Requests {
    over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Requests {
    fn begin(runtime: &Runtime, keys: &'static str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ask = |task: usize| {
            let (runtime, over) = (runtime.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut failed = 0;
                while !over.load(Ordering::Acquire) {
                    match runtime.lock(format!("{keys}:request:{task}")).acquire().await {
                        Ok(guard) => drop(guard.release().await),
                        Err(error) if error.is_unavailable() => failed += 1,
                        // A request that the server carried out unheard is undone a moment after it is back.
                        Err(error) if error.is_busy() => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    tokio::time::sleep(5 * MS).await;
                }
                failed
            })
        };
        Self { tasks: (0..8).map(ask).collect(), over }
    }

    /// How many failed.
    async fn end(self) -> u64 {
        self.over.store(true, Ordering::Release);
        let mut failed = 0;
        for task in self.tasks {
            failed += task.await.expect("no panic");
        }
        failed
    }
}

async fn hold(runtime: &Runtime, count: usize) -> Vec<Guard> {
    let mut held = Vec::new();
    for number in 0..count {
        let key = LockKey::from_template("outage:<number>", &[&number]);
        held.push(runtime.lock(key).wait(SOON).acquire().await.expect("free"));
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_one_line_when_it_begins_and_one_when_it_ends_and_what_failed_in_between_adds_up() {
    let mut server = server();
    let runtime = on(&server).build().await.expect("a runtime");
    let held = hold(&runtime, 50).await;
    let mut failed = 0;
    for outage in 1..=2 {
        let requests = Requests::begin(&runtime, "outage");
        server.kill();
        let began = Instant::now();
        eventually("the beginning is told", SOON, || lines(&server, BEGINS).len() == outage);
        eventually("three seconds have passed", SOON, || began.elapsed() > 3 * SECOND);
        // Once they go on while it comes back, and once they are over before.
        let requests = if outage == 2 {
            failed += requests.end().await;
            None
        } else {
            Some(requests)
        };
        server.restart();
        eventually("the end is told", SOON, || lines(&server, ENDS).len() == outage);
        if let Some(requests) = requests {
            let guard = runtime.lock("outage:after").wait(SOON).acquire().await.expect("it is back");
            guard.release().await.expect("ours");
            failed += requests.end().await;
        }
    }
    let loud = loud(&server, "outage:");
    assert_eq!(loud.len(), 4, "{loud:#?}");
    assert!(loud[0].contains(BEGINS) && loud[0].contains("cause="), "{loud:#?}");
    let ends = lines(&server, ENDS);
    let sum = |field: &str| ends.iter().map(|line| number(line, field)).sum::<u64>();
    assert!(failed > 0);
    assert_eq!(sum("requests"), failed, "{ends:#?}");
    let (renewals, (counted, _)) = (sum("renewals"), metric("dlock_renewals_failed_total{lock=outage:<number>}"));
    assert!(renewals > 0 && renewals as f64 <= counted, "{renewals} of {counted}: {ends:#?}");
    assert!(counted <= (renewals + 50) as f64, "a batch may be under way at the end: {renewals} of {counted}");
    assert!(held.iter().all(Guard::is_held), "nothing was lost");
    assert!(ends.iter().all(|line| line.contains("lasted=")), "{ends:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lock_that_is_lost_in_an_outage_is_reported_and_nothing_else() {
    let mut server = server();
    let runtime = on(&server).build().await.expect("a runtime");
    let request = |name| {
        let key = LockKey::from_template("strikes:<name>", &[&name]);
        runtime.lock(key).ttl(SECOND).renew(300 * MS).acquire()
    };
    let (one, two) = (request("one").await.expect("free"), request("two").await.expect("free"));
    server.kill();
    eventually("both are lost", SOON, || !one.is_held() && !two.is_held());
    drop((one, two));
    eventually("their releases were given up", SOON, || {
        metric("dlock_releases_failed_total{lock=strikes:<name>}").0 >= 2.0
    });
    server.restart();
    eventually("the end is told", SOON, || !lines(&server, ENDS).is_empty());
    let loud = loud(&server, "strikes:");
    let of = |what: &str| loud.iter().filter(|line| line.contains(what)).count();
    assert_eq!((loud.len(), of("message=lost "), of(BEGINS), of(ENDS)), (4, 2, 1, 1), "{loud:#?}");
    assert!(number(&lines(&server, ENDS)[0], "releases") >= 2, "{:?}", lines(&server, ENDS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_silent_is_one_outage() {
    let server = server();
    let runtime = on(&server).command_timeout(300 * MS).build().await.expect("a runtime");
    let held = runtime.lock("silent:held").acquire().await.expect("free");
    let requests = Requests::begin(&runtime, "silent");
    server.pause();
    eventually("the beginning is told", SOON, || !lines(&server, BEGINS).is_empty());
    assert!(requests.end().await > 0);
    server.resume();
    eventually("the end is told", SOON, || !lines(&server, ENDS).is_empty());
    runtime.lock("silent:after").wait(SOON).acquire().await.expect("it answers").release().await.expect("ours");
    held.release().await.expect("ours");
    let loud = loud(&server, "silent:");
    assert_eq!(loud.len(), 2, "{loud:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_and_goes_does_not_fill_the_log() {
    let mut server = server();
    let runtime = on(&server).build().await.expect("a runtime");
    let requests = Requests::begin(&runtime, "flaps");
    // Short spells are told once; on a busy machine some are long.
    let mut long = 0;
    for _ in 0..6 {
        let errors = metric("dlock_store_errors_total{}").0;
        let began = Instant::now();
        server.kill();
        eventually("something failed", SOON, || metric("dlock_store_errors_total{}").0 > errors);
        server.restart();
        runtime.lock("flaps:after").wait(SOON).acquire().await.expect("it is back").release().await.expect("ours");
        long += usize::from(began.elapsed() > SECOND - 50 * MS);
    }
    requests.end().await;
    let loud = loud(&server, "flaps:");
    assert!(loud.len() >= 2 && loud.len() <= 2 + 2 * long, "{long} long spells: {loud:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_concern_one_key_are_no_outage() {
    let server = server();
    let mut raw = server.raw();
    let namespace = format!("at{}", server.port());
    assert!(raw.command(&["ACL", "SETUSER", "app", "on", "nopass", "+@all", "&*", "~dlock:fence-clock"]).is_ok());
    for keys in ["may", "dlock-probe"] {
        let patterns = [format!("~{namespace}:{keys}:*"), format!("~{{{namespace}:{keys}:*")];
        assert!(raw.command(&["ACL", "SETUSER", "app", &patterns[0], &patterns[1]]).is_ok());
    }
    let url = format!("redis://app:any@127.0.0.1:{}/", server.port());
    let runtime = on(&server).redis(url).build().await.expect("a runtime");
    runtime.lock("may:free").wait(SOON).acquire().await.expect("free").release().await.expect("ours");
    assert!(raw.command(&["LPUSH", &format!("{namespace}:may:list"), "x"]).int().is_some());
    for key in ["may:list", "not:allowed"] {
        // One line in a second is told of such mistakes, so that a hundred attempts make one or two.
        let lines = || {
            let lines = said("message=not acquired ").into_iter();
            lines.filter(|(level, line)| *level == Level::WARN && line.contains(key)).count()
        };
        eventually_async("it is told", SOON, async || {
            let error = runtime.lock(key).acquire().await.expect_err("it cannot work");
            assert!(error.is_config(), "{error:?}");
            lines() > 0
        })
        .await;
        let (began, before) = (Instant::now(), lines());
        for _ in 0..100 {
            assert!(runtime.lock(key).acquire().await.is_err());
        }
        assert!(lines() - before <= 1 + began.elapsed().as_secs() as usize, "{} lines", lines() - before);
    }
    // A lock that may not be renewed any more, told once however often that is tried.
    let held = runtime.lock("may:soon-not").renew(20 * MS).acquire().await.expect("free");
    assert!(raw.command(&["ACL", "SETUSER", "app", "resetkeys"]).is_ok());
    eventually("its renewal was refused several times", SOON, || {
        said("message=not renewed ").iter().filter(|(_, line)| line.contains("may:soon-not")).count() >= 3
    });
    let loud = loud(&server, "may:soon-not");
    assert_eq!(loud.len(), 1, "{loud:#?}");
    assert!(loud[0].contains("message=not renewed "), "{loud:#?}");
    assert!(lines(&server, BEGINS).is_empty(), "{:?}", lines(&server, BEGINS));
    drop(held);
}
