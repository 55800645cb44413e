//! Which locks the current task turns, for re-entry.
//!
//! It is the tree of futures that counts, not the thread and not the task: what runs inside `Guard::run`, or inside
//! the body of an annotated function, joins. What was spawned from there is a tree of its own and does not.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::task::futures::TaskLocalFuture;

use crate::{engine::Engine, turn::Turn};

tokio::task_local! {
    static INNERMOST: Frame;
}

/// A turn, and the frame around it, which is known once the body is polled.
#[derive(Clone)]
struct Frame(Arc<(Arc<Turn>, OnceLock<Option<Frame>>)>);

/// Runs `body` so that it can join `turn`.
pub(crate) fn within<F: Future>(turn: Arc<Turn>, body: F) -> Within<F> {
    let frame = Frame(Arc::new((turn, OnceLock::new())));
    Within { frame: frame.clone(), body: INNERMOST.scope(frame, body) }
}

pin_project_lite::pin_project! {
    /// A future by hand: an `async fn` would keep the body twice, as its argument and as what it awaits.
    pub(crate) struct Within<F> {
        frame: Frame,
        #[pin]
        body: TaskLocalFuture<Frame, F>,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Where it is polled first, and not where it was made: it may have been made outside of what it is run in.
        this.frame.0.1.get_or_init(|| INNERMOST.try_with(Clone::clone).ok());
        this.body.poll(cx)
    }
}

/// The turn that the current task has on the lock `name` of `engine`.
pub(crate) fn find(engine: &Arc<Engine>, name: &str) -> Option<Arc<Turn>> {
    let innermost = INNERMOST.try_with(Clone::clone).ok()?;
    let mut frame = &innermost;
    loop {
        let (turn, outer) = &*frame.0;
        if Arc::ptr_eq(&turn.engine, engine) && *turn.lease.ticket.name == *name {
            return Some(Arc::clone(turn));
        }
        frame = outer.get()?.as_ref()?;
    }
}
