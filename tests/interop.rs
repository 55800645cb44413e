//! Clients of other languages on the same key: they exclude us and we exclude them, because the lock is the one people
//! know (the key's value is the owner's token, its TTL is the lease).

use std::{process::Command, time::Duration};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, Value, Worker, role, say, with_turns};

const SOON: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

/// The classic scripts, letter by letter as they stand in many code bases.
const LOCK: &str = "if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2]) return 1 else return 0 end";
const UNLOCK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";
const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('TTL', KEYS[1]) > 0 then
  return redis.call('EXPIRE', KEYS[1], ARGV[2]) else return 0 end";

async fn process() -> Runtime {
    let url = RedisServer::shared().url();
    Runtime::builder()
        .turns(with_turns())
        .redis(url)
        .namespace("interop")
        .ttl(LONG)
        .wait(SOON)
        .build()
        .await
        .expect("a runtime")
}

fn redis() -> Raw {
    RedisServer::shared().raw()
}

fn yes(redis: &mut Raw, script: &str, key: &str, arguments: &[&str]) -> bool {
    let words = [&["EVAL", script, "1", key], arguments].concat();
    redis.command(&words) == Value::Int(1)
}

/// What a foreign client can do: take the lock, and give it back.
async fn excludes_and_is_excluded(name: &str, mut lock: impl FnMut() -> bool, mut unlock: impl FnMut() -> bool) {
    let process = process().await;

    assert!(lock(), "it is free");
    assert!(process.is_locked(name).await.expect("an answer"));
    let refused = process.lock(name).wait(Duration::from_millis(200)).acquire().await.err();
    assert!(refused.as_ref().is_some_and(LockError::is_busy), "{refused:?}");
    assert!(unlock(), "nobody took it away");

    let guard = process.lock(name).acquire().await.expect("it was given back");
    assert!(!lock(), "we hold it");
    assert!(!unlock(), "it is not theirs");
    assert!(guard.is_held());
    guard.ensure_held().expect("held");
    guard.release().await.expect("still ours");

    assert!(lock(), "we gave it back");
    assert!(unlock());
}

#[tokio::test]
async fn set_nx_px_and_compare_and_delete() {
    let (mut one, mut two) = (redis(), redis());
    let lock = || one.command(&["SET", "interop:set-nx", "foreign", "NX", "PX", "30000"]).is_ok();
    let unlock = || yes(&mut two, UNLOCK, "interop:set-nx", &["foreign"]);
    excludes_and_is_excluded("set-nx", lock, unlock).await;
}

#[tokio::test]
async fn the_classic_scripts_with_setnx_and_expire() {
    let (mut one, mut two) = (redis(), redis());
    let lock = || yes(&mut one, LOCK, "interop:classic", &["foreign", "30"]);
    let unlock = || yes(&mut two, UNLOCK, "interop:classic", &["foreign"]);
    excludes_and_is_excluded("classic", lock, unlock).await;
}

#[tokio::test]
async fn the_classic_renewal_does_not_touch_our_lease() {
    let process = process().await;
    let mut redis = redis();
    assert!(yes(&mut redis, LOCK, "interop:renewal", &["foreign", "30"]));
    assert!(yes(&mut redis, RENEW, "interop:renewal", &["foreign", "20"]), "their own they renew");
    assert!(yes(&mut redis, UNLOCK, "interop:renewal", &["foreign"]));
    let _guard = process.lock("renewal").acquire().await.expect("it is free");
    assert!(!yes(&mut redis, RENEW, "interop:renewal", &["foreign", "1"]));
    assert!(redis.command(&["PTTL", "interop:renewal"]).int() > Some(20_000));
}

