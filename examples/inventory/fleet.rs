//! The replicas of a run: four processes, or four runtimes in this one.

use crate::args::Options;
use crate::mode::Store;
use crate::replica::{Failure, Replica, Report, Reporter, from_line, to_line};
use dlock_runtime::Runtime;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub const REPLICAS: usize = 4;

/// What a run hears of its replicas.
pub enum Event {
    /// An order is done.
    Done(Report),
    /// A replica has ended; in-process ones say how, of a process its exit status does.
    Ended {
        replica: usize,
        failure: Option<String>,
    },
    Interrupted,
}

/// Ends its processes when dropped.
pub struct Fleet {
    children: Vec<Child>,
    /// Where in-process replicas run.
    _executor: Option<tokio::runtime::Runtime>,
}

impl Fleet {
    /// Starts this program again, once per replica.
    pub fn processes(
        store: &Store,
        database: &Path,
        options: &Options,
        events: &Sender<Event>,
    ) -> Result<Self, Failure> {
        let mut fleet = Self { children: Vec::new(), _executor: None };
        for replica in 0..REPLICAS {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--replica", &replica.to_string(), "--database"]).arg(database);
            if options.without_lock {
                command.arg("--without-lock");
            }
            store.write(&mut command);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let reports = child.stdout.take().ok_or("a replica without an output")?;
            fleet.children.push(child);
            let events = events.clone();
            std::thread::spawn(move || {
                // A send fails only if the run has given up; then nobody wants to know.
                for line in BufReader::new(reports).lines().map_while(Result::ok) {
                    if let Some(report) = from_line(&line) {
                        let _ = events.send(Event::Done(report));
                    }
                }
                let _ = events.send(Event::Ended { replica, failure: None });
            });
        }
        Ok(fleet)
    }

    /// Runs all replicas here, each with a runtime of its own on the embedded store.
    pub fn embedded(database: &Path, options: &Options, events: &Sender<Event>) -> Result<Self, Failure> {
        let executor = tokio::runtime::Runtime::new()?;
        for number in 0..REPLICAS {
            let sender = events.clone();
            let replica = Replica {
                number,
                database: database.to_owned(),
                runtime: match options.without_lock {
                    true => None,
                    false => Some(executor.block_on(Runtime::builder().embedded().namespace("inventory").build())?),
                },
                report: Arc::new(move |report| drop(sender.send(Event::Done(report)))),
            };
            let events = events.clone();
            executor.spawn(async move {
                let failure = replica.run().await.err().map(|e| e.to_string());
                let _ = events.send(Event::Ended { replica: number, failure });
            });
        }
        Ok(Self { children: Vec::new(), _executor: Some(executor) })
    }

    /// SIGKILL: no destructor runs, nothing is released.
    pub fn kill(&mut self, replica: usize) -> std::io::Result<()> {
        self.children[replica].kill()
    }

    /// How a replica whose output has ended came to its end; None is well.
    pub fn failure_of(&mut self, replica: usize) -> Option<String> {
        match self.children.get_mut(replica)?.wait() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(e) => Some(e.to_string()),
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Fails for those that have ended, as they should have.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a process of `Fleet::processes` does.
pub fn be_a_replica(number: usize, database: &Path, without_lock: bool) -> Result<(), Failure> {
    let store = Store::read()?;
    let report: Reporter = Arc::new(|report| {
        // One write per line, so that a kill cannot cut it in two. It fails only if the parent is gone: see below.
        let line = to_line(&report) + "\n";
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    });
    // Nothing is ever sent on the input: it ends when the parent does, however that comes.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let executor = tokio::runtime::Runtime::new()?;
    executor.block_on(async {
        let runtime = match without_lock {
            true => None,
            // A replica that starts while its Redis is busy waits with its first orders, and does not end.
            false => Some(store.builder().namespace("inventory").connect_lazily().build().await?),
        };
        Replica { number, database: database.to_owned(), runtime, report }.run().await
    })
}
