//! How connections are made: here for commands, so that their end is seen (`link.rs`); by the redis crate for messages and over TLS,
//! whose set-up it keeps to itself; and in a simulated world over a stream that it provides.

#[cfg(dlock_simulation)]
use redis::RedisError;
use redis::{AsyncConnectionConfig, Client, PushInfo, RedisResult, aio::PubSub};
#[cfg(not(dlock_simulation))]
use redis::{
    ConnectionAddr,
    aio::AsyncStream,
    io::tcp::{TcpSettings, socket2::SockRef},
};
#[cfg(all(unix, not(dlock_simulation)))]
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
#[cfg(not(dlock_simulation))]
use {
    std::{io, net::SocketAddr, pin::Pin},
    tokio::{
        net::{TcpStream, lookup_host},
        task::JoinSet,
    },
};

#[cfg(dlock_simulation)]
use super::address;
use super::link::{self, Link};
#[cfg(dlock_simulation)]
use crate::system;

/// A connection for commands. A server that does not know how to give it its name, or does not allow it, is no trouble.
pub(super) async fn commands(client: &Client, name: Option<&str>) -> RedisResult<Link> {
    named(open(client, link::config()).await?, name).await
}

/// A connection for commands that also receives messages, which go to the channel. Its client must speak RESP3.
pub(super) async fn pushes(client: &Client, name: Option<&str>) -> RedisResult<(Link, UnboundedReceiver<PushInfo>)> {
    let (sender, receiver) = unbounded_channel();
    let link = open(client, link::config().set_push_sender(sender)).await?;
    Ok((named(link, name).await?, receiver))
}

async fn named(mut link: Link, name: Option<&str>) -> RedisResult<Link> {
    if let Some(name) = name {
        // An error of the server is a value here.
        _ = link.send_packed_command(redis::cmd("CLIENT").arg("SETNAME").arg(name)).await?;
    }
    Ok(link)
}

#[cfg(not(dlock_simulation))]
async fn open(client: &Client, config: AsyncConnectionConfig) -> RedisResult<Link> {
    let info = client.get_connection_info();
    // One type for all kinds: what reads and writes them is there once.
    let stream: Pin<Box<dyn AsyncStream + Send + Sync>> = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Box::pin(tcp(host, *port, info.tcp_settings()).await?),
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Box::pin(UnixStream::connect(path).await?),
        _ => {
            return client.get_multiplexed_async_connection_with_config(&config).await.map(Link::driven_elsewhere);
        }
    };
    Link::over(stream, info.redis_settings(), config).await
}

/// Connects to whichever address of the host answers first.
#[cfg(not(dlock_simulation))]
async fn tcp(host: &str, port: u16, settings: &TcpSettings) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let stream = match addresses[..] {
        [address] => TcpStream::connect(address).await?,
        _ => first_of(addresses).await?,
    };
    stream.set_nodelay(settings.nodelay())?;
    if let Some(keepalive) = settings.keepalive() {
        SockRef::from(&stream).set_tcp_keepalive(keepalive)?;
    }
    #[cfg(any(target_os = "android", target_os = "linux"))]
    SockRef::from(&stream).set_tcp_user_timeout(settings.user_timeout())?;
    Ok(stream)
}

/// The others are given up.
#[cfg(not(dlock_simulation))]
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts: JoinSet<_> = addresses.into_iter().map(TcpStream::connect).collect();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap_or_else(|gone| Err(gone.into())) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A connection for messages.
#[cfg(not(dlock_simulation))]
pub(super) async fn messages(client: &Client) -> RedisResult<PubSub> {
    client.get_async_pubsub().await
}

#[cfg(dlock_simulation)]
async fn open(client: &Client, config: AsyncConnectionConfig) -> RedisResult<Link> {
    let stream = stream(client).await?;
    Link::over(stream, client.get_connection_info().redis_settings(), config).await
}

#[cfg(dlock_simulation)]
async fn stream(client: &Client) -> RedisResult<Box<dyn system::simulated::Stream>> {
    let address = address::name(client.get_connection_info().addr(), 0);
    system::connect(&address).await.map_err(RedisError::from)
}

#[cfg(dlock_simulation)]
pub(super) async fn messages(client: &Client) -> RedisResult<PubSub> {
    let stream = stream(client).await?;
    PubSub::new(client.get_connection_info().redis_settings(), stream).await
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[tokio::test]
    async fn the_first_address_that_answers_is_taken_and_none_is_an_error() {
        let refused = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|there| there.local_addr());
        let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let good = there.local_addr().expect("an address");
        let mut addresses = vec![refused().expect("a port"), refused().expect("a port")];
        let failure = first_of(addresses.clone()).await.expect_err("nobody is there");
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionRefused);
        addresses.insert(1, good);
        assert_eq!(first_of(addresses).await.expect("one is there").peer_addr().ok(), Some(good));
        assert_eq!(first_of(Vec::new()).await.expect_err("no address").kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_socket_has_the_settings_of_the_client() {
        let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = there.local_addr().expect("an address").port();
        let time = std::time::Duration::from_secs(15);
        let keepalive = redis::io::tcp::socket2::TcpKeepalive::new().with_time(time);
        let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(time);
        let stream = tcp("localhost", port, &settings).await.expect("it is there");
        assert!(stream.nodelay().expect("a setting"));
        assert!(SockRef::from(&stream).keepalive().expect("a setting"));
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("a setting"), Some(time));
    }
}
