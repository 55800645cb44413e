//! Where messages do not arrive an operator is told so once, with what is missing.
//!
//! One test per process: the subscriber is installed once for all threads, the keeper's included.

use std::{
    fmt::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

use dlock_runtime::Runtime;
use dlock_testkit::{Raw, RedisServer, eventually};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const SOON: Duration = Duration::from_secs(30);

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let level = *event.metadata().level();
        let lines = if level <= Level::WARN { &WARNINGS } else { &NOTES };
        lines.lock().expect("no panic").push(line.0);
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

/// How often the server refused a command.
fn refused(raw: &mut Raw, command: &str) -> u64 {
    let stats = raw.command(&["INFO", "commandstats"]);
    let line =
        stats.text().and_then(|stats| stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:"))));
    let count = line.and_then(|line| line.split("rejected_calls=").nth(1)?.split(',').next()?.parse().ok());
    count.unwrap_or(0)
}

fn of_messages(lines: &Mutex<Vec<String>>) -> Vec<String> {
    lines.lock().expect("no panic").iter().filter(|line| line.contains("messages of the store")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_to_hear_is_said_once_until_messages_arrive_again() {
    tracing::subscriber::set_global_default(Lines).expect("the first subscriber");
    let server = RedisServer::start();
    let mut raw = server.raw();
    assert!(raw.command(&["ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels"]).is_ok());
    let url = server.url().replace("redis://", "redis://deaf:secret@");
    let runtime = Runtime::builder().redis(url).namespace("deaf").build().await.expect("locking works without");
    runtime.lock("k").acquire().await.expect("it is free").release().await.expect("ours");
    // It goes on trying, and says it once.
    let began = Instant::now();
    eventually("it tried several times", SOON, || refused(&mut raw, "subscribe") >= 3 || began.elapsed() > SOON / 3);
    let said = of_messages(&WARNINGS);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("SUBSCRIBE") && said[0].contains("dlock:*"), "it says what is missing: {}", said[0]);
    assert!(!said[0].contains("secret"), "{}", said[0]);

    assert!(raw.command(&["ACL", "SETUSER", "deaf", "&dlock:*"]).is_ok());
    eventually("that messages arrive again is said, too", SOON, || of_messages(&NOTES).len() == 1);
    assert_eq!(of_messages(&WARNINGS).len(), 1);
}
