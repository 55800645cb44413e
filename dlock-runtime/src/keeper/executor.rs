//! Whether the caller's executor can do what talking to a store needs.
//!
//! On a tokio runtime with its I/O and time drivers enabled, requests run right where the caller is. Anywhere else
//! (another executor, a runtime without drivers) tokio's sockets and timers panic, so there the keeper does it.

use std::{cell::Cell, time::Duration};

use tokio::runtime::{Handle, Id};

use crate::{keeper::thread::Keeper, types::error::LockError};

thread_local! {
    /// The runtime that was found fit last, so that the usual case costs one comparison.
    static FIT: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Runs `work` here if possible, else on the keeper's thread. It is made only then: as an argument its future would be kept
/// twice.
///
/// # Errors
/// [`LockError::Unavailable`] if the keeper's thread is gone.
pub(crate) async fn run<T, F>(keeper: &Keeper, work: impl FnOnce() -> F) -> Result<T, LockError>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    if is_fit_here().await {
        return Ok(work().await);
    }
    keeper.run(work()).await.ok_or_else(|| LockError::unavailable("the keeper's thread is gone"))
}

/// Whether requests can run here; false where that was not tried yet.
pub(crate) fn is_known_to_be_fit_here() -> bool {
    FIT.get().is_some_and(|fit| Handle::try_current().is_ok_and(|here| here.id() == fit))
}

async fn is_fit_here() -> bool {
    let Ok(here) = Handle::try_current() else { return false };
    let id = here.id();
    if FIT.get() == Some(id) {
        return true;
    }
    // There is no way to ask; a task of its own keeps the answer's panic away from the caller.
    let fit = here.spawn(probe()).await.is_ok();
    if fit {
        FIT.set(Some(id));
    }
    fit
}

/// Uses both drivers. It panics where one of them is missing.
async fn probe() {
    tokio::time::sleep(Duration::ZERO).await;
    #[cfg(unix)]
    drop(tokio::net::UnixStream::pair());
    #[cfg(not(unix))]
    drop(tokio::net::UdpSocket::bind("127.0.0.1:0").await);
}
