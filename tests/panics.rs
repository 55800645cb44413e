//! Code of users that panics or blocks where it is called by ours: wakers, tracing subscribers, metrics recorders. It must
//! not end the renewal of any lock, nor leave one held.
//!
//! Subscriber and recorder are installed once for all threads, the keeper's included, and misbehave as a test says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Once,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use dlock_runtime::{Guard, Runtime};
use dlock_testkit::{Raw, RedisServer, eventually, log, with_turns};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// A renewal is due after a third of it. A busy machine may not let a thread run for some hundred milliseconds.
const TTL: Duration = Duration::from_millis(800);
const SECOND: Duration = Duration::from_secs(1);

/// What happens where an event or a metric is told.
static SUBSCRIBER: AtomicU8 = AtomicU8::new(GOOD);
static RECORDER: AtomicU8 = AtomicU8::new(GOOD);
/// How often something happened there.
static STRUCK: AtomicU64 = AtomicU64::new(0);

const GOOD: u8 = 0;
/// Panics on threads of a keeper.
const PANICS_THERE: u8 = 1;
/// Blocks threads of a keeper.
const BLOCKS_THERE: u8 = 2;
/// Panics on all threads.
const PANICS: u8 = 3;
/// Panics on all threads at what is told once a lock was acquired, and later.
const PANICS_LATE: u8 = 4;

/// `early` is what is told before a lock was acquired, too.
fn misbehave(how: &AtomicU8, early: bool) {
    let of_a_keeper = thread::current().name().is_some_and(|name| name.starts_with("dlock-"));
    let how = how.load(Ordering::SeqCst);
    let strikes = match how {
        PANICS_THERE | BLOCKS_THERE => of_a_keeper,
        PANICS => true,
        PANICS_LATE => !early,
        _ => false,
    };
    if !strikes {
        return;
    }
    STRUCK.fetch_add(1, Ordering::SeqCst);
    if how == BLOCKS_THERE {
        thread::sleep(SECOND);
    } else {
        panic!("a subscriber or a recorder that panics");
    }
}

/// One test at a time.
struct Scene {
    _alone: tokio::sync::MutexGuard<'static, ()>,
    runtime: Runtime,
    redis: Raw,
}

async fn scene() -> Scene {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    static INSTALLED: Once = Once::new();
    let alone = ALONE.lock().await;
    INSTALLED.call_once(|| {
        metrics::set_global_recorder(Meters).expect("the first recorder");
        log::listen_with(|is_event| misbehave(&SUBSCRIBER, !is_event));
    });
    SUBSCRIBER.store(GOOD, Ordering::SeqCst);
    RECORDER.store(GOOD, Ordering::SeqCst);
    let server = RedisServer::shared();
    let builder = Runtime::builder().turns(with_turns()).redis(server.url()).namespace("panics").ttl(TTL);
    Scene { _alone: alone, runtime: builder.build().await.expect("a runtime"), redis: server.raw() }
}

impl Scene {
    async fn held(&self, key: &str) -> Guard {
        self.runtime.lock(key).acquire().await.expect("free")
    }