#[tokio::test]
async fn a_foreign_lock_that_never_expires_is_respected() {
    let process = process().await;
    let mut redis = redis();
    assert_eq!(redis.command(&["SETNX", "interop:for-ever", "foreign"]), Value::Int(1));
    let refused = process.lock("for-ever").wait(Duration::from_millis(300)).acquire().await;
    match refused {
        Err(LockError::Busy { holder: Some(holder), .. }) => {
            assert!(holder.is_foreign());
            assert_eq!(holder.remaining(), None);
        }
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(redis.command(&["TTL", "interop:for-ever"]), Value::Int(-1), "and left as it is");
    redis.command(&["DEL", "interop:for-ever"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_release_ends_our_waiting() {
    let process = process().await;
    let mut redis = redis();
    assert!(redis.command(&["SET", "interop:handed", "foreign", "NX", "PX", "30000"]).is_ok());
    let waiting = tokio::spawn(async move { process.lock("handed").wait(LONG).acquire().await.map(|g| g.fence()) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    assert!(yes(&mut redis, UNLOCK, "interop:handed", &["foreign"]));
    let got = tokio::time::timeout(SOON, waiting).await.expect("long before the foreign lease ends");
    got.expect("no panic").expect("it is free now");
}

/// redis-py's own `Lock`, driven line by line: `lock` and `unlock` answer `True` or `False`.
const REDIS_PY: &str = r#"
import sys, redis
from redis.exceptions import LockError
client = redis.Redis.from_url(sys.argv[1])
lock = client.lock(sys.argv[2], timeout=30, blocking=False, thread_local=False)
for order in sys.stdin:
    try:
        answer = lock.acquire() if order.strip() == "lock" else lock.release() is None
    except LockError:
        answer = False
    print(bool(answer), flush=True)
"#;

#[tokio::test]
async fn the_lock_of_redis_py() {
    use std::io::{BufRead, BufReader, Write};

    let Some(python) = std::env::var_os("DLOCK_PYTHON") else {
        println!("SKIPPED: DLOCK_PYTHON names no python with redis-py (`bash tests/run` sets it where it can)");
        return;
    };
    let url = RedisServer::shared().url();
    let mut child = Command::new(python)
        .args(["-c", REDIS_PY, &url, "interop:redis-py"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python starts");
    let orders = child.stdin.take().expect("its input is piped");
    let answers = std::cell::RefCell::new(BufReader::new(child.stdout.take().expect("its output is piped")));
    let ask = |order: &str| {
        (&orders).write_all(order.as_bytes()).expect("python listens");
        let mut answer = String::new();
        answers.borrow_mut().read_line(&mut answer).expect("python answers");
        match answer.trim() {
            "True" => true,
            "False" => false,
            other => panic!("redis-py said {other:?}"),
        }
    };
    excludes_and_is_excluded("redis-py", || ask("lock\n"), || ask("unlock\n")).await;
    drop(orders);
    assert!(child.wait().expect("python ends").success());
}

/// Where worker processes of this file start.
#[test]
fn worker_entry() {
    if role().as_deref() != Some("bystander") {
        return;
    }
    // A foreign process in every sense: it knows only the URL and the classic scripts.
    let mut redis = Raw::connect(&std::env::var("URL").expect("URL is set"));
    let mut entered = 0;
    while entered < 20 {
        if yes(&mut redis, LOCK, "interop:mixed", &["bystander", "30"]) {
            assert_eq!(redis.command(&["INCR", "interop:inside"]), Value::Int(1), "alone inside");
            redis.command(&["DECR", "interop:inside"]);
            assert!(yes(&mut redis, UNLOCK, "interop:mixed", &["bystander"]), "nobody took it away");
            entered += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    say("done");
}

#[tokio::test]
async fn a_foreign_process_and_ours_take_turns_without_overlap() {
    let url = RedisServer::shared().url();
    let worker = Worker::spawn("worker_entry", "bystander", &[("URL", &url)]);
    let (process, mut redis) = (process().await, redis());
    for _ in 0..20 {
        let guard = process.lock("mixed").wait(LONG).acquire().await.expect("a turn");
        assert_eq!(redis.command(&["INCR", "interop:inside"]), Value::Int(1), "alone inside");
        tokio::task::yield_now().await;
        redis.command(&["DECR", "interop:inside"]);
        guard.release().await.expect("nobody took it away");
    }
    worker.expect("done", LONG);
    assert!(worker.finish(SOON).success());
}
