//! Which locks the current task holds, for re-entry.
//!
//! It is the tree of futures that counts, not the thread and not the task: what runs inside `Guard::run`, or inside
//! the body of an annotated function, joins. What was spawned from there is a tree of its own and does not.

use std::sync::Arc;

use crate::{engine::Engine, hold::Hold};

tokio::task_local! {
    static INNERMOST: Frame;
}

/// A hold, and the frame around it.
#[derive(Clone)]
struct Frame(Arc<(Arc<Hold>, Option<Frame>)>);

/// Runs `body` so that it can join `hold`.
pub(crate) fn within<F: Future>(hold: Arc<Hold>, body: F) -> impl Future<Output = F::Output> {
    let outer = INNERMOST.try_with(Clone::clone).ok();
    INNERMOST.scope(Frame(Arc::new((hold, outer))), body)
}

/// The hold that the current task has on the lock `name` of `engine`.
pub(crate) fn find(engine: &Arc<Engine>, name: &str) -> Option<Arc<Hold>> {
    let innermost = INNERMOST.try_with(Clone::clone).ok()?;
    let mut frame = &innermost;
    loop {
        let (hold, outer) = &*frame.0;
        if Arc::ptr_eq(&hold.engine, engine) && *hold.lease.name == *name {
            return Some(Arc::clone(hold));
        }
        frame = outer.as_ref()?;
    }
}
