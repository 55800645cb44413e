//! Tasks that want a lock again and again, without a pause.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dlock_runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{SOON, hold};

/// A turn that was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Had {
    /// By which of the runtimes.
    pub(crate) by: usize,
    pub(crate) fence: u64,
}

/// The turns in the order in which they were had. Says so if two are had at a time.
#[derive(Default)]
pub(crate) struct Log {
    turns: Mutex<Vec<Had>>,
    inside: AtomicBool,
}

impl Log {
    pub(crate) fn enter(&self, by: usize, fence: u64) {
        assert!(!self.inside.swap(true, Ordering::SeqCst), "two are inside at a time");
        self.turns.lock().expect("nobody panics").push(Had { by, fence });
    }

    pub(crate) fn leave(&self) {
        assert!(self.inside.swap(false, Ordering::SeqCst), "somebody left who was not inside");
    }

    pub(crate) fn turns(&self) -> Vec<Had> {
        self.turns.lock().expect("nobody panics").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.turns.lock().expect("nobody panics").len()
    }

    /// Whether each fence is above the one before.
    pub(crate) fn rises(&self) -> bool {
        self.turns().windows(2).all(|pair| pair[0].fence < pair[1].fence)
    }
}

/// Has `tasks` tasks of each runtime take `turns` turns in all (or a few more), as fast as they can. Not so many each: one
/// that a loaded machine does not let run would have the rest of its turns alone.
pub(crate) async fn take_turns(runtimes: &[Runtime], key: &'static str, tasks: usize, turns: usize) -> Arc<Log> {
    let log = Arc::new(Log::default());
    let running = (0..runtimes.len() * tasks).map(|task| {
        let by = task % runtimes.len();
        let (runtime, log) = (runtimes[by].clone(), Arc::clone(&log));
        tokio::spawn(async move {
            while log.count() < turns {
                let guard = hold(&runtime, key).await;
                log.enter(by, guard.fence());
                tokio::task::yield_now().await;
                log.leave();
                guard.release().await.expect("held throughout");
            }
        })
    });
    for task in running.collect::<Vec<_>>() {
        tokio::time::timeout(SOON * 2, task).await.expect("they come to their turns").expect("no panic");
    }
    log
}

/// Tasks of one runtime that never let a lock alone until they are told to.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Starts `tasks` tasks whose turns take `turn` each.
    pub(crate) fn start(runtime: &Runtime, key: &'static str, tasks: usize, turn: Duration, log: &Arc<Log>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let run = |_| {
            let (runtime, stop, log) = (runtime.clone(), Arc::clone(&stop), Arc::clone(log));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let guard = hold(&runtime, key).await;
                    log.enter(0, guard.fence());
                    tokio::time::sleep(turn).await;
                    log.leave();
                    guard.release().await.expect("held throughout");
                }
            })
        };
        Self { tasks: (0..tasks).map(run).collect(), stop }
    }

    /// Lets them end, and says whether all is well with them.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            tokio::time::timeout(SOON, task).await.expect("they come to their turns").expect("no panic");
        }
    }
}

#[test]
fn control_fences_that_do_not_rise_and_turns_that_overlap_are_seen() {
    let log = Log::default();
    for fence in [1, 2, 2] {
        log.enter(0, fence);
        log.leave();
    }
    assert!(!log.rises());
    log.enter(0, 3);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.enter(1, 4))).is_err());
}
