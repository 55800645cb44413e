//! Worker processes: this benchmark started again. They take orders on their standard input, one a line, and answer on
//! their standard output, and they end when their input does.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::Outcome;

const ROLE: &str = "DLOCK_BENCH_WORKER";

/// The URL of the server, in a worker; `None` in the benchmark itself.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Answers the benchmark that started this worker.
///
/// # Errors
/// If it is gone.
pub fn tell(line: impl std::fmt::Display) -> Outcome<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// What a worker is told.
#[derive(Debug)]
pub struct Orders(UnboundedReceiver<String>);

impl Orders {
    /// Listens, on a thread of its own.
    pub fn listen() -> Self {
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// The next order, in words; `None` when the benchmark is done or gone.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        let line = self.0.recv().await?;
        Some(line.split_whitespace().map(str::to_owned).collect())
    }
}

/// The workers of a benchmark.
#[derive(Debug)]
pub struct Crew {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    child: Child,
    /// `None` once it was told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Crew {
    /// Starts so many workers for the server at `url` and waits until each has said that it is ready.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start(size: usize, url: &str) -> Outcome<Self> {
        let mut members = Vec::new();
        for _ in 0..size {
            let mut child = Command::new(std::env::current_exe()?)
                .env(ROLE, url)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let (orders, answers) = (child.stdin.take(), child.stdout.take().ok_or("no pipe to a worker")?);
            members.push(Member { child, orders, answers: BufReader::new(answers) });
        }
        let mut crew = Self { members };
        for number in 0..size {
            crew.hear(number)?;
        }
        Ok(crew)
    }

    /// Gives one worker an order.
    ///
    /// # Errors
    /// If it is gone.
    pub fn order(&mut self, number: usize, line: &str) -> Outcome<()> {
        let orders = self.members[number].orders.as_mut().ok_or("the worker has ended")?;
        Ok(writeln!(orders, "{line}")?)
    }

    /// Waits for the answer of one worker.
    ///
    /// # Errors
    /// If it is gone.
    pub fn hear(&mut self, number: usize) -> Outcome<String> {
        let mut line = String::new();
        match self.members[number].answers.read_line(&mut line)? {
            0 => Err(format!("worker {number} ended").into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Gives all of them the same order and waits for their answers.
    ///
    /// # Errors
    /// If one is gone.
    pub fn ask_all(&mut self, line: &str) -> Outcome<Vec<String>> {
        for number in 0..self.members.len() {
            self.order(number, line)?;
        }
        (0..self.members.len()).map(|number| self.hear(number)).collect()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.orders = None;
        }
        for member in &mut self.members {
            let _ = member.child.wait();
        }
    }
}
