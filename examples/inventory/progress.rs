//! How far the run is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const WIDTH: usize = 40;

/// Writes to stderr, so that the table can be piped on.
pub struct Progress {
    total: usize,
    terminal: bool,
    started: Instant,
    next: Instant,
}

impl Progress {
    pub fn new(total: usize) -> Self {
        let now = Instant::now();
        Self { total, terminal: stderr().is_terminal(), started: now, next: now + Duration::from_millis(100) }
    }

    /// Shows the count, but not so often that it costs anything.
    pub fn show(&mut self, done: usize) {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(2) };
            self.write(done);
        }
    }

    pub fn end(&mut self, done: usize) {
        self.write(done);
        if self.terminal {
            let _ = writeln!(stderr());
        }
    }

    /// A progress that cannot be shown is no reason to stop.
    fn write(&self, done: usize) {
        let Self { total, .. } = self;
        let seconds = self.started.elapsed().as_secs_f64();
        let _ = match self.terminal {
            true => {
                let full = (done * WIDTH / total.max(&1)).min(WIDTH);
                let bar = "#".repeat(full) + &".".repeat(WIDTH - full);
                write!(stderr(), "\r[{bar}] {done}/{total} orders {seconds:.1} s")
            }
            false => writeln!(stderr(), "{done}/{total} orders {seconds:.1} s"),
        };
    }
}
