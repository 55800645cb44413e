//! A recorder that adds up whatever is recorded. It is installed once for all threads, the keepers' included, so that the tests of
//! this process share it, as they share the log: each looks for keys, templates and servers of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, Once, PoisonError},
};

use dlock_testkit::log;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// `name{label=value,..}` to the sum of what was recorded, and how often.
static METRICS: LazyLock<Mutex<BTreeMap<String, (f64, u64)>>> = LazyLock::new(Mutex::default);

/// Begins to listen. Every test does so first.
pub fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        metrics::set_global_recorder(Sums).expect("the first recorder");
    });
    log::listen();
}

/// All metrics as text.
pub fn all_metrics() -> String {
    format!("{:?}", METRICS.lock().unwrap_or_else(PoisonError::into_inner))
}

pub fn metric(name: &str) -> (f64, u64) {
    METRICS.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
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
        let mut metrics = METRICS.lock().unwrap_or_else(PoisonError::into_inner);
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
