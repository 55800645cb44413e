//! A lease that is kept while nobody uses it.

use std::time::Duration;

use shuttle::thread;

use super::{
    super::queue::{ToRelease, Rules},
    world::{STAYS, World},
};
use crate::{clock::BootTime, sync::Arc, lock_id::LockId};

/// Tasks come and go, while somebody else wants the lease and the keeper would give it back.
pub(super) fn parked(tasks: usize) {
    let rules = Rules { linger: Duration::from_secs(1), ..Rules::default() };
    let (world, name) = (World::new(rules), Arc::from("k"));
    assert!(world.visit(&name, STAYS), "nobody was there");
    let first = Arc::clone(&world.book.page().leases[0]);
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| assert!(world.visit(&name, STAYS), "it was sent away"));
        }
        scope.spawn(|| {
            let lock_id = LockId::new(&name, 1);
            let parked = world.queues.notify_contended(&lock_id, BootTime::now());
            world.book.leave(parked.map(ToRelease::Lease));
        });
        if world.queues.parked_until(&first).is_some() {
            let parked = world.queues.unpark(&first);
            world.book.leave(parked.map(ToRelease::Lease));
        }
    });
    world.close();
}
