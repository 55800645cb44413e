//! The release at the end of a call, by hand: an `async fn` would keep all that the body returned twice, as its
//! argument and meanwhile.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::types::{error::LockError, options::OnLost};

/// What the body left behind, while the lock is given back.
pub(crate) struct Left<T, E> {
    pub(crate) output: Result<T, LockError>,
    /// The output is the body's own error.
    pub(crate) failed: bool,
    pub(crate) on_lost: OnLost,
    pub(crate) or_else: E,
}

impl<T, E: FnOnce(LockError) -> T> Left<T, E> {
    /// Decides which of two troubles is returned.
    fn settle(self, released: Result<(), LockError>) -> T {
        let Self { output, failed, on_lost, or_else } = self;
        let settled = match (output, released) {
            (Ok(output), Err(loss)) if loss.is_lost() && !failed && on_lost == OnLost::Cancel => {
                drop(output);
                Err(loss)
            }
            // If the release is what went wrong, the keeper goes on with it, and the body did its work under the lock.
            (output, _) => output,
        };
        settled.unwrap_or_else(or_else)
    }
}

pin_project_lite::pin_project! {
    /// The release. `R` is that of the guard, if there is one.
    pub(crate) struct Release<T, E, R> {
        pub(crate) left: Option<Left<T, E>>,
        #[pin]
        pub(crate) guard: Option<R>,
    }
}

impl<T, E, R> Future for Release<T, E, R>
where
    E: FnOnce(LockError) -> T,
    R: Future<Output = Result<(), LockError>>,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        let released = match this.guard.as_pin_mut() {
            Some(guard) => ready!(guard.poll(cx)),
            None => Ok(()),
        };
        match this.left.take() {
            Some(left) => Poll::Ready(left.settle(released)),
            None => unreachable!("a future is not polled after its end"),
        }
    }
}
