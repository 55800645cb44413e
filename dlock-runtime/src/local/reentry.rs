//! Which locks the current task holds, so that it can take them again (re-entry).
//!
//! What counts is neither the thread nor the task but the tree of futures: what runs inside of `Guard::run`, or of the body of an
//! annotated function, joins its hold. A task that was spawned from there is a tree of its own and does not join.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use crate::{local::turn::Turn, protocol::token::Identity, sync::thread_local};

thread_local! {
    // The frame of the body that this thread polls.
    static INNERMOST: Cell<Option<Frame>> = const { Cell::new(None) };
}

/// A turn that a body runs under, and the frame around that body. The outer frame is known once the body was polled.
#[derive(Clone)]
pub(crate) struct Frame(Arc<(Arc<Turn>, OnceLock<Option<Frame>>)>);

impl Frame {
    pub(crate) fn of(turn: Arc<Turn>) -> Self {
        Self(Arc::new((turn, OnceLock::new())))
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.0.0
    }

    /// Notes the outer frame; called before each poll of the body. It is the frame in which the body is polled first, not the one
    /// in which it was made.
    pub(crate) fn note_outer(&self) {
        self.0.1.get_or_init(innermost);
    }

    /// Runs a step of the body, which can join the turn.
    pub(crate) fn within<T>(&self, step: impl FnOnce() -> T) -> T {
        let _restore = Restore(swap(Some(self.clone())));
        step()
    }
}

/// Restores the outer frame when it is dropped, also by a panic of the body.
struct Restore(Option<Frame>);

impl Drop for Restore {
    fn drop(&mut self) {
        drop(swap(self.0.take()));
    }
}

/// Sets the innermost frame and returns the one before. A thread that is about to end has none.
fn swap(frame: Option<Frame>) -> Option<Frame> {
    INNERMOST.try_with(|innermost| innermost.replace(frame)).ok().flatten()
}

fn innermost() -> Option<Frame> {
    let frame = swap(None);
    drop(swap(frame.clone()));
    frame
}

/// The turn that the current task holds on the lock `name` of the runtime `identity`.
pub(crate) fn find(identity: Identity, name: &str) -> Option<Arc<Turn>> {
    let innermost = innermost()?;
    let mut frame = &innermost;
    loop {
        let (turn, outer) = &*frame.0;
        let lock_id = &turn.lease.lock_id;
        if lock_id.token.identity == identity && *lock_id.name == *name {
            return Some(Arc::clone(turn));
        }
        frame = outer.get()?.as_ref()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;

    #[tokio::test]
    async fn a_body_finds_the_locks_around_it_and_no_others() {
        let runtime =
            async || Runtime::builder().embedded().namespace("frames").build().await.expect("it takes no store");
        let (ours, theirs) = (runtime().await, runtime().await);
        let has = |runtime: &Runtime, key: &str| find(runtime.0.identity, &format!("frames:{key}")).is_some();
        let all = || [has(&ours, "outer"), has(&theirs, "inner"), has(&ours, "inner"), has(&ours, "other")];
        let outer = ours.lock("outer").acquire().await.expect("free");
        let inner = theirs.lock("inner").acquire().await.expect("free");
        let around = outer.run(async {
            let within = inner.run(async { all() }).await.expect("held");
            (within, all())
        });
        assert_eq!(around.await.expect("held"), ([true, true, false, false], [true, false, false, false]));
        assert_eq!(all(), [false; 4], "they are held, but nothing runs under them");
    }
}
