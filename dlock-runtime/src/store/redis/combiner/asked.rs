//! What was asked of the server over a connection, and its answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use redis::{RedisResult, Value};
use tokio::sync::oneshot;

use super::Answer;

/// A request on its way: small, as there are as many as there are requests under way.
pub(in super::super) enum Asked<'a> {
    /// With others. Who carries the batch hands the answer out.
    Gathered(oneshot::Receiver<Answer>),
    /// By itself.
    Alone(Pin<Box<dyn Future<Output = RedisResult<Value>> + Send + 'a>>),
    /// Not at all: it is to go another way.
    LeftAlone,
}

impl Future for Asked<'_> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match &mut *self {
            // It is lost with the runtime that the connection lives in.
            Self::Gathered(answer) => Pin::new(answer)
                .poll(cx)
                .map(|answer| answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))),
            Self::Alone(reply) => reply.as_mut().poll(cx).map_ok(Some),
            Self::LeftAlone => Poll::Ready(Ok(None)),
        }
    }
}
