//! Whether the caller's executor can do what talking to a store needs.
//!
//! On a tokio runtime with its I/O and time drivers enabled, requests run right where the caller is. Anywhere else
//! (another executor, a runtime without drivers) tokio's sockets and timers panic, so there the keeper does it.

use crate::{
    keeper::thread::Keeper,
    system::{self, Handle},
    types::error::LockError,
};

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
    system::fit().is_some_and(|fit| Handle::try_current().is_ok_and(|here| here.id() == fit))
}

async fn is_fit_here() -> bool {
    let Ok(here) = Handle::try_current() else { return false };
    let id = here.id();
    if system::fit() == Some(id) {
        return true;
    }
    // There is no way to ask; a task of its own keeps the answer's panic away from the caller.
    let fit = here.spawn(system::try_drivers()).await.is_ok();
    if fit {
        system::set_fit(id);
    }
    fit
}
