//! Where the server is and how it is talked to: what a URL or a client of the redis crate says, and what we add to that.

use std::{sync::Arc, time::Duration};

use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, io::tcp::socket2::TcpKeepalive,
};

use crate::types::error::LockError;

/// After so long without traffic the system checks that the other end is still there, and again after as long.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The cure for most URLs with a password that do not work.
const UNENCODED: &str = "the Redis URL is not usable; the form is `redis://user:password@host:port/db`. Special characters \
                         of the password must be percent-encoded, such as `@` as `%40`, `:` as `%3A`, `/` as `%2F`, `#` as \
                         `%23`, `?` as `%3F` and `%` as `%25`";

/// Reads a URL.
///
/// # Errors
/// [`LockError::Config`] if it is none. The URL itself, which may hold a password, is not in the message.
pub(super) fn read(url: &str) -> Result<ConnectionInfo, LockError> {
    // What follows such a password is no host, so nothing of the error may be shown.
    if has_bare_password(url) {
        return Err(LockError::config(UNENCODED));
    }
    url.into_connection_info()
        .map_err(|error| if url.contains('@') { LockError::config(UNENCODED) } else { wrong(error) })
}

/// Adds what locking needs of a connection.
///
/// # Errors
/// [`LockError::Config`] if it needs TLS and that was not compiled in.
pub(super) fn prepare(info: ConnectionInfo) -> Result<ConnectionInfo, LockError> {
    // Another crate of the program may have taught the redis crate TLS, but not where to take cryptography from.
    if cfg!(not(feature = "tls")) && matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Err(wrong((ErrorKind::InvalidClientConfig, "TLS needs the feature `tls` of dlock-runtime").into()));
    }
    choose_cryptography();
    // Nagle's algorithm would hold back every second small request for the delayed acknowledgement. Gateways forget
    // connections that are idle, so keepalive keeps all of them busy, that of the subscription too.
    let mut settings = info.tcp_settings().clone().set_nodelay(true);
    if settings.keepalive().is_none() {
        settings = settings.set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE));
    }
    Ok(info.set_tcp_settings(settings))
}

/// The same kind of address at another server.
pub(super) fn at(like: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match like {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    }
}

/// The host of an address, or what stands in its place.
pub(super) fn host(address: &ConnectionAddr) -> &str {
    match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
        ConnectionAddr::Unix(path) => path.to_str().unwrap_or_default(),
        _ => "",
    }
}

pub(super) fn port(address: &ConnectionAddr) -> u16 {
    match address {
        ConnectionAddr::Tcp(_, port) | ConnectionAddr::TcpTls { port, .. } => *port,
        _ => 0,
    }
}

/// Host, port and database, for errors.
pub(super) fn name(address: &ConnectionAddr, database: i64) -> Arc<str> {
    let place = match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        other => other.to_string(),
    };
    match database {
        0 => place.into(),
        database => format!("{place}, database {database}").into(),
    }
}

/// The error of an address that leads nowhere.
pub(super) fn wrong(error: RedisError) -> LockError {
    LockError::Config {
        reason: "the Redis URL is not usable; the forms are `redis://user:password@host:port/db`, \
                 `redis+unix:///path?db=0`, and `rediss://...` with the feature `tls`"
            .into(),
        source: Some(Arc::new(error)),
    }
}

/// Whether a password holds a character that ends its part of the URL: `redis://user:pass/word@host/`.
fn has_bare_password(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") && rest.contains('@') && !authority.contains('@')
}

/// Names a provider of cryptography, unless the program did so: rustls panics when it finds none, or two to choose from.
fn choose_cryptography() {
    #[cfg(feature = "tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, and its choice is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
    }
}
