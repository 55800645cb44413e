//! Live connections authenticate anew before their credentials end.
//!
//! That is for connections that take commands. One that listens cannot do so in RESP2: a new one takes its place
//! (`subscriber/mod.rs`).

use std::{sync::Arc, time::Duration};

use redis::Cmd;
use tokio::time::sleep;

use super::{
    access::{Access, Lifetime},
    classify::{self, Fault},
    link::Link,
    route::Place,
};
use crate::{
    observe,
    system::{JoinHandle, spawn},
    types::{boot_time::BootTime, credentials::Credentials},
};

/// The pauses between attempts.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The task that does it. It ends when this is dropped.
pub(super) struct Reauthentication(JoinHandle<()>);

/// Keeps a connection authenticated, in the current tokio runtime, for as long as it is in use.
pub(super) fn keep(access: &Arc<Access>, place: &Arc<Place>, link: Link, lifetime: Lifetime) -> Link {
    let task = spawn(authenticate(Arc::clone(access), Arc::clone(place), link.clone(), lifetime));
    link.with(Reauthentication(task))
}

impl Drop for Reauthentication {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn authenticate(access: Arc<Access>, place: Arc<Place>, mut link: Link, mut lifetime: Lifetime) {
    let mut pause = SHORTEST;
    sleep(lifetime.renew_at().since(BootTime::now())).await;
    loop {
        let failure = match access.credentials().await {
            Ok(Some((credentials, next))) => match command(&credentials).query_async::<()>(&mut link).await {
                Ok(()) => {
                    // If there is no next time, these last.
                    let Some(next) = next else { return };
                    (lifetime, pause) = (next, SHORTEST);
                    sleep(lifetime.renew_at().since(BootTime::now())).await;
                    continue;
                }
                // The next request makes another one.
                Err(error) if classify::classify(&error) == Fault::ConnectionBroken => return,
                Err(error) => classify::without_arguments(error).to_string(),
            },
            Ok(None) => return,
            Err(error) => match error.cause.source() {
                Some(source) => format!("{}: {source}", error.cause),
                None => error.cause.to_string(),
            },
        };
        if pause == SHORTEST {
            observe::not_authenticated(&place.name, failure);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

fn command(credentials: &Credentials) -> Cmd {
    let mut command = redis::cmd("AUTH");
    command.arg(credentials.user()).arg(credentials.password());
    command
}
