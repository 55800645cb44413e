//! One attempt to connect, for all requests that wait for it: a thousand callers must not open a thousand connections.
//!
//! A task of its own makes the attempt. A request may be begun and then left alone, as in a `select!` whose other branch awaits. If
//! it were the one that connects, all others would wait for it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    super::StoreError,
    connection::Connection,
    connections::Connections,
    outcome::{Ends, Outcome},
};
use crate::system::JoinHandle;

/// An attempt under way. It is given up when nobody waits for it any more.
pub(super) struct Attempt {
    end: Arc<Outcome>,
    task: JoinHandle<()>,
}

impl Attempt {
    /// Begins an attempt, which may take `limit`.
    pub(super) fn begin(connections: &Arc<Connections>, connection: &Arc<Connection>, limit: Duration) -> Arc<Self> {
        let end = Arc::<Outcome>::default();
        let ends = Ends(Arc::clone(&end));
        let (connections, runtime) = (Arc::clone(connections), connection.runtime.clone());
        let connection = Arc::clone(connection);
        let task = runtime.spawn(async move {
            let fresh = timeout(limit, connections.fresh(limit)).await;
            let fresh = fresh.unwrap_or_else(|_| Err(StoreError::timed_out(&connections.address(), limit)));
            ends.with(fresh.map(|(fresh, place)| connections.put(&connection, fresh, &place)));
        });
        Arc::new(Self { end, task })
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_there()
    }

    /// # Errors
    /// Why there is no connection.
    pub(super) async fn outcome(&self) -> Result<(), StoreError> {
        self.end.wait().await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use std::{
        io::Read,
        net::{Ipv4Addr, TcpListener, TcpStream},
        pin::pin,
    };

    use super::{
        super::{options::RedisOptions, route::Route},
        *,
    };

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    /// Connections to a server that lets nobody in and refuses nobody.
    fn silent() -> (TcpListener, Arc<Connections>) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = server.local_addr().expect("an address").port();
        // A password has to be accepted first.
        let options =
            RedisOptions { url: Some(format!("redis://:secret@127.0.0.1:{port}")), ..RedisOptions::default() };
        (server, Arc::new(Connections::new(Route::new(options).expect("a URL"), None)))
    }

    /// Waits until the other end closes it.
    fn is_closed(mut stream: TcpStream) -> bool {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream.read_to_end(&mut Vec::new()).is_ok()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn an_attempt_that_nobody_waits_for_is_given_up() {
        let (server, connections) = silent();
        let connection = connections.here().expect("a runtime");
        {
            let mut first = pin!(connections.connect(&connection, LONG));
            assert!(timeout(SHORT, first.as_mut()).await.is_err());
            // Whoever comes later joins it, and goes on if the first goes away.
            assert!(timeout(SHORT, connections.connect(&connection, LONG)).await.is_err());
        }
        let (stream, _) = server.accept().expect("the attempt");
        assert!(is_closed(stream));
        server.set_nonblocking(true).expect("a setting");
        assert!(server.accept().is_err(), "there was one attempt for both");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn an_attempt_ends_when_its_time_is_over_and_the_next_request_makes_another() {
        let (server, connections) = silent();
        let connection = connections.here().expect("a runtime");
        for _ in 0..2 {
            let error = connections.connect(&connection, SHORT).await.err().expect("nobody lets it in");
            assert!(error.is_timeout(), "{error:?}");
            assert!(is_closed(server.accept().expect("an attempt").0));
        }
    }
}
