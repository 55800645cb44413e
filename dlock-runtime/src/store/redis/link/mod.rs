//! A connection whose requests end when it does.
//!
//! A task drives a connection: it takes requests out of a channel. With the connection the task ends, and what it has and what is in
//! the channel fails. But a request that is put into the channel in that very moment may come to lie there after the channel was
//! emptied. tokio keeps it until the last sender is gone (tokio issue 7714), and the request itself is a sender: it would wait for
//! ever. So a request that is in the channel looks whether the connection has ended. Either it sees the end, or the task empties
//! the channel later and finds it there.

#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Poll},
};

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reauthentication::Reauthentication;
use crate::system::{self, JoinHandle};

/// A connection for commands. Its clones share it; with the last one it is closed.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// `None` if the redis crate drives the connection: nobody learns of its end then, and a request that got lost waits for as long
    /// as its caller does.
    driver: Option<Arc<Driver>>,
    /// Keeps the connection authenticated.
    _kept: Option<Arc<Reauthentication>>,
}

/// The task that drives a connection.
struct Driver {
    end: Arc<End>,
    task: JoinHandle<()>,
}

/// How connections are set up. Callers apply a timeout of their own, to connecting and the reply together.
pub(super) fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

impl Link {
    /// Says who we are over `stream`, and has the connection driven by the current tokio runtime.
    ///
    /// # Errors
    /// What the server says to it, or what became of the stream.
    pub(super) async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        settings: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let end = Arc::new(End::default());
        let stream = Watched { stream, end: Arc::clone(&end) };
        let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let driver = Driver { end, task: system::spawn(driver) };
        Ok(Self { connection, driver: Some(Arc::new(driver)), _kept: None })
    }

    /// A connection that the redis crate made and drives.
    #[cfg(not(dlock_simulation))]
    pub(super) fn driven_elsewhere(connection: MultiplexedConnection) -> Self {
        Self { connection, driver: None, _kept: None }
    }

    /// The same connection, and what keeps it authenticated.
    pub(super) fn with(self, kept: Reauthentication) -> Self {
        Self { _kept: Some(Arc::new(kept)), ..self }
    }

    /// Closes the connection, whoever uses it. Where the redis crate drives it, it is closed with its last user.
    pub(super) fn cut(&self) {
        if let Some(driver) = &self.driver {
            driver.task.abort();
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// What became of the connection. An error of the server is a value.
    pub(super) async fn send_packed_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        let Self { connection, driver, .. } = self;
        until_end(driver.as_deref(), pin!(connection.send_packed_command(command))).await
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.send_packed_command(command))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { connection, driver, .. } = self;
        Box::pin(until_end(driver.as_deref(), connection.req_packed_commands(pipeline, offset, count)))
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Awaits a reply, or the end of the connection. It is pinned already: a future that is an argument is kept twice.
async fn until_end<T>(
    driver: Option<&Driver>,
    mut reply: impl Future<Output = RedisResult<T>> + Unpin,
) -> RedisResult<T> {
    poll_fn(|cx| {
        let mut polled = Pin::new(&mut reply).poll(cx);
        if polled.is_pending() && driver.is_some_and(|driver| driver.end.has_come()) {
            // The reply may have come just before the end.
            polled = Pin::new(&mut reply).poll(cx);
            if polled.is_pending() {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
            }
        }
        polled
    })
    .await
}

impl Drop for Driver {
    /// Without this the task would wait for replies that nobody waits for, on a connection that may be mute.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether a connection has ended.
#[derive(Default)]
struct End(AtomicBool);

impl End {
    /// The task does this before it empties the channel.
    fn set(&self) {
        self.0.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// A request asks after it was put into the channel. Of the two fences one comes first: either this sees the end, or the task
    /// sees the request.
    fn has_come(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Acquire)
    }
}

/// A stream that says when it ends. Its end comes before that of the task that reads it: the task learns of it from here, or drops
/// the stream before the channel.
struct Watched<S> {
    stream: S,
    end: Arc<End>,
}

impl<S> Watched<S> {
    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(polled, Poll::Ready(Err(_))) {
            self.end.set();
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && room > 0 && buffer.remaining() == room {
            self.end.set();
        }
        self.note(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        self.end.set();
    }
}
