//! Listening: one subscription for each runtime, to a channel of its own. The scripts publish there.

use std::{future::poll_fn, io, pin::pin, sync::Arc, time::Duration};

use futures_core::Stream;
use redis::{Client, Msg, RedisResult};
use tokio::time::timeout;

use crate::{
    store::{Ears, News},
    ticket::{Identity, Ticket, Token},
};

/// After so long a silence the server is asked whether it is still there: a connection that was cut somewhere on the
/// way looks like silence, and its other end like somebody who listens.
const SILENCE: Duration = Duration::from_secs(5);

/// Listens until the connection ends.
///
/// # Errors
/// Whatever ends it; it does not end otherwise.
pub(super) async fn listen(
    client: &Client,
    identity: Identity,
    ears: Arc<dyn Ears>,
    patience: Duration,
) -> RedisResult<std::convert::Infallible> {
    let (mut sink, stream) = client.get_async_pubsub().await?.split();
    sink.subscribe(format!("dlock:{identity}")).await?;
    ears.listening();
    let mut stream = pin!(stream);
    loop {
        match timeout(SILENCE, poll_fn(|cx| stream.as_mut().poll_next(cx))).await {
            Ok(Some(message)) => {
                if let Some(news) = read(identity, &message) {
                    ears.hear(news);
                }
            }
            Ok(None) => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            Err(_) => timeout(patience, sink.ping::<()>()).await.map_err(io::Error::from)??,
        }
    }
}

/// Reads `granted token fence waiting since name`, `wanted token name` or `free token name`. Anybody may publish anything; what
/// is not for us is nothing.
fn read(identity: Identity, message: &Msg) -> Option<News> {
    let text = std::str::from_utf8(message.get_payload_bytes()).ok()?;
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
