//! The URLs of a master, whose host is a name that the sentinels know, and of the sentinels.

use std::sync::Arc;

use redis::{Client, ConnectionAddr, ConnectionInfo};

use super::{super::super::address, ask::Sentinel};
use crate::types::error::LockError;

/// Where a sentinel listens if its URL does not say so.
const DEFAULT_PORT: u16 = 26379;

/// Reads the URL of a master, or its bare name.
///
/// # Errors
/// [`LockError::Config`]. The URL itself, which may hold a password, is not in the message.
pub(super) fn master(text: &str) -> Result<(Arc<str>, ConnectionInfo), LockError> {
    let unusable = || {
        LockError::config(
            "the master of `sentinel` is not usable; the forms are `mymaster` and `redis://user:password@mymaster/db`, where \
             `mymaster` is the name by which the sentinels know it. Special characters of the password must be percent-encoded",
        )
    };
    let url = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
    let info = address::read(&url).map_err(|_| unusable())?;
    match info.addr() {
        ConnectionAddr::Tcp(name, _) | ConnectionAddr::TcpTls { host: name, .. } if !has_port(&url) => {
            Ok((Arc::from(&**name), info))
        }
        ConnectionAddr::Unix(_) => Err(unusable()),
        _ => Err(LockError::config(
            "the master of `sentinel` is named without a port: the sentinels say where it is, and their URLs come second",
        )),
    }
}

/// Reads the URL of a sentinel.
///
/// # Errors
/// [`LockError::Config`]. The URL itself, which may hold a password, is not in the message.
pub(super) fn sentinel(url: &str) -> Result<Sentinel, LockError> {
    let mut info = address::prepare(address::read(url)?)?;
    if info.redis_settings().db() != 0 {
        return Err(LockError::config(
            "the URL of a sentinel has no database; that of the master goes into its own URL",
        ));
    }
    if !has_port(url) {
        let at = at_port(info.addr().clone(), DEFAULT_PORT);
        info = info.set_addr(at);
    }
    // Sentinels are asked for a moment. Their users may not say a name.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let client = Client::open(info.set_redis_settings(settings)).map_err(address::wrong)?;
    let address = address::name(client.get_connection_info().addr(), 0);
    Ok(Sentinel { client, address })
}

fn at_port(place: ConnectionAddr, port: u16) -> ConnectionAddr {
    match &place {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => address::at(&place, host.clone(), port),
        _ => place,
    }
}

fn has_port(url: &str) -> bool {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.rsplit(']').next().unwrap_or_default().contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_masters_url_is_its_name() {
        for (text, name, db) in [
            ("mymaster", "mymaster", 0),
            ("redis://mymaster", "mymaster", 0),
            ("redis://shop:sesame@My_Master-2.eu/3?protocol=resp3", "My_Master-2.eu", 3),
            ("redis://:p%40ss@mymaster/", "mymaster", 0),
        ] {
            let (read, info) = master(text).expect(text);
            assert_eq!((&*read, info.redis_settings().db()), (name, db), "{text}");
        }
        for wrong in ["redis://u:sesame@s1:26379", "s1:26379", "redis+unix:///s", "redis://u:ses/ame@m", "", "a b"] {
            let error = master(wrong).expect_err(wrong);
            assert!(matches!(error, LockError::Config { .. }) && !format!("{error:?}").contains("ame@"), "{error:?}");
        }
    }

    #[test]
    fn a_sentinel_has_a_port_of_its_own_and_no_database() {
        for (url, address) in [
            ("redis://s1", "s1:26379"),
            ("redis://s1:5000", "s1:5000"),
            ("redis://user:sesame@[::1]", "[::1]:26379"),
            ("redis://[::1]:5000/", "[::1]:5000"),
        ] {
            assert_eq!(&*sentinel(url).expect(url).address, address);
        }
        for wrong in ["redis://u:sesame@s1/2", "s1", ""] {
            let error = sentinel(wrong).map(drop).expect_err(wrong);
            assert!(matches!(error, LockError::Config { .. }) && !format!("{error:?}").contains("sesame"), "{error:?}");
        }
    }
}
