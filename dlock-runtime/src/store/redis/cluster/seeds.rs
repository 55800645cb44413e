//! The nodes that a program names. The user and the password of their URLs are those of the whole cluster.

use redis::{ConnectionAddr, ConnectionInfo};

use super::super::{
    access::Access,
    address,
    connections::Connections,
    options::{RedisOptions, Seed},
    route::{Place, Route},
};
use crate::types::error::LockError;

/// Reads them. Returns what all connections have in common, and where the nodes are.
///
/// # Errors
/// [`LockError::Config`] if no connection can be made with these options.
pub(super) fn read(options: RedisOptions) -> Result<(Connections, Vec<Place>), LockError> {
    let RedisOptions { url, client, sentinel, cluster, provider, client_name, quarantine } = options;
    if url.is_some() || client.is_some() || sentinel.is_some() {
        return Err(LockError::config(
            "more than one of `redis`, `redis_client`, `sentinel` and `cluster` is given; choose one",
        ));
    }
    let seeds = cluster.unwrap_or_default();
    let is_theirs = matches!(seeds.first(), Some(Seed::Client(_)));
    let read = |seed| match seed {
        Seed::Url(url) => address::read(&url),
        Seed::Client(client) => Ok(client.get_connection_info().clone()),
    };
    let seeds = seeds.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = seeds.first() else {
        return Err(LockError::config(
            "no node of the cluster is named; say `.cluster([\"redis://n1:6379\", \"redis://n2:6379\"])`",
        ));
    };
    for seed in &seeds {
        check(seed, first)?;
    }
    let places = seeds.iter().map(|seed| {
        let at = address::at(first.addr(), address::host(seed.addr()).to_owned(), address::port(seed.addr()));
        let name = address::name(&at, 0);
        Place { at, name }
    });
    let places = places.collect::<Vec<_>>();
    let access = Access::new(first.clone(), is_theirs, provider, client_name)?;
    let first = Place { at: first.addr().clone(), name: address::name(first.addr(), 0) };
    Ok((Connections::new((Route::Fixed(first.into()), access), quarantine), places))
}

/// Whether a node can be reached in the way of the first one.
fn check(seed: &ConnectionInfo, first: &ConnectionInfo) -> Result<(), LockError> {
    if seed.redis_settings().db() != 0 {
        return Err(LockError::config("a Redis cluster has no databases but 0; leave it out of the URLs"));
    }
    if matches!(seed.addr(), ConnectionAddr::Unix(_)) {
        return Err(LockError::config("the nodes of a cluster are named by host and port, as they name each other"));
    }
    let of = |info: &ConnectionInfo| {
        let settings = info.redis_settings();
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        (is_tls, settings.username().map(str::to_owned), settings.password().map(str::to_owned))
    };
    if of(seed) != of(first) {
        return Err(LockError::config(
            "the nodes of a cluster are reached in the same way: their URLs must have the same scheme, user and password",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(urls: &[&str]) -> Result<Vec<String>, LockError> {
        let seeds = urls.iter().map(|url| Seed::Url((*url).to_owned())).collect();
        let options = RedisOptions { cluster: Some(seeds), ..RedisOptions::default() };
        super::read(options).map(|(_, places)| places.iter().map(|place| place.name.to_string()).collect())
    }

    #[test]
    fn seeds_differ_in_their_place_alone() {
        let places = read(&["redis://u:sesame@n1:7000", "redis://u:sesame@[::1]"]).expect("two nodes");
        assert_eq!(places, ["n1:7000", "[::1]:6379"]);
        for (urls, says) in [
            (&[][..], "no node of the cluster is named"),
            (&["redis://n1/2"], "no databases but 0"),
            (&["redis://n1", "redis://u:sesame@n2"], "same scheme, user and password"),
            (&["redis+unix:///sesame"], "by host and port"),
            (&["redis://u:ses/ame@n1"], "percent-encoded"),
            (&["n1:7000"], "the Redis URL is not usable"),
        ] {
            let error = read(urls).expect_err(says);
            let text = format!("{error:?} {error}");
            assert!(text.contains(says) && !text.contains("ses/ame") && !text.contains("sesame"), "{text}");
        }
    }
}
