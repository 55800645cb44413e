//! A connection that is subscribed to the channels of this runtime.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use redis::{
    Msg,
    aio::{PubSubSink, PubSubStream},
};

use super::{
    super::{connections::Connections, route::Place},
    heartbeat::Heartbeat,
};
use crate::{protocol::token::Identity, store::StoreError, types::boot_time::BootTime};

/// The connection, and the channels that it is or will be subscribed to.
pub(super) struct Subscription {
    pub(super) sink: PubSubSink,
    stream: PubSubStream,
    /// The channel of the runtime.
    channel: String,
    /// The channel of the heartbeats. No other subscription listens to it: an earlier one that is half dead would be counted
    /// in its place.
    pub(super) own: String,
    /// Where it leads.
    pub(super) place: Arc<Place>,
    /// When another one is to take its place.
    until: BootTime,
}

impl Subscription {
    /// Connects. It is not subscribed yet.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn connect(
        connections: &Connections,
        identity: Identity,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let channel = format!("dlock:{identity}");
        let own = format!("{channel}:{}", connections.next_subscription());
        let (connection, lifetime, place) = connections.for_messages(limit).await?;
        let (sink, stream) = connection.split();
        let until = lifetime.map_or(BootTime::NEVER, |lifetime| lifetime.renew_at());
        Ok(Self { sink, stream, channel, own, place, until })
    }

    pub(super) fn channels(&self) -> [String; 2] {
        [self.channel.clone(), self.own.clone()]
    }

    pub(super) fn heartbeat(&self, number: u64) -> Heartbeat {
        Heartbeat { channel: self.channel.clone(), own: self.own.clone(), number }
    }

    /// How long until another one is to take its place.
    pub(super) fn time_left(&self) -> Duration {
        self.until.since(BootTime::now())
    }

    /// Has it stay, as none can take its place yet.
    pub(super) fn stay_for(&mut self, time: Duration) {
        self.until = BootTime::now().after(time);
    }

    /// The next message; `None` when the connection has ended.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Msg>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}
