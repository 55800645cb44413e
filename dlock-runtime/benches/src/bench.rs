//! A case: begun, measured, printed, kept.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use dlock_testkit::RedisServer;

use crate::{Figure, Spread, Table, Unit};

/// What may go wrong in a benchmark stops it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Whether this is a short run, to see that everything works.
pub fn brief() -> bool {
    std::env::var_os("DLOCK_BENCH_QUICK").is_some_and(|value| value != "0")
}

/// How many rounds, or a few in a short run.
pub fn rounds(count: usize) -> usize {
    if brief() { count.div_ceil(5).min(3) } else { count }
}

/// How long a round lasts, or less in a short run.
pub fn span(millis: u64) -> Duration {
    Duration::from_millis(if brief() { millis.div_ceil(4) } else { millis })
}

/// Where results are kept between the cases and the report: `target/dlock-bench`.
///
/// # Errors
/// If it cannot be made.
pub fn folder() -> io::Result<PathBuf> {
    // A benchmark is target/release/deps/NAME.
    let binary = std::env::current_exe()?;
    let target = binary.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let folder = target.join("dlock-bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn is_asked_for() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// A case that is being measured.
#[derive(Debug)]
pub struct Bench {
    case: &'static str,
    figures: Vec<Figure>,
    began: Instant,
}

impl Bench {
    /// Begins a case and starts its server. `None`, with a word why, if there is no `redis-server`, or if this is
    /// not `cargo bench`: `cargo test --all-targets` starts benchmarks too.
    pub fn begin(case: &'static str, about: &str) -> Option<(Self, RedisServer)> {
        if is_asked_for() && RedisServer::available().is_none() {
            println!("{case}: no redis-server here; `bash tests/run` installs it");
            return None;
        }
        Some((Self::without_server(case, about)?, RedisServer::start()))
    }

    /// Begins a case that needs no server.
    pub fn without_server(case: &'static str, about: &str) -> Option<Self> {
        if !is_asked_for() {
            println!("{case}: to be run by `cargo bench -p dlock-benches`");
            return None;
        }
        // What else the machine does shows in the figures.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("\n{case}: {about} (load before: {})", load.split(' ').next().unwrap_or_default());
        Some(Self { case, figures: Vec::new(), began: Instant::now() })
    }

    /// A result: the spread of the rounds, or a single value.
    pub fn figure(&mut self, name: impl Into<String>, spread: impl Into<Spread>, unit: Unit) {
        self.figures.push(Figure { case: self.case.to_owned(), name: name.into(), spread: spread.into(), unit });
    }

    /// Prints the results and keeps them for the report, in the place of those of an earlier run.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(self) -> Outcome<()> {
        let mut table = Table::new(["figure", "", "rounds", "goal", ""]);
        for figure in &self.figures {
            let (goal, verdict) = match figure.goal() {
                Some(bound) if bound.is_met(figure.spread.median) => (bound.shown(figure.unit), "reached"),
                Some(bound) => (bound.shown(figure.unit), "not reached"),
                None => (String::new(), ""),
            };
            table.line([figure.name.clone(), figure.shown(), figure.range(), goal, verdict.to_owned()]);
        }
        table.print();
        println!("  ({:.0} s)", self.began.elapsed().as_secs_f64());
        let lines = self.figures.iter().map(|figure| figure.to_line() + "\n").collect::<String>();
        Ok(fs::write(folder()?.join(self.case).with_extension("tsv"), lines)?)
    }
}
