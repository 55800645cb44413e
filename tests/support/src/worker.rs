//! Worker processes: the test binary started again, with a role in its environment, running one entry test.
//!
//! ```text
//! #[test]
//! fn worker_entry() {                      // does nothing in an ordinary run
//!     match role().as_deref() {
//!         Some("holder") => { /* take the lock */ say("holding"); /* .. */ }
//!         _ => {}
//!     }
//! }
//! // and in a test:
//! let worker = Worker::spawn("worker_entry", "holder", &[("URL", &server.url())]);
//! worker.expect("holding", Duration::from_secs(5));
//! worker.stop();                           // SIGSTOP
//! ```

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// What marks a worker's own lines among those of the test harness.
const MARK: &str = "\u{2}say ";
const ROLE: &str = "DLOCK_WORKER_ROLE";

/// The role this process was started with; `None` in an ordinary test run. A process with a role ends with the process
/// that started it.
pub fn role() -> Option<String> {
    let role = std::env::var(ROLE).ok()?;
    std::thread::spawn(|| {
        // Nothing is ever written to this pipe: it ends when the parent does.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    Some(role)
}

/// Tells the starting process one line.
pub fn say(line: impl std::fmt::Display) {
    let mut output = std::io::stdout().lock();
    // With the parent gone there is nobody left to tell, and `role` is about to end this process.
    let _ = writeln!(output, "{MARK}{line}").and_then(|()| output.flush());
}

/// A running worker, killed when dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    /// Starts this test binary again to run only its test `entry`, with `role` and `variables` in its environment.
    #[track_caller]
    pub fn spawn(entry: &str, role: &str, variables: &[(&str, &str)]) -> Self {
        let binary = std::env::current_exe().expect("the path of this test binary");
        let mut child = Command::new(binary)
            .args(["--exact", entry, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary starts again");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once(MARK) {
                    // A test that has seen enough drops its end.
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for the line that starts with `start` and gives what follows it; panics after `within`, or when the worker
    /// ends without having said it.
    #[track_caller]
    pub fn expect(&self, start: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.strip_prefix(start) {
                    Some(rest) => return rest.trim_start().to_owned(),
                    None => heard.push(line),
                },
                Err(why) => panic!("worker {} did not say {start:?} ({why}); it said {heard:?}", self.id()),
            }
        }
    }

    /// All that was said and not read so far, without waiting.
    pub fn said(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// The operating system's id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it in its tracks (SIGSTOP).
    pub fn stop(&self) {
        signal(self.id(), Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn cont(&self) {
        signal(self.id(), Signal::CONT);
    }

    /// Ends it as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "worker {} has not ended within {within:?}", self.id());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to one process by its id.
pub(crate) fn signal(id: u32, which: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, which).expect("the process can be signalled");
}
