//! One client's connection through the proxy: its replies, each in its turn.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Fault, Shared};
use crate::{Value, parse};

/// One client's connection and the one to the server made for it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    pending: Mutex<VecDeque<Pending>>,
}

/// What becomes of the reply that the client waits for, in the order of its requests.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Pass,
    Late(Duration),
    Mute,
    Cut,
    /// A reply of our own, due when all those before it are out.
    Own(String),
}

impl Link {
    pub(super) fn open(client: TcpStream, upstream: SocketAddr) -> std::io::Result<Self> {
        let server = TcpStream::connect(upstream)?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        Ok(Self { client, server, pending: Mutex::default() })
    }

    pub(super) fn close(&self) {
        // An error means that it is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads replies until the connection ends.
    pub(super) fn pass_replies(&self, shared: &Shared) -> Option<()> {
        let mut buffer = Vec::new();
        loop {
            let (reply, frame) = next(&mut &self.server, &mut buffer)?;
            let message = message(&reply);
            match message.as_deref().and_then(|words| shared.verdict_on_message(words)) {
                Some(Fault::Delay(time)) => std::thread::sleep(time),
                Some(Fault::Swallow) => continue,
                Some(Fault::CutBefore | Fault::CutAfter) => return None,
                _ => {}
            }
            // The entry stays in its place until its reply is out, or one of our own could overtake it.
            let pending = if matches!(reply, Value::Push(_)) || message.is_some() {
                None
            } else {
                self.pending().front().cloned()
            };
            let answers = pending.is_some();
            match pending {
                None | Some(Pending::Pass) => {}
                Some(Pending::Late(time)) => std::thread::sleep(time),
                Some(Pending::Cut) => return None,
                Some(Pending::Mute) => {
                    while next(&mut &self.server, &mut buffer).is_some() {}
                    return None;
                }
                Some(Pending::Own(_)) => unreachable!("our own replies go out before the next one is read"),
            }
            let mut pending = self.pending();
            (&self.client).write_all(&frame).ok()?;
            if answers {
                pending.pop_front();
            }
            self.send_own(&mut pending)?;
        }
    }

    /// Sends our own replies whose turn it is.
    pub(super) fn send_own(&self, pending: &mut VecDeque<Pending>) -> Option<()> {
        while let Some(Pending::Own(reply)) = pending.front() {
            (&self.client).write_all(reply.as_bytes()).ok()?;
            pending.pop_front();
        }
        Some(())
    }
}

/// The words of what was published to a subscriber, which is nobody's reply.
fn message(value: &Value) -> Option<Vec<&str>> {
    let (Value::List(words) | Value::Push(words)) = value else { return None };
    let words: Vec<&str> = words.iter().filter_map(Value::text).collect();
    (words.len() == 3 && words[0] == "message").then_some(words)
}

/// The next whole value and its bytes; `None` when the connection has ended.
pub(crate) fn next(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Option<(Value, Vec<u8>)> {
    loop {
        if let Some((value, length)) = parse(buffer) {
            let rest = buffer.split_off(length);
            return Some((value, std::mem::replace(buffer, rest)));
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => buffer.extend_from_slice(&chunk[..length]),
            _ => return None,
        }
    }
}
