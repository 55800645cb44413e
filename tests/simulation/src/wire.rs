//! The client's end of a connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use dlock_runtime::simulated::Place;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{plan::MICROSECOND, sim::sim};

/// What a client has of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) id: usize,
    pub(crate) life: u32,
}

impl Wire {
    /// Tasks that the redis crate spawns (it reads subscriptions in one) are held up here alone.
    fn is_held_up(&self, cx: &Context<'_>) -> bool {
        sim().hold_up(Place { process: self.life, lane: Place::TASKS }, cx.waker(), false)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_held_up(cx) {
            return Poll::Pending;
        }
        let sim = sim();
        let mut conn = sim.conn(self.id);
        let count = conn.unread.len().min(buf.remaining());
        if conn.unread.is_empty() && conn.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        } else if conn.unread.is_empty() {
            conn.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&conn.unread[..count]);
        conn.unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_held_up(cx) {
            return Poll::Pending;
        }
        let sim = sim();
        if sim.conn(self.id).is_reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        sim.send(self.id, false, buf.to_vec());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let (sim, id) = (sim(), self.id);
        if !sim.over.get() {
            let mut conn = sim.conn(id);
            conn.ended.get_or_insert(sim.now());
            sim.push(conn.last[0].max(conn.held).max(sim.now()) + MICROSECOND, move |sim| sim.hung_up(id));
        }
    }
}
