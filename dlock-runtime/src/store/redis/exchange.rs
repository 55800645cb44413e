//! One exchange with the server: a request and its reply, repeated once when the connection turns out to have been dead.
//!
//! A connection that was idle may be dead without a sign of it: a gateway forgot it, or the server closed it. So a request is
//! sent again on a fresh connection if an older one breaks, or leads to a server that is not the master any more. A request on
//! a connection that was made for it is not repeated.

use std::{sync::Arc, time::Duration};

use redis::RedisResult;

use super::{
    super::{ErrorClass, Permit, Reply},
    classify::{self, Fault},
    combiner::Combiner,
    connection::{Connection, InUse},
    connections::Connections,
};
use crate::types::boot_time::BootTime;

/// A request to the server, and how its reply is read.
pub(super) trait Exchange: Send + 'static {
    type Output: Send;

    /// Sends the request and reads the reply. `repeated` says that an earlier copy may have been carried out, or may be yet.
    fn send(
        &mut self,
        connections: &Connections,
        connection: &Combiner,
        repeated: bool,
    ) -> impl Future<Output = RedisResult<Self::Output>> + Send;

    /// Whether it does no harm if an earlier copy is carried out late.
    fn may_be_repeated(&self) -> bool {
        true
    }
}

/// Runs an exchange on the connection of the current tokio runtime. `reply_timeout` is how long the reply may take before the
/// connection is to blame.
///
/// There is no timer in here: callers apply the timeout. The reply may be awaited in another runtime than the one it was asked
/// in, whose timers panic once that runtime has ended.
pub(super) fn run<E: Exchange>(
    connections: &Arc<Connections>,
    permit: Option<Permit>,
    reply_timeout: Duration,
    exchange: E,
) -> Reply<E::Output> {
    run_if_asked(connections, false, permit, reply_timeout, exchange)
}

/// The same; `is_asking` says that it is about a slot of a cluster that is on its way to this server.
pub(super) fn run_if_asked<E: Exchange>(
    connections: &Arc<Connections>,
    is_asking: bool,
    permit: Option<Permit>,
    reply_timeout: Duration,
    mut exchange: E,
) -> Reply<E::Output> {
    let connections = Arc::clone(connections);
    let began = BootTime::now();
    Box::pin(async move {
        let _permit = permit;
        let mut watch = Watch { connection: connections.here()?, used: None, reply_timeout, began };
        let (mut retried, mut repeated) = (false, false);
        loop {
            let used = match connections.connect(&watch.connection, reply_timeout).await {
                Ok(used) => used,
                // The copy on the connection that broke may have been carried out.
                Err(error) if repeated => return Err(error.with_class(ErrorClass::Indeterminate)),
                Err(error) => return Err(error),
            };
            let (generation, fresh, connection) = (used.generation, used.fresh, used.connection.clone());
            let connection = if is_asking { connection.asking() } else { connection };
            watch.used = Some(used);
            let reply = exchange.send(&connections, &connection, repeated).await;
            watch.used = None;
            watch.connection.is_answered();
            let error = match reply {
                Ok(reply) => {
                    connections.note_reply();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let fault = classify::classify(&error);
            if fault.spoils_connection() {
                watch.connection.retire(generation);
                let harmless = fault != Fault::ConnectionBroken || exchange.may_be_repeated();
                if !(fresh || retried) && harmless {
                    retried = true;
                    repeated |= fault == Fault::ConnectionBroken;
                    continue;
                }
            }
            let error = connections.reply_error(error);
            let open = repeated && matches!(error.class, ErrorClass::Transient | ErrorClass::Rejected);
            return Err(if open { error.with_class(ErrorClass::Indeterminate) } else { error });
        }
    })
}

/// Takes a connection out of service when an exchange on it is given up after its reply was due: the next exchange makes a new
/// one. Scripts may be sent again, so nothing is lost by that. Of exchanges that are given up earlier, none says anything about
/// the connection, but several in a row do; nor does one that is late where replies to others arrive.
struct Watch {
    connection: Arc<Connection>,
    /// What the exchange uses; `None` while there is nothing to wait for.
    used: Option<InUse>,
    reply_timeout: Duration,
    began: BootTime,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(used) = &self.used {
            self.connection.is_unanswered(used, self.began, self.reply_timeout);
        }
    }
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use super::{
        super::{Redis, options::RedisOptions, route::Route},
        *,
    };
    use crate::{
        protocol::token::{Identity, LockId, Tag, Token},
        store::{AcquireCommand, ReleaseCommand, Store},
    };

    /// So large a block glibc keeps at hand for its thread when it is freed. Larger ones cost several times as much.
    const AT_HAND: usize = 1032;

    #[tokio::test]
    async fn requests_are_small_enough_for_blocks_that_an_allocator_keeps_at_hand() {
        let options = RedisOptions { url: Some("redis://127.0.0.1:1".to_owned()), ..RedisOptions::default() };
        let store = Redis::to(Connections::new(Route::new(options).expect("a URL"), None));
        let token = Token { identity: Identity::random().expect("random numbers"), number: 1, tag: Tag(None) };
        let lock_id = LockId { name: "a".into(), token };
        let permit = || Permit::at_once(&store, "a").expect("nobody asks for anything");
        for fences in [0, 1] {
            let command = AcquireCommand {
                lock_id: lock_id.clone(),
                ttl: Duration::from_secs(1),
                fences,
                who: "who".to_owned(),
                waits: true,
                is_contended: false,
                sent: false.into(),
                doubled: false.into(),
                since: 0.into(),
            };
            let acquire = store.acquire(&Arc::new(command), permit(), Duration::from_secs(1));
            assert!(size_of_val(&*acquire) <= AT_HAND, "{fences} fences: {} bytes", size_of_val(&*acquire));
        }
        let release = ReleaseCommand { lock_id, queue_entry: None, is_unwanted: true, last_fence: 0, taken_by: None };
        let release = store.release(release, permit(), Duration::from_secs(1));
        assert!(size_of_val(&*release) <= AT_HAND, "{} bytes", size_of_val(&*release));
    }
}
