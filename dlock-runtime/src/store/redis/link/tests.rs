use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use redis::{IntoConnectionInfo, RedisConnectionInfo, RedisResult, Value, aio::MultiplexedConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Far more than a reply of this process takes.
const SOON: Duration = Duration::from_secs(5);

/// Nothing is said when a connection is made.
fn settings() -> RedisConnectionInfo {
    let info = "redis://unused".into_connection_info().expect("a URL");
    info.redis_settings().clone().set_skip_set_lib_name()
}

async fn linked() -> (Link, DuplexStream) {
    let (here, there) = duplex(1024);
    (Link::over(here, &settings(), config()).await.expect("nothing is said"), there)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn assert_ended(reply: &RedisResult<Value>) {
    assert!(reply.as_ref().is_err_and(|error| error.is_connection_dropped()), "{reply:?}");
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it does not hang")
}

#[tokio::test]
async fn a_request_that_nobody_takes_fails_once_the_connection_has_ended() {
    let end = Arc::new(End::default());
    let (stream, _there) = duplex(1024);
    let stream = Watched { stream, end: Arc::clone(&end) };
    // The channel stays as it is, as one does that was emptied before the request came.
    let driver = MultiplexedConnection::new_with_config(&settings(), stream, config()).await;
    let (connection, _channel) = driver.expect("nothing is said");
    let task = system::spawn(std::future::pending());
    let driver = Driver { end: Arc::clone(&end), task };
    let mut link = Link { connection, driver: Some(Arc::new(driver)), _kept: None };
    let (mut other, ping) = (link.clone(), redis::cmd("PING"));
    let mut before = pin!(link.send_packed_command(&ping));
    assert!(poll(before.as_mut()).is_pending(), "the connection is there");
    end.set();
    let Poll::Ready(reply) = poll(before) else { panic!("it waits for ever") };
    assert_ended(&reply);
    let Poll::Ready(reply) = poll(pin!(other.send_packed_command(&ping))) else { panic!("it waits for ever") };
    assert_ended(&reply);
    let mut both = redis::pipe();
    both.add_command(ping.clone()).add_command(ping.clone());
    let Poll::Ready(reply) = poll(pin!(both.query_async::<Value>(&mut other))) else { panic!("it waits for ever") };
    assert_ended(&reply);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_outlives_a_connection_that_ends_at_the_same_time() {
    let start = Instant::now();
    for round in 0_u32.. {
        let (mut link, there) = linked().await;
        drop(there);
        // The end and the request meet sooner or later.
        (0..round % 400).for_each(|_| std::hint::spin_loop());
        assert_ended(&in_time(link.send_packed_command(&redis::cmd("PING"))).await);
        if start.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
}

#[tokio::test]
async fn a_reply_that_came_before_the_end_counts() {
    let (mut link, mut there) = linked().await;
    let end = Arc::clone(&link.driver.as_ref().expect("driven here").end);
    let ping = redis::cmd("PING");
    let mut reply = pin!(link.send_packed_command(&ping));
    assert!(poll(reply.as_mut()).is_pending());
    let mut request = [0; 64];
    let length = in_time(there.read(&mut request)).await.expect("a request");
    assert_eq!(&request[..length], b"*1\r\n$4\r\nPING\r\n");
    in_time(there.write_all(b"+PONG\r\n")).await.expect("it is read");
    drop(there);
    in_time(async {
        while !end.has_come() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(in_time(reply).await.expect("a reply"), Value::SimpleString("PONG".to_owned()));
}

#[tokio::test]
async fn a_mute_connection_is_closed_with_its_last_user() {
    let (mut link, mut there) = linked().await;
    let ping = redis::cmd("PING");
    let given_up = tokio::time::timeout(Duration::from_millis(1), link.send_packed_command(&ping)).await;
    assert!(given_up.is_err(), "nobody replies");
    drop(link);
    let mut all = Vec::new();
    in_time(there.read_to_end(&mut all)).await.expect("the end");
}
