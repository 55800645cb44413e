//! Tasks of one process that want the same lock stand in line here, first come, first served.
//!
//! Only the head of a line asks the store, so that a process is one waiter however many of its tasks wait, and its
//! tasks do not overtake each other. When a hold of this process ends, the head is nudged and asks at once.
//!
//! **Invariant:** a line has a head. A place is given up by being dropped, also by a future that was cancelled, and
//! then goes to the next task that is still there.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

/// The lines of one runtime, by the names of the locks.
#[derive(Default)]
pub(crate) struct Gates {
    lines: Mutex<HashMap<Arc<str>, Line>>,
}

#[derive(Default)]
struct Line {
    /// Tells the head that the lock may be free.
    nudge: Arc<Notify>,
    /// Those behind the head. Some may have gone.
    queue: VecDeque<oneshot::Sender<Place>>,
}

/// The head of a line.
pub(crate) struct Place {
    gates: Arc<Gates>,
    name: Arc<str>,
    nudge: Arc<Notify>,
    /// Whether dropping it makes the next one the head.
    taken: bool,
}

impl Gates {
    /// Waits in line for at most `within`. `None` if the time was over first.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line.
    pub(crate) async fn enter(self: &Arc<Self>, name: &Arc<str>, within: Duration) -> Option<Place> {
        let turn = {
            let mut lines = self.lines();
            match lines.entry(Arc::clone(name)) {
                Entry::Vacant(free) => {
                    let nudge = Arc::clone(&free.insert(Line::default()).nudge);
                    return Some(self.place(name, nudge));
                }
                Entry::Occupied(mut line) => line.get_mut().join(),
            }
        };
        tokio::time::timeout(within, turn).await.ok()?.ok()
    }

    /// A hold of the lock has ended: the head asks again now.
    pub(crate) fn nudge(&self, name: &Arc<str>) {
        if let Some(line) = self.lines().get(name) {
            line.nudge.notify_one();
        }
    }

    fn place(self: &Arc<Self>, name: &Arc<str>, nudge: Arc<Notify>) -> Place {
        Place { gates: Arc::clone(self), name: Arc::clone(name), nudge, taken: true }
    }

    /// The next task that is still there, or nobody: then the line is gone.
    fn next(&self, name: &Arc<str>) -> Option<oneshot::Sender<Place>> {
        let mut lines = self.lines();
        let next = lines.get_mut(name)?.queue.pop_front();
        if next.is_none() {
            lines.remove(name);
        }
        next
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Arc<str>, Line>> {
        // Nothing panics while it holds this lock.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn join(&mut self) -> oneshot::Receiver<Place> {
        // Those who left stay in the queue until it has doubled, so that leaving costs nothing.
        if self.queue.len() >= 32 && self.queue.len().is_power_of_two() {
            self.queue.retain(|waiter| !waiter.is_closed());
        }
        let (waiter, turn) = oneshot::channel();
        self.queue.push_back(waiter);
        turn
    }
}

impl Place {
    /// Returns when a hold of this process has ended since the last time.
    pub(crate) async fn nudged(&self) {
        self.nudge.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.taken {
            return;
        }
        while let Some(next) = self.gates.next(&self.name) {
            match next.send(self.gates.place(&self.name, Arc::clone(&self.nudge))) {
                Ok(()) => return,
                // It left in this moment. Its place comes back, and must not look for a successor by itself.
                Err(mut place) => place.taken = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn gates() -> (Arc<Gates>, Arc<str>) {
        (Arc::default(), "k".into())
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let (gates, name) = gates();
        let head = gates.enter(&name, LONG).await.expect("nobody is there");
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks = (0..50).map(|number| {
            let (gates, name, order) = (Arc::clone(&gates), Arc::clone(&name), Arc::clone(&order));
            tokio::spawn(async move {
                let _place = gates.enter(&name, LONG).await.expect("in time");
                order.lock().expect("no panic").push(number);
            })
        });
        let tasks = tasks.collect::<Vec<_>>();
        tokio::task::yield_now().await;
        drop(head);
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*order.lock().expect("no panic"), (0..50).collect::<Vec<_>>());
        assert!(gates.lines().is_empty(), "no line stays behind");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_line_is_skipped_and_who_is_out_of_time_leaves() {
        let (gates, name) = gates();
        let head = gates.enter(&name, LONG).await.expect("nobody is there");
        assert!(gates.enter(&name, Duration::from_secs(1)).await.is_none(), "out of time");
        let mut cancelled = (0..1000).map(|_| Box::pin(gates.enter(&name, LONG))).collect::<Vec<_>>();
        for waiter in &mut cancelled {
            assert!(tokio::time::timeout(Duration::ZERO, waiter).await.is_err(), "it waits");
        }
        let last = tokio::spawn({
            let (gates, name) = (Arc::clone(&gates), Arc::clone(&name));
            async move { gates.enter(&name, LONG).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(cancelled);
        drop(head);
        assert!(last.await.expect("no panic"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_handed_to_somebody_who_left_goes_on() {
        let (gates, name) = gates();
        let head = gates.enter(&name, LONG).await.expect("nobody is there");
        let mut leaves = Box::pin(gates.enter(&name, LONG));
        assert!(tokio::time::timeout(Duration::ZERO, &mut leaves).await.is_err(), "it waits");
        drop(head);
        // The place is in its channel now, and it never looks.
        drop(leaves);
        assert!(gates.enter(&name, Duration::ZERO).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_nudge_that_comes_early_is_not_lost() {
        let (gates, name) = gates();
        gates.nudge(&name);
        let head = gates.enter(&name, LONG).await.expect("nobody is there");
        assert!(tokio::time::timeout(LONG, head.nudged()).await.is_err(), "that one was for nobody");
        gates.nudge(&name);
        head.nudged().await;
    }
}
