//! The service as its clients see it: two instances on one Redis and one database sell what is there and no more, and
//! every kind of trouble has its own answer.

mod support;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use dlock_testkit::{RedisServer, eventually};
use support::{Blockade, Folder, Service, execute};

/// The key that the service locks for product 1.
const KEY: &str = "shop:stock:1";

const SOON: Duration = Duration::from_secs(10);

#[test]
fn two_instances_sell_exactly_what_is_there() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let stock = "1:100,2:1000";
    let instances = [Service::start(&redis, &folder, stock, "10"), Service::start(&redis, &folder, stock, "10")];
    let (sold, refused, others) = (AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let service = &instances[client % 2];
            let (sold, refused, others) = (&sold, &refused, &others);
            scope.spawn(move || {
                for _ in 0..20 {
                    match service.deduct(1, 1).status {
                        200 => sold.fetch_add(1, Ordering::Relaxed),
                        422 => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("unexpected status {other}"),
                    };
                    let answer = service.deduct(2, 3);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    others.fetch_add(3, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(sold.into_inner(), 100);
    assert_eq!(refused.into_inner(), 60);
    assert_eq!(instances[0].left(1), 0);
    assert_eq!(instances[1].left(2), 1000 - others.into_inner());
}

#[test]
fn a_product_that_somebody_else_holds_is_409_with_retry_after() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let service = Service::start(&redis, &folder, "1:10", "0.2");
    let mut raw = redis.raw();
    assert!(raw.command(&["SET", KEY, "somebody else", "NX", "PX", "5000"]).is_ok());
    let began = Instant::now();
    let answer = service.deduct(1, 1);
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "waited {:?}", began.elapsed());
    assert!((1..=5).contains(&answer.retry_after().expect("a Retry-After")), "{answer:?}");
    assert_eq!(service.left(1), 10);

    raw.command(&["DEL", KEY]);
    assert_eq!(service.deduct(1, 1).status, 200);
    assert_eq!(service.left(1), 9);
}

#[test]
fn a_holder_that_comes_after_a_later_one_writes_nothing() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let service = Service::start(&redis, &folder, "1:10", "2");
    // As if somebody had claimed the product while our lease had ended unnoticed.
    execute(&folder.database(), "UPDATE stock SET fence = 9007199254740991");
    let answer = service.deduct(1, 1);
    assert_eq!((answer.status, answer.retry_after()), (409, Some(1)), "{answer:?}");
    assert_eq!(service.left(1), 10);
    execute(&folder.database(), "UPDATE stock SET fence = 0");
    assert_eq!(service.deduct(1, 1).status, 200);
}

#[test]
fn more_than_there_is_is_422_and_an_unknown_product_is_404() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let service = Service::start(&redis, &folder, "1:10", "2");
    let answer = service.deduct(1, 11);
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json()["error"], "out of stock");
    assert_eq!(answer.json()["left"], 10);
    assert_eq!(service.deduct(1, 10).status, 200);
    assert_eq!(service.deduct(7, 1).status, 404);
    assert_eq!(service.get("/products/7").status, 404);
}

#[test]
fn without_redis_nothing_is_sold_and_the_answer_is_503() {
    let (mut redis, folder) = (RedisServer::start(), Folder::new());
    let service = Service::start(&redis, &folder, "1:10", "0.5");
    assert_eq!(service.deduct(1, 1).status, 200);
    redis.kill();
    let began = Instant::now();
    let answer = service.deduct(1, 1);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
    assert_eq!(service.left(1), 9, "reading needs no lock");

    redis.restart();
    eventually("it sells again", SOON, || service.deduct(1, 1).status == 200);
    assert_eq!(service.left(1), 8);
}

#[test]
fn metrics_are_labelled_by_template_and_never_by_key() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let service = Service::start(&redis, &folder, "1:10,4242:10", "2");
    assert_eq!(service.deduct(1, 1).status, 200);
    assert_eq!(service.deduct(4242, 1).status, 200);
    let answer = service.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("dlock_acquired_total{lock=\"stock:<id>\"} 2"), "{}", answer.body);
    assert!(answer.body.contains("dlock_wait_seconds_bucket{lock=\"stock:<id>\""), "{}", answer.body);
    assert!(!answer.body.contains("4242"), "{}", answer.body);
}

#[test]
fn sigterm_answers_the_requests_under_way_and_leaves_no_key_behind() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let mut service = Service::start(&redis, &folder, "1:10", "2");
    let mut raw = redis.raw();
    let blockade = Blockade::of(&folder.database());
    let answer = std::thread::scope(|scope| {
        let client = service.connect();
        let request = scope.spawn(|| client.ask("POST", "/products/1/deduct", "{\"qty\": 1}"));
        eventually("the handler holds the lock", SOON, || raw.exists(KEY));
        service.terminate();
        std::thread::sleep(Duration::from_millis(200));
        assert!(raw.exists(KEY), "the handler is not done");
        drop(blockade);
        request.join().expect("the client gets an answer")
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually("the service ends", SOON, || service.has_ended().is_some());
    assert!(service.has_ended().is_some_and(|status| status.success()));
    assert!(!raw.exists(KEY));
}

#[test]
fn sigterm_right_after_a_client_has_left_leaves_no_key_behind() {
    let (redis, folder) = (RedisServer::start(), Folder::new());
    let mut service = Service::start(&redis, &folder, "1:10", "2");
    let mut raw = redis.raw();
    let blockade = Blockade::of(&folder.database());
    let mut client = service.connect();
    client.send("POST", "/products/1/deduct", "{\"qty\": 1}");
    eventually("the handler holds the lock", SOON, || raw.exists(KEY));
    // The handler is dropped in the middle, and its lock is released by the runtime's keeper.
    drop(client);
    service.terminate();
    eventually("the service ends", SOON, || service.has_ended().is_some());
    assert!(service.has_ended().is_some_and(|status| status.success()));
    assert!(!raw.exists(KEY));
    drop(blockade);
}
