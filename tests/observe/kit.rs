//! A recorder and a subscriber that keep everything. They are installed once for all threads, the keepers' included, so
//! that the tests of this process share them: each looks for keys, templates and servers of its own.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Write},
    sync::{Arc, LazyLock, Mutex, Once, PoisonError},
};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};

/// `name{label=value,..}` to the sum of what was recorded, and how often.
static METRICS: LazyLock<Mutex<BTreeMap<String, (f64, u64)>>> = LazyLock::new(Mutex::default);
/// Every span and event, with its level and all its fields.
static LOG: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Begins to listen. Every test does so first.
pub fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        metrics::set_global_recorder(Sums).expect("the first recorder");
        tracing::subscriber::set_global_default(Lines).expect("the first subscriber");
    });
}

/// The spans and events that say `needle`, by level.
pub fn told(needle: &str) -> Vec<(Level, String)> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().filter(|(_, line)| line.contains(needle)).cloned().collect()
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

/// Writes down every span and event of every level.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("dlock")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        write_down(*span.metadata().level(), span.metadata().name(), |line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        write_down(Level::TRACE, "", |line| values.record(line));
    }

    fn event(&self, event: &Event<'_>) {
        write_down(*event.metadata().level(), "", |line| event.record(line));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn write_down(level: Level, name: &str, record: impl FnOnce(&mut Line)) {
    let mut line = Line(name.to_owned());
    record(&mut line);
    // So that `key=a ` is not found in `key=ab `.
    line.0.push(' ');
    LOG.lock().unwrap_or_else(PoisonError::into_inner).push((level, line.0));
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes everything");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).expect("a string takes everything");
    }
}
