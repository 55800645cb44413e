//! What an operator can see, and what nobody must: metrics and spans are labelled by template, and neither keys nor
//! tokens nor passwords get into a log.
//!
//! One test per process: a recorder and a subscriber are installed once for all threads, the keeper's included.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use dlock_runtime::{LockError, Runtime, distributed_lock};
use dlock_testkit::{RedisServer, eventually};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};

const PASSWORD: &str = "opensesame";
const SECOND: Duration = Duration::from_secs(1);

/// `name{label=value,..}` to the sum of what was recorded, and how often.
static METRICS: LazyLock<Mutex<BTreeMap<String, (f64, u64)>>> = LazyLock::new(Mutex::default);
/// Every span and event, with all its fields.
static LOG: Mutex<String> = Mutex::new(String::new());

#[distributed_lock(key = "order:<customer>", ttl = 0.2, wait = 0.05)]
async fn order(customer: &str, takes: Duration) -> Result<(), LockError> {
    tokio::time::sleep(takes).await;
    Ok(())
}

#[distributed_lock(key = "brief:<customer>", ttl = 0.1, renew = false)]
async fn too_slow(customer: &str) -> Result<(), LockError> {
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_counted_by_template_and_nothing_secret_is_told() {
    metrics::set_global_recorder(Sums).expect("the first recorder");
    tracing::subscriber::set_global_default(Lines).expect("the first subscriber");
    let server = RedisServer::start_with(&["--requirepass", PASSWORD]);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", server.port());
    let runtime = Runtime::builder().redis(url).namespace("observe").install().await.expect("a runtime");

    order("alice", Duration::ZERO).await.expect("free");
    let slow = tokio::spawn(order("bob", SECOND / 2));
    eventually("bob's lock is held", SECOND * 10, || metric("dlock_acquired_total{lock=order:<customer>}").0 >= 2.0);
    let busy = order("bob", Duration::ZERO).await.expect_err("held");
    assert!(busy.is_busy(), "{busy}");
    slow.await.expect("no panic").expect("renewed");
    let lost = too_slow("carol").await.expect_err("not renewed");
    assert!(lost.is_lost(), "{lost}");
    drop(runtime.lock("by:hand:dave").acquire().await.expect("free"));
    assert!(runtime.shutdown(SECOND * 10).await);

    let order = |name: &str| metric(&format!("{name}{{lock=order:<customer>}}"));
    assert_eq!(order("dlock_attempts_total").0, 3.0);
    assert_eq!(order("dlock_acquired_total").0, 2.0);
    assert_eq!(order("dlock_busy_total").0, 1.0);
    assert_eq!(order("dlock_wait_seconds").1, 2);
    let (held, holds) = order("dlock_hold_seconds");
    assert!(holds == 2 && held >= 0.5, "{held} s in {holds} holds");
    assert!(order("dlock_renewals_total").0 >= 1.0, "half a second with a TTL of 0.2 s");
    assert_eq!(metric("dlock_lost_total{lock=brief:<customer>,reason=expired}").0, 1.0);
    assert_eq!(metric("dlock_keeper_releases_total{lock=(by hand)}").0, 1.0);
    assert_eq!(metric("dlock_failed_total{lock=order:<customer>}").1, 0, "the negative control of the counting");

    let log = LOG.lock().expect("no panic").clone();
    for said in ["dlock.acquire lock=order:<customer>", "dlock.hold lock=order:<customer>", "lost", "reason=expired"] {
        assert!(log.contains(said), "the log does not say {said:?}:\n{log}");
    }
    let metrics = format!("{:?}", METRICS.lock().expect("no panic"));
    let mut redis = server.raw();
    assert!(redis.command(&["AUTH", PASSWORD]).is_ok());
    let record = redis.command(&["GET", "{observe:order:bob}:fence"]);
    let token = record.text().expect("a record").split(' ').nth(2).expect("a token").to_owned();
    assert!(token.len() > 32);
    for secret in [PASSWORD, &token, &token[..32], "alice", "bob", "carol", "dave", "redis://"] {
        assert!(!log.contains(secret), "the log tells {secret:?}");
        assert!(!metrics.contains(secret), "the metrics tell {secret:?}");
    }
    let shown = format!("{runtime:?} {:?}", Runtime::builder().redis(format!("redis://:{PASSWORD}@host/")));
    assert!(!shown.contains(PASSWORD), "{shown}");
    let wrong = Runtime::builder().redis(format!("redis://:{PASSWORD}@host:port/")).build().await.expect_err("no port");
    assert!(!format!("{wrong} {wrong:?}").contains(PASSWORD), "{wrong:?}");
}

fn metric(name: &str) -> (f64, u64) {
    METRICS.lock().expect("no panic").get(name).copied().unwrap_or_default()
}

/// Adds up whatever is recorded.
struct Sums;

impl Recorder for Sums {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Sum(name(key))))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Sum(name(key))))
    }
}

fn name(key: &Key) -> String {
    let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect::<Vec<_>>();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

struct Sum(String);

impl Sum {
    fn add(&self, value: f64) {
        let mut metrics = METRICS.lock().expect("no panic");
        let (sum, count) = metrics.entry(self.0.clone()).or_default();
        *sum += value;
        *count += 1;
    }
}

impl CounterFn for Sum {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, value: u64) {
        self.add(value as f64);
    }
}

impl HistogramFn for Sum {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

/// Writes down every span and event of every level.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("dlock")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        write_down(span.metadata().name(), |line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        write_down("", |line| values.record(line));
    }

    fn event(&self, event: &Event<'_>) {
        write_down(event.metadata().name(), |line| event.record(line));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn write_down(name: &str, record: impl FnOnce(&mut Line)) {
    let mut line = Line(name.to_owned());
    record(&mut line);
    let mut log = LOG.lock().expect("no panic");
    log.push_str(&line.0);
    log.push('\n');
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes everything");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).expect("a string takes everything");
    }
}
