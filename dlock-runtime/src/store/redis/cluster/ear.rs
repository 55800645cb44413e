//! One subscription at one master: a RESP3 connection, which takes commands as well, and two channels with the tag of the shard.
//!
//! `SPUBLISH` counts who listens at this very server, and the scripts publish where the lock is. So the count is a proof of life, as that
//! of one server is. The server ends such a subscription by itself when the slot of the tag leaves it, or when it is no master any more.

use std::{convert::Infallible, future::poll_fn, io, pin::pin, sync::Arc, task::Poll, time::Duration};

use redis::{PushInfo, PushKind, Value};
use tokio::{sync::mpsc::UnboundedReceiver, time::sleep};

use super::{
    super::{
        connections::Connections,
        exchange,
        link::Link,
        subscriber::{HEARTBEAT_INTERVAL, Heartbeat, SubscriptionError, deliver, heartbeat_number, within},
    },
    Nodes,
    table::Node,
};
use crate::{
    protocol::token::{Identity, Tag},
    store::{ErrorClass, StoreError, Subscriber},
};

/// A server that owes an answer for so long may have been replaced.
const SUSPECT: Duration = Duration::from_millis(500);

/// A subscription.
pub(super) struct Ear<'a> {
    nodes: &'a Nodes,
    connections: &'a Arc<Connections>,
    link: Link,
    pushes: UnboundedReceiver<PushInfo>,
    /// The channel of the runtime.
    channel: String,
    /// That of heartbeats.
    own: String,
    identity: Identity,
    subscriber: &'a dyn Subscriber,
    /// The last heartbeat that arrived.
    received: u64,
}

/// Listens to a master until that fails. `heard` is called once messages arrive.
///
/// # Errors
/// Why they do not.
pub(super) async fn follow(
    nodes: &Nodes,
    node: &Node,
    tag: Tag,
    identity: Identity,
    subscriber: &dyn Subscriber,
    reply_timeout: Duration,
    heard: impl FnOnce(),
) -> Result<Infallible, StoreError> {
    let connections = &node.redis.connections;
    let (link, pushes) = within(reply_timeout, connections.for_pushes(reply_timeout)).await?;
    let channel = format!("dlock:{identity}{tag}");
    let own = format!("dlock:{identity}:{}{tag}", connections.next_subscription());
    let mut ear = Ear { nodes, connections, link, pushes, channel, own, identity, subscriber, received: 0 };
    let subscribed = within(reply_timeout, ear.subscribe());
    subscribed.await.map_err(|error| SubscriptionError::NotSubscribed.because(error))?;
    let mut heard = Some(heard);
    for number in 1.. {
        ear.beat(number, reply_timeout).await?;
        if let Some(heard) = heard.take() {
            heard();
        }
        ear.until(sleep(HEARTBEAT_INTERVAL)).await?;
    }
    Err(ear.ended())
}

impl Ear<'_> {
    async fn subscribe(&mut self) -> Result<(), StoreError> {
        for channel in [&self.channel, &self.own] {
            let reply = redis::cmd("SSUBSCRIBE").arg(channel).query_async::<Value>(&mut self.link).await;
            reply.map_err(|error| self.connections.reply_error(error))?;
        }
        Ok(())
    }

    /// Sees whether the subscription is where commands go, and delivers.
    async fn beat(&mut self, number: u64, reply_timeout: Duration) -> Result<(), StoreError> {
        let heartbeat = Heartbeat { channel: self.channel.clone(), own: self.own.clone(), number };
        let exchange = exchange::run(self.connections, None, reply_timeout, heartbeat);
        let nodes = self.nodes;
        let mut waiting = pin!(async {
            loop {
                sleep(SUSPECT).await;
                nodes.look_soon();
            }
        });
        let mut exchange = pin!(within(reply_timeout, exchange));
        let exchange = poll_fn(|cx| {
            let polled = exchange.as_mut().poll(cx);
            if polled.is_pending() {
                let _: Poll<Infallible> = waiting.as_mut().poll(cx);
            }
            polled
        });
        let reply = self.until(exchange).await??;
        if reply.is_replica {
            return Err(SubscriptionError::AtReplica.into());
        }
        if reply.is_here == Some(false) {
            self.connections.here()?.replace();
            return Err(SubscriptionError::Elsewhere.into());
        }
        if reply.is_published {
            let mut end = pin!(sleep(reply_timeout));
            return poll_fn(|cx| {
                while self.received < number {
                    match self.pushes.poll_recv(cx) {
                        Poll::Ready(push) => {
                            if let Err(error) = self.take(push) {
                                return Poll::Ready(Err(error));
                            }
                        }
                        Poll::Pending => return end.as_mut().poll(cx).map(|()| Err(SubscriptionError::Dead.into())),
                    }
                }
                Poll::Ready(Ok(()))
            })
            .await;
        }
        // A user who may not publish can check at least that the connection is alive.
        let mut link = self.link.clone();
        let connections = self.connections;
        let ping = redis::cmd("PING");
        let pong = async { link.send_packed_command(&ping).await.map_err(|error| connections.reply_error(error)) };
        self.until(within(reply_timeout, pong)).await?.map(drop)
    }

    /// Reads until `done` is, or the subscription has ended.
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut done = pin!(done);
        poll_fn(|cx| {
            while let Poll::Ready(push) = self.pushes.poll_recv(cx) {
                if let Err(error) = self.take(push) {
                    return Poll::Ready(Err(error));
                }
            }
            done.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// # Errors
    /// If the subscription has ended.
    fn take(&mut self, push: Option<PushInfo>) -> Result<(), StoreError> {
        let Some(PushInfo { kind, data }) = push else { return Err(self.ended()) };
        match (kind, &data[..]) {
            (PushKind::SMessage, [Value::BulkString(channel), Value::BulkString(payload)]) => {
                if *channel == self.own.as_bytes() {
                    self.received = self.received.max(heartbeat_number(payload).unwrap_or(0));
                } else {
                    deliver(self.connections, self.identity, self.subscriber, payload);
                }
                Ok(())
            }
            (PushKind::SUnsubscribe, _) => Err(StoreError::new(ErrorClass::Transient, SubscriptionError::Ended)),
            (PushKind::Disconnection, _) => Err(self.ended()),
            _ => Ok(()),
        }
    }

    fn ended(&self) -> StoreError {
        self.connections.reply_error(io::Error::from(io::ErrorKind::ConnectionReset).into())
    }
}
