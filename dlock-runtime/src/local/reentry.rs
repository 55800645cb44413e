//! Which locks the current task turns, for re-entry.
//!
//! It is the tree of futures that counts, not the thread and not the task: what runs inside `Guard::run`, or inside
//! the body of an annotated function, joins. What was spawned from there is a tree of its own and does not.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use crate::{local::turn::Turn, protocol::token::Identity};

thread_local! {
    // Of the body that this thread is polling.
    static INNERMOST: Cell<Option<Frame>> = const { Cell::new(None) };
}

/// A turn, and the frame around it, which is known once the body is polled.
#[derive(Clone)]
pub(crate) struct Frame(Arc<(Arc<Turn>, OnceLock<Option<Frame>>)>);

impl Frame {
    pub(crate) fn of(turn: Arc<Turn>) -> Self {
        Self(Arc::new((turn, OnceLock::new())))
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.0.0
    }

    /// To be said before the body is polled: the frame around it is the one where it is polled first, and not the one where
    /// it was made, which may be outside of what it is run in.
    pub(crate) fn is_polled(&self) {
        self.0.1.get_or_init(innermost);
    }

    /// Does a step of the body, which can join the turn.
    pub(crate) fn within<T>(&self, step: impl FnOnce() -> T) -> T {
        let _entered = Entered(swap(Some(self.clone())));
        step()
    }
}

/// Puts back what was there before, also when the body panics.
struct Entered(Option<Frame>);

impl Drop for Entered {
    fn drop(&mut self) {
        drop(swap(self.0.take()));
    }
}

/// A thread that is about to end has no frames any more.
fn swap(frame: Option<Frame>) -> Option<Frame> {
    INNERMOST.try_with(|innermost| innermost.replace(frame)).ok().flatten()
}

fn innermost() -> Option<Frame> {
    let frame = swap(None);
    drop(swap(frame.clone()));
    frame
}

/// The turn that the current task has on the lock `name` of the runtime `identity`.
pub(crate) fn find(identity: Identity, name: &str) -> Option<Arc<Turn>> {
    let innermost = innermost()?;
    let mut frame = &innermost;
    loop {
        let (turn, outer) = &*frame.0;
        let ticket = &turn.lease.ticket;
        if ticket.token.identity == identity && *ticket.name == *name {
            return Some(Arc::clone(turn));
        }
        frame = outer.get()?.as_ref()?;
    }
}
