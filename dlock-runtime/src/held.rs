//! Which locks the current task turns, for re-entry.
//!
//! It is the tree of futures that counts, not the thread and not the task: what runs inside `Guard::run`, or inside
//! the body of an annotated function, joins. What was spawned from there is a tree of its own and does not.

use std::sync::Arc;

use crate::{engine::Engine, turn::Turn};

tokio::task_local! {
    static INNERMOST: Frame;
}

/// A turn, and the frame around it.
#[derive(Clone)]
struct Frame(Arc<(Arc<Turn>, Option<Frame>)>);

/// Runs `body` so that it can join `turn`.
pub(crate) fn within<F: Future>(turn: Arc<Turn>, body: F) -> impl Future<Output = F::Output> {
    let outer = INNERMOST.try_with(Clone::clone).ok();
    INNERMOST.scope(Frame(Arc::new((turn, outer))), body)
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
        frame = outer.as_ref()?;
    }
}
