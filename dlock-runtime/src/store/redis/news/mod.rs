//! Listening: one subscription for each runtime, to a channel of its own. The scripts publish there.
//!
//! A subscription can be dead without a sign of it, or lead to another server than the commands do: a replica, or a master
//! that was demoted and closed no connection. So it is proved from time to time, by a heartbeat on the way that messages
//! take: it is published by the connection for commands, to a channel that this very subscription listens to and no other. A
//! count of one receiver says that it is where commands go, and the arrival that it delivers. Nothing else depends on that:
//! a grant that is published to us is true wherever we listen (`hand_over.lua`), but the scripts grant nothing to who is not here.

mod proof;
mod unheard;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_core::Stream;
use redis::{Msg, aio::PubSubStream};
use tokio::time::{sleep, timeout};

use self::{proof::Probe, unheard::Unheard};
use super::{ask::ask, link::Links};
use crate::{
    protocol::token::{Identity, Ticket, Token},
    store::{Ears, News, StoreError},
};

/// A heartbeat comes so often.
const BEAT: Duration = Duration::from_secs(2);

/// And so often at most, however many signs of trouble there are.
const REST: Duration = Duration::from_millis(500);

/// The bounds of what an answer may take: with a shorter one a busy machine looks like a dead one, and with a longer one
/// nothing is heard for long.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);

/// Listens until the subscription is dead or misplaced, and tells why it ended.
pub(super) async fn listen(
    links: &Arc<Links>,
    identity: Identity,
    ears: Arc<dyn Ears>,
    patience: Duration,
) -> StoreError {
    let Err(error) = follow(links, identity, &*ears, patience.clamp(SHORTEST, LONGEST)).await;
    error
}

async fn follow(
    links: &Arc<Links>,
    identity: Identity,
    ears: &dyn Ears,
    patience: Duration,
) -> Result<Infallible, StoreError> {
    let channel = format!("dlock:{identity}");
    let own = own_channel(&channel);
    let connection = async { links.client().get_async_pubsub().await.map_err(|error| links.not_connected(error)) };
    let connection = within(patience, connection).await?;
    let (mut sink, stream) = connection.split();
    let subscribed = async { sink.subscribe(&[&channel, &own]).await.map_err(|error| links.told(error)) };
    within(patience, subscribed).await.map_err(|error| Unheard::NotSubscribed.because(error))?;
    let mut reader = Reader { links, stream: pin!(stream), identity, own: &own, ears, beat: 0 };
    let (mut listens, mut beat) = (false, 0);
    loop {
        beat += 1;
        let probe = Probe { channel: channel.clone(), own: own.clone(), beat };
        let proof = match reader.until(within(patience, ask(links, patience, probe.clone()))).await? {
            Ok(proof) if !proof.is_replica => proof,
            // The connection for commands is no good either.
            unfit => {
                links.here()?.renew();
                return Err(unfit.err().unwrap_or(Unheard::AtReplica.into()));
            }
        };
        if proof.is_here == Some(false) {
            // Where it is not known which of the two is at the master, both are made anew.
            if !proof.is_master {
                links.here()?.renew();
            }
            return Err(Unheard::Elsewhere.into());
        }
        if proof.is_under_way {
            reader.until_beat(beat, patience).await?;
        } else {
            // Who may not publish can ask at least whether the subscription is alive.
            within(patience, async { sink.ping::<()>().await.map_err(|error| links.told(error)) }).await?;
        }
        if !std::mem::replace(&mut listens, true) {
            ears.listening();
        }
        reader.until(sleep(REST)).await?;
        if reader.until(timeout(BEAT - REST, links.sign())).await?.is_ok() {
            reader.until(follow_commands(links, &probe, patience)).await?;
        }
    }
}

/// A channel that no other subscription listens to: one that is half dead would be counted in its place.
fn own_channel(channel: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{channel}:{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Something happened that may have been a failover. If the address leads to another server now than the connection for
/// commands does, that is made anew, so that the next heartbeat tells; unless it leads to a replica.
async fn follow_commands(links: &Arc<Links>, probe: &Probe, patience: Duration) {
    let look = async {
        let connection = links.fresh().await.ok()?;
        probe.ask(connection).await.ok()
    };
    let leads_to_replica = timeout(patience, look).await.ok().flatten().is_none_or(|proof| proof.is_replica);
    if let (false, Ok(link)) = (leads_to_replica, links.here()) {
        link.renew();
    }
}

/// Nothing here may take longer than that, or a black hole on the way would end all listening.
async fn within<T>(patience: Duration, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(patience, answer).await.unwrap_or_else(|_| Err(Unheard::NoAnswer.into()))
}

/// Reads what arrives, and tells it.
struct Reader<'a> {
    links: &'a Links,
    stream: Pin<&'a mut PubSubStream>,
    identity: Identity,
    /// The channel of the heartbeats.
    own: &'a str,
    ears: &'a dyn Ears,
    /// The last heartbeat that arrived.
    beat: u64,
}

impl Reader<'_> {
    /// Goes on reading until `done` is.
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut done = pin!(done);
        poll_fn(|cx| {
            while let Poll::Ready(message) = self.stream.as_mut().poll_next(cx) {
                match message {
                    Some(message) => self.take(&message),
                    None => return Poll::Ready(Err(self.ended())),
                }
            }
            done.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Goes on reading until the heartbeat arrives.
    async fn until_beat(&mut self, beat: u64, patience: Duration) -> Result<(), StoreError> {
        let mut end = pin!(sleep(patience));
        poll_fn(|cx| {
            while self.beat < beat {
                match self.stream.as_mut().poll_next(cx) {
                    Poll::Ready(Some(message)) => self.take(&message),
                    Poll::Ready(None) => return Poll::Ready(Err(self.ended())),
                    Poll::Pending => return end.as_mut().poll(cx).map(|()| Err(Unheard::Dead.into())),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn ended(&self) -> StoreError {
        self.links.told(io::Error::from(io::ErrorKind::ConnectionReset).into())
    }

    fn take(&mut self, message: &Msg) {
        if message.get_channel_name() == self.own {
            self.beat = self.beat.max(proof::read(message.get_payload_bytes()).unwrap_or(0));
        } else if let Some(news) = read(self.identity, message.get_payload_bytes()) {
            self.ears.hear(news);
        }
    }
}

/// Reads `granted token fence waiting since name`, `wanted token name` or `free token name`. Anybody may publish anything; what
/// is not for us is nothing.
fn read(identity: Identity, payload: &[u8]) -> Option<News> {
    let text = std::str::from_utf8(payload).ok()?;
    let (word, rest) = text.split_once(' ')?;
    let (token, rest) = rest.split_once(' ')?;
    let number = Token::number_of(identity, token)?;
    let ticket = |name: &str| Ticket { name: name.into(), token: Token { identity, number } };
    match word {
        "granted" => {
            let mut parts = rest.splitn(4, ' ');
            let mut number = || parts.next()?.parse().ok();
            let (fence, waiting, since) = (number()?, number()?, number()?);
            Some(News::Granted { ticket: ticket(parts.next()?), fence, waiting, since })
        }
        "wanted" => Some(News::Wanted { ticket: ticket(rest) }),
        "free" => Some(News::Free { ticket: ticket(rest) }),
        _ => None,
    }
}
