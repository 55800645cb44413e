//! The log of a test process: a tracing subscriber that keeps every span and event of dlock. It is installed once for all threads,
//! the keepers' included, so tests of one process share it: each looks for keys, templates and servers of its own.

use std::{
    fmt::{Debug, Write},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

pub use tracing::Level;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Begins to keep what is said. May be called again.
pub fn listen() {
    listen_with(|_| ());
}

/// The same, and calls `misbehave` first wherever tracing calls the subscriber; its argument says whether that is an event. The
/// first call decides.
pub fn listen_with(misbehave: fn(is_event: bool)) {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING
        .get_or_init(|| tracing::subscriber::set_global_default(Lines { misbehave }).expect("the first subscriber"));
}

/// The spans and events so far that contain `needle`, with their levels. Fields read ` name=value `.
pub fn said(needle: &str) -> Vec<(Level, String)> {
    lines().iter().filter(|(_, line)| line.contains(needle)).cloned().collect()
}

/// Those of them that are warnings or errors.
pub fn warnings(needle: &str) -> Vec<String> {
    said(needle).into_iter().filter(|(level, _)| *level <= Level::WARN).map(|(_, line)| line).collect()
}

/// Forgets what was said.
pub fn clear() {
    lines().clear();
}

fn lines() -> MutexGuard<'static, Vec<(Level, String)>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lines {
    misbehave: fn(is_event: bool),
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dlock")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        (self.misbehave)(false);
        write_down(*span.metadata().level(), span.metadata().name(), |line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        write_down(Level::TRACE, "", |line| values.record(line));
    }

    fn event(&self, event: &Event<'_>) {
        (self.misbehave)(true);
        write_down(*event.metadata().level(), "", |line| event.record(line));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {
        (self.misbehave)(false);
    }

    fn exit(&self, _: &span::Id) {
        (self.misbehave)(false);
    }

    fn try_close(&self, _: span::Id) -> bool {
        (self.misbehave)(false);
        true
    }
}

fn write_down(level: Level, name: &str, record: impl FnOnce(&mut Line)) {
    let mut line = Line(name.to_owned());
    record(&mut line);
    // So that `key=a ` is not found in `key=ab `.
    line.0.push(' ');
    lines().push((level, line.0));
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