    /// Something is told on a thread of the keeper as long as this lasts: a lock that is renewed, one that is lost, one
    /// that is dropped on a thread where only the keeper can release it.
    async fn renewed_past_several_ttls(&mut self, guard: &Guard) {
        let (began, struck) = (Instant::now(), STRUCK.load(Ordering::SeqCst));
        while began.elapsed() < TTL * 4 {
            assert!(guard.is_held(), "lost after {:?}", began.elapsed());
            let (lost, dropped) = (self.held("lost").await, self.held("dropped").await);
            thread::spawn(move || drop(dropped)).join().expect("a drop never panics");
            self.redis.command(&["DEL", "panics:lost"]);
            tokio::time::sleep(TTL / 4).await;
            drop(lost);
        }
        assert!(guard.is_held() && self.redis.exists("panics:kept"));
        assert!(STRUCK.load(Ordering::SeqCst) > struck, "nothing was told there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waker_that_panics_does_not_end_renewal() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            STRUCK.fetch_add(1, Ordering::SeqCst);
            panic!("a waker that panics");
        }
    }
    let mut scene = scene().await;
    let brief = scene.runtime.lock("brief").renew(false).acquire().await.expect("free");
    // Those that are renewed together have one answer each.
    let (lost, kept) = (scene.held("lost-too").await, scene.held("kept").await);
    let mut bodies = [&brief, &lost].map(|guard| Box::pin(guard.run(std::future::pending::<()>())));
    for body in &mut bodies {
        assert!(body.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Panics)))).is_pending());
    }
    let (began, struck) = (Instant::now(), STRUCK.load(Ordering::SeqCst));
    scene.redis.command(&["DEL", "panics:lost-too"]);
    eventually("the keeper wakes the bodies", SECOND * 10, || STRUCK.load(Ordering::SeqCst) >= struck + 2);
    while began.elapsed() < TTL * 4 {
        assert!(kept.is_held(), "lost after {:?}", began.elapsed());
        tokio::time::sleep(TTL / 8).await;
    }
    assert!(scene.redis.exists("panics:kept"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_panics_does_not_end_renewal() {
    let mut scene = scene().await;
    let kept = scene.held("kept").await;
    SUBSCRIBER.store(PANICS_THERE, Ordering::SeqCst);
    scene.renewed_past_several_ttls(&kept).await;
    SUBSCRIBER.store(GOOD, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_that_panics_does_not_end_renewal() {
    let mut scene = scene().await;
    let kept = scene.held("kept").await;
    RECORDER.store(PANICS_THERE, Ordering::SeqCst);
    scene.renewed_past_several_ttls(&kept).await;
    RECORDER.store(GOOD, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_blocks_does_not_delay_renewal() {
    let mut scene = scene().await;
    let kept = scene.held("kept").await;
    SUBSCRIBER.store(BLOCKS_THERE, Ordering::SeqCst);
    scene.renewed_past_several_ttls(&kept).await;
    SUBSCRIBER.store(GOOD, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_a_subscriber_or_a_recorder_leaves_no_lock_held() {
    let mut scene = scene().await;
    for (how, panics) in
        [(&SUBSCRIBER, PANICS_LATE), (&RECORDER, PANICS_LATE), (&SUBSCRIBER, PANICS), (&RECORDER, PANICS)]
    {
        for round in 0..3 {
            how.store(panics, Ordering::SeqCst);
            // Polled on a thread of its own, as a panic that gets through would end this test.
            let (runtime, here) = (scene.runtime.clone(), tokio::runtime::Handle::current());
            let task = thread::spawn(move || {
                let acquired = catch_unwind(AssertUnwindSafe(|| here.block_on(runtime.lock("struck").acquire())));
                if let Ok(Ok(guard)) = acquired {
                    let ran = catch_unwind(AssertUnwindSafe(|| here.block_on(guard.run(tokio::task::yield_now()))));
                    match (round, ran) {
                        (0, _) => drop(guard),
                        (1, _) => _ = catch_unwind(AssertUnwindSafe(|| here.block_on(guard.release()))),
                        // A panic of the user's own drops the guard, too: the second one must not end the process.
                        _ => {
                            _ = catch_unwind(AssertUnwindSafe(move || {
                                let _guard = guard;
                                panic!("a body that panics");
                            }))
                        }
                    }
                }
            });
            task.join().expect("caught");
            how.store(GOOD, Ordering::SeqCst);
            eventually("it is free", SECOND * 10, || !scene.redis.exists("panics:struck"));
        }
    }
}

/// A recorder that does what `RECORDER` says.
struct Meters;

struct Meter;

impl CounterFn for Meter {
    fn increment(&self, _: u64) {
        misbehave(&RECORDER, true);
    }

    fn absolute(&self, _: u64) {}
}

impl HistogramFn for Meter {
    fn record(&self, _: f64) {
        misbehave(&RECORDER, false);
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Meter))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Meter))
    }
}
