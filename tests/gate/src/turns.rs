//! A turn on a lease: who ends it, and what its bodies see of a loss.

use std::{future::poll_fn, task::Poll};

use shuttle::{future::block_on, thread};

use super::world::{World, rules};
use crate::{
    local::{
        body::{SupervisedBody, Supervisor},
        turn::{Turn, Watch},
    },
    sync::{Arc, scheduled::is_weakened},
    types::{
        boot_time::BootTime,
        error::{LockError, LostReason},
        options::OnLost,
    },
};

fn begun(world: &World) -> Arc<Turn> {
    let mut baton = world.head();
    world.ask(&mut baton);
    world.take(&mut baton);
    world.begin(baton)
}

/// The guard is dropped while the keeper ends the turn and the store says that the lease is gone. The baton comes out once, the
/// next task gets it, and whoever joined the turn late did so before its end or not at all.
pub(super) fn ended_by_several() {
    let world = World::new(rules());
    let turn = begun(&world);
    let end = |turn: &Turn| match turn.end(BootTime::now()) {
        Some(baton) if is_weakened("who_ends_a_turn_forgets_its_baton") => std::mem::forget(baton),
        Some(baton) => world.pass_on(baton, BootTime::now()),
        None => {}
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            if turn.leave() {
                end(&turn);
            }
        });
        scope.spawn(|| turn.lease.lose(LostReason::Gone));
        scope.spawn(|| {
            // What is told of a loss or a release is told of one of them.
            if turn.join() && turn.leave() {
                end(&turn);
            }
        });
        end(&turn);
    });
    assert!(!turn.is_held() && turn.lease.turn().is_none(), "it has ended");
    assert!(!turn.join(), "nobody is left");
    drop(turn);
    world.close();
}

/// The lease is lost while bodies begin, run and end under it: all that run are told.
pub(super) fn lost(bodies: usize) {
    let world = World::new(rules());
    let turn = begun(&world);
    thread::scope(|scope| {
        for _ in 0..bodies {
            scope.spawn(|| {
                if is_weakened("a_body_looks_before_it_leaves_its_waker") {
                    return looks_first(&turn);
                }
                let body =
                    SupervisedBody::new(std::future::pending::<()>(), Some(Supervisor::new(&turn, OnLost::Cancel)));
                let ended = block_on(body);
                assert!(matches!(ended, Err(LockError::Lost { reason: LostReason::Gone, .. })), "it was lost");
            });
        }
        scope.spawn(|| turn.lease.lose(LostReason::Gone));
    });
    world.pass_on(turn.end(BootTime::now()).expect("nobody else ends it"), BootTime::now());
    drop(turn);
    world.close();
}

fn looks_first(turn: &Turn) {
    let mut watch = Watch::default();
    block_on(poll_fn(|cx| {
        if !turn.is_held() {
            return Poll::Ready(());
        }
        turn.watch(&mut watch, cx.waker());
        Poll::Pending
    }));
}
