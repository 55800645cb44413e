//! Where events and metrics of the keeper reach subscribers and recorders: on a thread of its own. A subscriber or a recorder is code of the user,
//! which may block for a second or panic, and the keeper's thread renews all locks.

use std::{
    cell::{Cell, OnceCell},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread,
};

use tokio::sync::oneshot;

use crate::observe::caught::caught;

/// What waits to be reported takes memory. More than this is left out, and counted.
const MOST: usize = 100_000;

type Event = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The reporter of this thread, if it is a keeper's.
    static REPORTER: OnceCell<Reporter> = const { OnceCell::new() };
    /// Whether there is one. Other threads ask for each turn, and this is nothing but a look.
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

/// The way to the thread on which the events of one keeper are reported. That ends with the keeper's.
pub(crate) struct Reporter {
    events: Sender<Event>,
    backlog: Arc<Backlog>,
}

#[derive(Default)]
struct Backlog {
    waiting: AtomicUsize,
    left_out: AtomicUsize,
}

impl Reporter {
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (events, arriving) = mpsc::channel::<Event>();
        let backlog = Arc::<Backlog>::default();
        let counts = Arc::clone(&backlog);
        thread::Builder::new().name("dlock-reporter".to_owned()).spawn(move || {
            for event in arriving {
                counts.waiting.fetch_sub(1, Ordering::Relaxed);
                caught(event);
                match counts.left_out.swap(0, Ordering::Relaxed) {
                    0 => {}
                    count => _ = caught(|| super::left_out(count)),
                }
            }
        })?;
        Ok(Self { events, backlog })
    }

    /// What the current thread reports goes through this reporter from now on.
    pub(crate) fn install_here(self) {
        REPORTER.with(|reporter| _ = reporter.set(self));
        IS_KEEPER.set(true);
    }

    fn send(&self, event: Event) {
        if self.backlog.waiting.fetch_add(1, Ordering::Relaxed) < MOST && self.events.send(event).is_ok() {
            return;
        }
        self.backlog.waiting.fetch_sub(1, Ordering::Relaxed);
        self.backlog.left_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells something: here, or by the reporter if this is a keeper's thread.
#[inline]
pub(crate) fn report(event: impl FnOnce() + Send + 'static) {
    if IS_KEEPER.get() {
        tell_elsewhere(event);
    } else {
        caught(event);
    }
}

fn tell_elsewhere(event: impl FnOnce() + Send + 'static) {
    let mut event = Some(event);
    // A thread that is about to end has no reporter any more.
    _ = REPORTER.try_with(|reporter| {
        if let Some(reporter) = reporter.get()
            && let Some(event) = event.take()
        {
            reporter.send(Box::new(event));
        }
    });
    if let Some(event) = event {
        caught(event);
    }
}

/// Returns once all that this keeper's thread has reported so far has reached subscribers and recorders.
pub(crate) async fn all_reported() {
    let (done, reported) = oneshot::channel();
    report(move || _ = done.send(()));
    _ = reported.await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_keepers_thread_tells_is_told_elsewhere_in_order_and_a_panic_there_ends_nothing() {
        let (reported, seen) = mpsc::channel();
        let keeper = thread::spawn(move || {
            Reporter::start().expect("a thread").install_here();
            for number in 0..100 {
                let reported = reported.clone();
                report(move || {
                    reported.send((number, thread::current().name().map(str::to_owned))).expect("the test listens");
                    assert!(number % 10 > 0, "a recorder that panics");
                });
            }
        });
        keeper.join().expect("no panic");
        let all = seen.iter().collect::<Vec<_>>();
        assert_eq!(all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert!(all.iter().all(|(_, thread)| thread.as_deref() == Some("dlock-reporter")));
    }

    #[test]
    fn who_blocks_the_reporter_does_not_block_the_keeper_and_memory_stays_bounded() {
        let (go, wait) = mpsc::channel::<()>();
        let reporter = Reporter::start().expect("a thread");
        reporter.send(Box::new(move || _ = wait.recv_timeout(Duration::from_secs(60))));
        let reported = Arc::<AtomicUsize>::default();
        for _ in 0..MOST + 1000 {
            let reported = Arc::clone(&reported);
            reporter.send(Box::new(move || _ = reported.fetch_add(1, Ordering::Relaxed)));
        }
        assert!(reporter.backlog.left_out.load(Ordering::Relaxed) >= 1000);
        drop(go);
        drop(reporter);
        dlock_testkit::eventually("the rest is reported", Duration::from_secs(60), || {
            reported.load(Ordering::Relaxed) + 1 >= MOST && Arc::strong_count(&reported) == 1
        });
    }
}
