//! One subscription for each runtime, to a channel of its own. The scripts publish notifications there.
//!
//! A subscription can be dead without a sign of it, or lead to another server than the commands do: to a replica, or to a
//! former master that closed no connection. So a heartbeat checks it from time to time. The heartbeat is published by the
//! connection for commands, to a channel that this subscription alone listens to. If the server counts a receiver, the
//! subscription is where commands go; if the heartbeat arrives, the subscription delivers. Safety does not depend on that: a
//! grant that is published is true wherever it is received (`hand_over.lua`), and the scripts grant nothing to a process that
//! is not subscribed at their server.
//!
//! A connection that listens cannot authenticate anew (RESP2 has no `AUTH` there). So before its credentials end another one
//! takes its place: it is subscribed first, and the old one is read to its end. What both deliver does no harm twice.

mod heartbeat;
mod subscription;
mod subscription_error;

use std::{
    convert::Infallible,
    future::{poll_fn, ready},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use redis::Msg;
use tokio::time::{sleep, timeout};

use self::subscription::Subscription;
pub(super) use self::{
    heartbeat::{Heartbeat, read as heartbeat_number},
    subscription_error::SubscriptionError,
};
use super::{connections::Connections, exchange};
use crate::{
    protocol::token::{Identity, LockId, Token},
    store::{Notification, StoreError, Subscriber},
};

/// The interval of heartbeats.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The shortest interval, however many signs of trouble there are.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(500);

/// The bounds of how long a reply may take. With a shorter timeout a busy machine looks like a dead one; with a longer one a
/// dead subscription goes unnoticed for long.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(500);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Subscribes, and passes notifications on until the subscription is dead or at another server. Returns why it ended.
pub(super) async fn subscribe(
    connections: &Arc<Connections>,
    identity: Identity,
    subscriber: Arc<dyn Subscriber>,
    reply_timeout: Duration,
) -> StoreError {
    let Err(error) = follow(connections, identity, &*subscriber, bounded(reply_timeout)).await;
    error
}

/// How long a reply may take to one that listens.
pub(super) fn bounded(reply_timeout: Duration) -> Duration {
    reply_timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

async fn follow(
    connections: &Arc<Connections>,
    identity: Identity,
    subscriber: &dyn Subscriber,
    reply_timeout: Duration,
) -> Result<Infallible, StoreError> {
    connections.route().watch(connections);
    let mut reader = Reader::open(connections, identity, subscriber, reply_timeout).await?;
    let mut is_subscribed = false;
    loop {
        let place = Arc::clone(&reader.subscription.place);
        let next = reader.follow(reply_timeout, &mut is_subscribed);
        reader = connections.route().unless_moved(&place, next).await?;
    }
}

/// There may have been a failover. If the address now leads to another server than the connection for commands does, the
/// connection is made anew, so that the next heartbeat shows it; unless the address leads to a replica.
async fn follow_commands(connections: &Arc<Connections>, heartbeat: &Heartbeat, reply_timeout: Duration) {
    let look = async {
        let (connection, _) = connections.fresh(reply_timeout).await.ok()?;
        heartbeat.publish(connection).await.ok()
    };
    let leads_to_replica = timeout(reply_timeout, look).await.ok().flatten().is_none_or(|reply| reply.is_replica);
    if let (false, Ok(connection)) = (leads_to_replica, connections.here()) {
        connection.replace();
    }
}

/// Awaits a reply for at most `reply_timeout`: a server that swallows a request must not end the subscription for good.
pub(super) async fn within<T>(
    reply_timeout: Duration,
    reply: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(reply_timeout, reply).await.unwrap_or_else(|_| Err(SubscriptionError::NoReply.into()))
}

/// Reads messages, and passes notifications on.
struct Reader<'a> {
    connections: &'a Arc<Connections>,
    subscription: Subscription,
    identity: Identity,
    subscriber: &'a dyn Subscriber,
    /// The last heartbeat that arrived.
    received: u64,
}

impl<'a> Reader<'a> {
    /// Subscribes.
    async fn open(
        connections: &'a Arc<Connections>,
        identity: Identity,
        subscriber: &'a dyn Subscriber,
        reply_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let subscription = within(reply_timeout, Subscription::connect(connections, identity, reply_timeout)).await?;
        let mut reader = Self { connections, subscription, identity, subscriber, received: 0 };
        let (mut sink, channels) = (reader.subscription.sink.clone(), reader.subscription.channels());
        let subscribed = async { sink.subscribe(&channels).await.map_err(|error| connections.reply_error(error)) };
        let subscribed = reader.until(within(reply_timeout, subscribed)).await?;
        subscribed.map_err(|error| SubscriptionError::NotSubscribed.because(error))?;
        Ok(reader)
    }

    /// Reads until the credentials of this connection are about to end. Returns the reader of the one in its place.
    async fn follow(mut self, reply_timeout: Duration, is_subscribed: &mut bool) -> Result<Self, StoreError> {
        let connections = self.connections;
        let mut number = 0;
        loop {
            number += 1;
            let heartbeat = self.subscription.heartbeat(number);
            let exchange = exchange::run(connections, None, reply_timeout, heartbeat.clone());
            let reply = match self.until(within(reply_timeout, exchange)).await? {
                Ok(reply) if !reply.is_replica => reply,
                // The connection for commands must be made anew, too.
                unusable => {
                    connections.here()?.replace();
                    return Err(unusable.err().unwrap_or(SubscriptionError::AtReplica.into()));
                }
            };
            if reply.is_here == Some(false) {
                // If it is not known which of the two connections is at the master, both are made anew.
                if !reply.is_master {
                    connections.here()?.replace();
                }
                return Err(SubscriptionError::Elsewhere.into());
            }
            if reply.is_published {
                self.until_heartbeat(number, reply_timeout).await?;
            } else {
                // A user who may not publish can check at least that the subscription is alive.
                let mut sink = self.subscription.sink.clone();
                let pong = async { sink.ping::<()>().await.map_err(|error| connections.reply_error(error)) };
                self.until(within(reply_timeout, pong)).await??;
            }
            if !std::mem::replace(is_subscribed, true) {
                self.subscriber.subscribed();
            }
            self.until(sleep(SHORTEST_INTERVAL)).await?;
            let pause = (HEARTBEAT_INTERVAL - SHORTEST_INTERVAL).min(self.subscription.time_left());
            if self.until(timeout(pause, connections.retired())).await?.is_ok() {
                self.until(follow_commands(connections, &heartbeat, reply_timeout)).await?;
            }
            if self.subscription.time_left().is_zero() {
                let next = Self::open(connections, self.identity, self.subscriber, reply_timeout);
                if let Ok(next) = self.until(next).await? {
                    self.close(reply_timeout).await;
                    return Ok(next);
                }
                // It may last longer than was said.
                self.subscription.stay_for(HEARTBEAT_INTERVAL);
            }
        }
    }

    /// Reads to its end a subscription in whose place there is another one.
    async fn close(mut self, reply_timeout: Duration) {
        let (mut sink, channels) = (self.subscription.sink.clone(), self.subscription.channels());
        let end = async { timeout(reply_timeout, sink.unsubscribe(&channels)).await };
        // What went wrong with it does not matter any more. The second look is for what came last.
        if self.until(end).await.is_ok() {
            _ = self.until(ready(())).await;
        }
    }

    /// Reads until `done` is, or the connection has ended: a request that was sent in that very moment may get no reply (`link.rs`).
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut done = pin!(done);
        poll_fn(|cx| {
            while let Poll::Ready(message) = self.subscription.poll_next(cx) {
                match message {
                    Some(message) => self.take(&message),
                    None => return Poll::Ready(Err(self.ended())),
                }
            }
            done.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Reads until the heartbeat of that number arrives.
    async fn until_heartbeat(&mut self, number: u64, reply_timeout: Duration) -> Result<(), StoreError> {
        let mut end = pin!(sleep(reply_timeout));
        poll_fn(|cx| {
            while self.received < number {
                match self.subscription.poll_next(cx) {
                    Poll::Ready(Some(message)) => self.take(&message),
                    Poll::Ready(None) => return Poll::Ready(Err(self.ended())),
                    Poll::Pending => return end.as_mut().poll(cx).map(|()| Err(SubscriptionError::Dead.into())),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn ended(&self) -> StoreError {
        self.connections.reply_error(io::Error::from(io::ErrorKind::ConnectionReset).into())
    }

    fn take(&mut self, message: &Msg) {
        if message.get_channel_name() == self.subscription.own {
            self.received = self.received.max(heartbeat::read(message.get_payload_bytes()).unwrap_or(0));
        } else {
            deliver(self.connections, self.identity, self.subscriber, message.get_payload_bytes());
        }
    }
}

/// Passes a message on, if it is a notification for `identity`.
pub(super) fn deliver(connections: &Connections, identity: Identity, subscriber: &dyn Subscriber, payload: &[u8]) {
    let Some(notification) = notification(identity, payload) else { return };
    if let Notification::Granted { lock_id, fence, .. } = &notification {
        connections.fence_clock.note(&lock_id.name, *fence);
    }
    subscriber.notify(notification);
}

/// Reads `granted token fence waiting name`, `wanted token name` or `free token name`. Anybody may publish anything: a
/// message of another form, or with the token of another runtime, is no notification.
fn notification(identity: Identity, payload: &[u8]) -> Option<Notification> {
    let text = std::str::from_utf8(payload).ok()?;
    let (word, rest) = text.split_once(' ')?;
    let (token, rest) = rest.split_once(' ')?;
    let token = Token::read(identity, token)?;
    let lock_id = |name: &str| LockId { name: name.into(), token };
    match word {
        "granted" => {
            let mut parts = rest.splitn(3, ' ');
            let mut number = || parts.next()?.parse().ok();
            let (fence, waiting) = (number()?, number()?);
            Some(Notification::Granted { lock_id: lock_id(parts.next()?), fence, waiting })
        }
        "wanted" => Some(Notification::Contended { lock_id: lock_id(rest) }),
        "free" => Some(Notification::Free { lock_id: lock_id(rest) }),
        _ => None,
    }
}
