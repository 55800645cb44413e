//! How a connection is let in: as which user, with whose credentials, and under which name.

use std::{sync::Arc, time::Duration};

use redis::{Client, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::{
    super::{ErrorClass, StoreError},
    address,
    provider::Provider,
};
use crate::types::{boot_time::BootTime, credentials::Credentials, error::LockError};

/// Longer names of clients are a mistake.
const LONGEST_NAME: usize = 64;

/// Credentials that last for less than this are not asked for again and again.
const SHORTEST: Duration = Duration::from_millis(100);

/// What it takes to be let in by a server.
pub(super) struct Access {
    /// Without user and password if there is a provider. Its address is where the route begins.
    info: ConnectionInfo,
    provider: Option<Arc<Provider>>,
    /// How the server is to call our connections.
    pub(super) name: Option<String>,
}

/// For how long a server keeps a connection, and since when that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    since: BootTime,
    length: Duration,
}

impl Lifetime {
    /// When it is time to authenticate anew: early enough for some attempts.
    pub(super) fn renew_at(self) -> BootTime {
        self.since.after((self.length / 4 * 3).max(SHORTEST))
    }
}

impl Access {
    /// `is_theirs` says that the program made all of `info`, and not only its URL.
    ///
    /// # Errors
    /// [`LockError::Config`] if the name is none, or no connection can be made with this.
    pub(super) fn new(
        info: ConnectionInfo,
        is_theirs: bool,
        provider: Option<Arc<Provider>>,
        name: Option<String>,
    ) -> Result<Self, LockError> {
        check_name(name.as_deref())?;
        let info = address::prepare(info)?;
        let mut settings = info.redis_settings().clone();
        if provider.is_some() {
            settings = without_user(&settings);
        }
        if !is_theirs {
            // A user with least rights may not say its name, and each attempt would be in the server's log of refusals.
            settings = settings.set_skip_set_lib_name();
        }
        if let Some(name) = name.as_ref().filter(|_| settings.lib_name().is_none()) {
            settings = settings.set_lib_name(format!("dlock-runtime({name})"), env!("CARGO_PKG_VERSION"));
        }
        let client = Client::open(info.set_redis_settings(settings)).map_err(address::wrong)?;
        Ok(Self { info: client.get_connection_info().clone(), provider, name })
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// The credentials of the moment, if somebody provides them.
    ///
    /// # Errors
    /// That of the provider.
    pub(super) async fn credentials(&self) -> Result<Option<(Credentials, Option<Lifetime>)>, StoreError> {
        let Some(provider) = &self.provider else { return Ok(None) };
        let (credentials, since) = provider.ask().await?;
        let lifetime = credentials.lifetime().map(|length| Lifetime { since, length });
        Ok(Some((credentials, lifetime)))
    }

    /// The client that makes the next connection, to the server at `place`, and for how long that will last.
    ///
    /// # Errors
    /// That of the provider of credentials.
    pub(super) async fn client(&self, place: &ConnectionAddr) -> Result<(Client, Option<Lifetime>), StoreError> {
        let mut info = self.info.clone().set_addr(place.clone());
        let mut lifetime = None;
        if let Some((credentials, lasts)) = self.credentials().await? {
            let mut settings = info.redis_settings().clone().set_password(credentials.password());
            if let Some(user) = credentials.user() {
                settings = settings.set_username(user);
            }
            (info, lifetime) = (info.set_redis_settings(settings), lasts);
        }
        Ok((open(info)?, lifetime))
    }

    /// The same for a connection that receives messages beside replies.
    ///
    /// # Errors
    /// As those of [`client`](Self::client).
    pub(super) async fn client_of_pushes(
        &self,
        place: &ConnectionAddr,
    ) -> Result<(Client, Option<Lifetime>), StoreError> {
        let (client, lifetime) = self.client(place).await?;
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok((open(info.set_redis_settings(settings))?, lifetime))
    }
}

fn open(info: ConnectionInfo) -> Result<Client, StoreError> {
    Client::open(info).map_err(|error| StoreError::new(ErrorClass::Permanent, error))
}

/// The same settings without a user and a password.
fn without_user(settings: &RedisConnectionInfo) -> RedisConnectionInfo {
    let bare = RedisConnectionInfo::default().set_db(settings.db()).set_protocol(settings.protocol());
    match settings.lib_name().zip(settings.lib_ver()) {
        _ if settings.skip_set_lib_name() => bare.set_skip_set_lib_name(),
        Some((name, version)) => bare.set_lib_name(name, version),
        None => bare,
    }
}

/// What a server takes as the name of a client and as a part of the name of its library.
fn check_name(name: Option<&str>) -> Result<(), LockError> {
    let is_good =
        |name: &str| (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if name.is_none_or(is_good) {
        return Ok(());
    }
    let rule = format!("client_name must have 1 to {LONGEST_NAME} ASCII letters, digits or signs, and no spaces");
    Err(LockError::config(rule))
}
