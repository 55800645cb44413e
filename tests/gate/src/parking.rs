//! A lease that is kept while nobody uses it.

use std::time::Duration;

use shuttle::thread;

use super::{
    super::Rules,
    world::{STAYS, World, rules},
};
use crate::sync::Arc;

/// Tasks come and go, while somebody else wants the lease and the keeper would give it back.
pub(super) fn parked(tasks: usize) {
    let rules = Rules { linger: Duration::from_secs(1), ..rules() };
    let (world, name) = (World::new(rules), Arc::from("k"));
    assert!(world.visit(&name, STAYS), "nobody was there");
    let first = Arc::clone(&world.book.page().leases[0]);
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| assert!(world.visit(&name, STAYS), "it was sent away"));
        }
        scope.spawn(|| world.say_contended(&world.lock_id(&name, 1)));
        world.unpark(&first);
    });
    world.close();
}
