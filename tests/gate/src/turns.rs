//! A turn on a lease: who ends it, and what its bodies see of a loss.

use super::*;

fn begun(world: &World) -> Arc<Turn> {
    let mut baton = world.head();
    world.ask(&mut baton);
    world.take(&mut baton);
    world.begin(baton)
}

/// The guard is dropped while the keeper ends the turn and the store says that the lease is gone. The baton comes out once, the
/// next task gets it, and whoever joined the turn late did so before its end or not at all.
pub(super) fn ended_by_several(world: &World) {
    let turn = begun(world);
    let end = || match turn.end(BootTime::now()) {
        Some(baton) if is_weakened("who_ends_a_turn_forgets_its_baton") => forget(baton),
        Some(baton) => world.pass_on(baton),
        None => {}
    };
    let leave = || {
        if turn.leave() {
            end()
        }
    };
    thread::scope(|scope| {
        scope.spawn(leave);
        scope.spawn(|| turn.lease.lose(LostReason::Gone));
        // What is told of a loss or a release is told of one of them.
        scope.spawn(|| {
            if turn.join() {
                leave()
            }
        });
        end();
    });
    assert!(!turn.is_held() && turn.lease.turn().is_none(), "it has ended");
    assert!(!turn.join(), "nobody is left");
}

/// The lease is lost while bodies begin, run and end under it: all that run are told.
pub(super) fn lost(world: &World, bodies: usize) {
    let turn = begun(world);
    let body = || {
        if is_weakened("a_body_looks_before_it_leaves_its_waker") {
            let mut watch = Watch::default();
            return block_on(poll_fn(|cx| {
                let is_held = turn.is_held();
                turn.watch(&mut watch, cx.waker());
                if is_held { Poll::Pending } else { Poll::Ready(()) }
            }));
        }
        let body = SupervisedBody::new(pending::<()>(), Some(Supervisor::new(&turn, OnLost::Cancel)));
        let ended = block_on(body);
        assert!(matches!(ended, Err(LockError::Lost { reason: LostReason::Gone, .. })), "it was lost");
    };
    thread::scope(|scope| {
        (0..bodies).for_each(|_| _ = scope.spawn(body));
        scope.spawn(|| turn.lease.lose(LostReason::Gone));
    });
    world.pass_on(turn.end(BootTime::now()).expect("nobody else ends it"));
}
