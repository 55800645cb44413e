//! One subscription for each master, and what becomes of them as masters come and go.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::{super::subscriber::bounded, Nodes, ear, table::Node};
use crate::{
    protocol::token::Identity,
    store::{ErrorClass, StoreError, Subscriber},
    system::{self, JoinHandle},
    types::boot_time::BootTime,
};

/// The pauses between attempts to listen to a master.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// A task that ends when this is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What became of the subscription to a master: it begins, or it ended.
type News = Result<(), StoreError>;

/// Listens to all masters. Returns when that is of no use: nobody can be heard, for a reason that does not pass by itself.
pub(super) async fn listen(
    nodes: &Arc<Nodes>,
    identity: Identity,
    subscriber: Arc<dyn Subscriber>,
    reply_timeout: Duration,
) -> StoreError {
    let reply_timeout = bounded(reply_timeout);
    nodes.looks.be_as_patient_as(reply_timeout);
    let (sender, mut news) = unbounded_channel::<News>();
    let _looking = Task(system::spawn(keep_looking(Arc::clone(nodes))));
    let mut changes = nodes.changes.subscribe();
    let mut ears: Vec<(Arc<Node>, Task)> = Vec::new();
    let mut is_told = false;
    loop {
        let masters = nodes.table().masters().to_vec();
        ears.retain(|(ear, _)| masters.iter().any(|node| Arc::ptr_eq(node, ear)));
        for node in &masters {
            if !ears.iter().any(|(ear, _)| Arc::ptr_eq(node, ear)) {
                let (nodes, ear, subscriber) = (Arc::clone(nodes), Arc::clone(node), Arc::clone(&subscriber));
                let listening = keep_listening(nodes, ear, identity, subscriber, reply_timeout, sender.clone());
                ears.push((Arc::clone(node), Task(system::spawn(listening))));
            }
        }
        // Until all were tried, some requests would be told of what happens to them, and others not.
        let is_tried = !masters.is_empty() && masters.iter().all(|node| node.is_tried.load(Ordering::Relaxed));
        if is_tried && !is_told && masters.iter().any(|node| node.is_heard()) {
            is_told = true;
            subscriber.subscribed();
        }
        let next = {
            let mut change = pin!(changes.changed());
            poll_fn(|cx| match change.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => news.poll_recv(cx),
            })
            .await
        };
        match next {
            Some(Ok(())) if is_told => subscriber.subscribed(),
            Some(Err(error)) => {
                subscriber.missed();
                let lasts = matches!(error.class, ErrorClass::Permanent | ErrorClass::Rejected);
                if lasts && is_tried && !masters.iter().any(|node| node.is_heard()) {
                    return error;
                }
            }
            _ => {}
        }
    }
}

/// Asks who has which slots whenever that is in doubt.
async fn keep_looking(nodes: Arc<Nodes>) {
    loop {
        // Whoever failed tells so in the next moment again.
        if nodes.look().await.is_err() {
            sleep(SHORTEST).await;
        }
        nodes.doubt.notified().await;
    }
}

/// Listens to a master for as long as it is one.
async fn keep_listening(
    nodes: Arc<Nodes>,
    node: Arc<Node>,
    identity: Identity,
    subscriber: Arc<dyn Subscriber>,
    reply_timeout: Duration,
    news: UnboundedSender<News>,
) {
    let mut pause = SHORTEST;
    let _deaf = Deaf(&node);
    loop {
        let (began, tag) = (BootTime::now(), node.shard());
        let heard = || {
            node.set_heard(Some(tag));
            _ = news.send(Ok(()));
        };
        let Err(error) = ear::follow(&nodes, &node, tag, identity, &*subscriber, reply_timeout, heard).await;
        node.set_heard(None);
        if BootTime::now().since(began) > 2 * LONGEST {
            pause = SHORTEST;
        }
        if error.class == ErrorClass::Permanent {
            pause = LONGEST;
        }
        _ = news.send(Err(error));
        // It may have other slots by now, or none.
        _ = timeout(LONGEST, nodes.look()).await;
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Nobody listens to a master any more.
struct Deaf<'a>(&'a Node);

impl Drop for Deaf<'_> {
    fn drop(&mut self) {
        self.0.set_heard(None);
    }
}
