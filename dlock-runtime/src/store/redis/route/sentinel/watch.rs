//! Listening to the sentinels, who say when the master moves.
//!
//! All of them are listened to: each tells of a failover only when it knows of it itself, the one that made it first. A message is only
//! a reason to ask. While some of them cannot be heard, all are asked now and then.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_core::Stream;
use redis::{RedisResult, Value};
use tokio::time::{sleep, timeout};

use super::{
    super::super::{connections::Connections, dial},
    Sentinels,
    ask::Sentinel,
};
use crate::system::{self, JoinHandle};

/// What a sentinel publishes when it made a replica the master, and when it took up who the master is. Between the two it may wait
/// for the other replicas, for seconds, in which new connections lead to the new master.
const PROMOTED: &str = "+promoted-slave";
const SWITCHED: &str = "+switch-master";

/// After so long without a message the connection is tried.
const SILENCE: Duration = Duration::from_secs(5);

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The pauses between attempts to listen.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The task that listens. It ends when this is dropped.
pub(in super::super::super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Begins to listen, in the current tokio runtime.
    pub(in super::super) fn begin(sentinels: &Arc<Sentinels>, connections: &Arc<Connections>) -> Self {
        Self(system::spawn(watch(Arc::clone(sentinels), Arc::downgrade(connections))))
    }

    pub(in super::super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(sentinels: Arc<Sentinels>, connections: Weak<Connections>) {
    let heard = AtomicUsize::new(0);
    let (all, heard) = (&sentinels, &heard);
    let mut listening: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
    for sentinel in &all.sentinels {
        listening.push(Box::pin(listen(all, sentinel, heard)));
    }
    let mut looking = pin!(async {
        loop {
            let news = timeout(SILENCE, all.news.notified()).await;
            if news.is_ok() || heard.load(Ordering::Relaxed) < all.sentinels.len() {
                all.look(&connections).await;
            }
        }
    });
    // None of them ends.
    poll_fn(|cx| {
        for one in &mut listening {
            _ = one.as_mut().poll(cx);
        }
        looking.as_mut().poll(cx)
    })
    .await
}

/// Listens to one sentinel for good.
async fn listen(sentinels: &Sentinels, sentinel: &Sentinel, heard: &AtomicUsize) {
    let mut pause = SHORTEST;
    loop {
        if hear(sentinels, sentinel, heard).await {
            pause = SHORTEST;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Listens to a sentinel until its connection ends. False if there was none.
async fn hear(sentinels: &Sentinels, sentinel: &Sentinel, heard: &AtomicUsize) -> bool {
    let subscribed = timeout(LIMIT, async {
        let mut connection = dial::messages(&sentinel.client).await?;
        connection.subscribe(SWITCHED).await?;
        // Who may not hear of it learns of a failover a little later.
        _ = connection.subscribe(PROMOTED).await;
        RedisResult::Ok(connection)
    });
    let Ok(Ok(connection)) = subscribed.await else { return false };
    let (mut sink, mut messages) = connection.split();
    heard.fetch_add(1, Ordering::Relaxed);
    let _heard = Heard(heard);
    // What it said before is missed.
    sentinels.news.notify_one();
    loop {
        match timeout(SILENCE, poll_fn(|cx| Pin::new(&mut messages).poll_next(cx))).await {
            Ok(Some(message)) => {
                // The name is a word of both.
                let mut words = message.get_payload_bytes().split(|byte| *byte == b' ');
                if words.any(|word| word == sentinels.master.as_bytes()) {
                    sentinels.news.notify_one();
                }
            }
            Ok(None) => return true,
            Err(_) => match timeout(LIMIT, sink.ping::<Value>()).await {
                Ok(Ok(_)) => {}
                _ => return true,
            },
        }
    }
}

/// A sentinel that is listened to.
struct Heard<'a>(&'a AtomicUsize);

impl Drop for Heard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
