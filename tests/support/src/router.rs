//! A proxy before several servers, as twemproxy is: each command goes to the server of its first key.

use std::{
    hash::{DefaultHasher, Hasher},
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{RedisServer, Value, proxy::next};

/// What twemproxy passes on of all that the clients of these tests may send. It closes the connection of whoever sends anything else.
const PASSED: [&str; 21] = [
    "AUTH", "DEL", "EVAL", "EVALSHA", "EXISTS", "GET", "HGET", "HINCRBY", "HSET", "PEXPIRE", "PING", "PTTL", "SET",
    "TTL", "ZADD", "ZCARD", "ZCOUNT", "ZPOPMIN", "ZRANGE", "ZREM", "ZSCORE",
];

/// The proxy. Dropping it ends it with the next connection.
#[derive(Debug)]
pub struct Router {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl Router {
    /// A proxy before all of these servers.
    pub fn start(servers: &[RedisServer]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let servers = servers.iter().map(|server| SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))).collect();
        let (servers, closed): (Arc<[_]>, _) = (servers, Arc::new(AtomicBool::new(false)));
        let is_closed = Arc::clone(&closed);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let servers = Arc::clone(&servers);
                // `None` is the end of a connection.
                std::thread::spawn(move || serve(&client, &servers));
            }
        });
        Self { address, closed }
    }

    /// `redis://127.0.0.1:PORT/` of the proxy.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // The accepting thread looks up at the next connection: this one.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(client: &TcpStream, servers: &[SocketAddr]) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let connect = |at: &SocketAddr| TcpStream::connect(at).and_then(|server| server.set_nodelay(true).map(|()| server));
    let servers = servers.iter().map(connect).collect::<Result<Vec<_>, _>>().ok()?;
    let (mut requests, mut replies) = (Vec::new(), vec![Vec::new(); servers.len()]);
    loop {
        let (request, frame) = next(&mut &*client, &mut requests)?;
        let Value::List(words) = request else { return None };
        let words = words.iter().filter_map(Value::text).collect::<Vec<_>>();
        let command = words.first()?.to_ascii_uppercase();
        if !PASSED.contains(&command.as_str()) {
            return None;
        }
        let first_key = if command.starts_with("EVAL") { 3 } else { 1 };
        let at = words.get(first_key).map_or(0, |key| server_of(key, servers.len()));
        (&servers[at]).write_all(&frame).ok()?;
        let (_, reply) = next(&mut &servers[at], &mut replies[at])?;
        (&*client).write_all(&reply).ok()?;
    }
}

/// `hash_tag: "{}"` is set.
fn server_of(key: &str, servers: usize) -> usize {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
    let mut hasher = DefaultHasher::new();
    hasher.write(tag.as_bytes());
    (hasher.finish() % servers as u64) as usize
}
