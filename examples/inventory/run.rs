//! A run from the first order to the last: watches the replicas, kills one if asked to, and deals out what it left.

use crate::fleet::{Event, Fleet, REPLICAS};
use crate::progress::Progress;
use crate::replica::{Failure, Report};
use crate::shop::Shop;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The replica that `--kill` kills.
const VICTIM: usize = 1;

/// What was measured.
#[derive(Default)]
pub struct Run {
    pub elapsed: Duration,
    pub waits: Vec<Duration>,
    pub holds: Vec<Duration>,
    pub retries: u32,
    pub failures: Vec<String>,
    pub kill: Option<Kill>,
}

/// What came of killing a replica.
pub struct Kill {
    at: Instant,
    last_report: Instant,
    /// Orders it left to the others.
    pub left_behind: usize,
    /// The longest time that went by without any order being done.
    pub standstill: Duration,
    /// The longest wait for a lock after the kill.
    pub longest_wait: Duration,
}

impl Run {
    /// Until all replicas have ended.
    pub fn watch(
        fleet: &mut Fleet,
        events: &Receiver<Event>,
        shop: &Shop,
        orders: usize,
        kill: bool,
    ) -> Result<Self, Failure> {
        let mut run = Self::default();
        let mut progress = Progress::new(orders);
        let mut living: Vec<usize> = (0..REPLICAS).collect();
        let mut done = 0;
        let start = Instant::now();
        while !living.is_empty() {
            match events.recv_timeout(Duration::from_millis(100)) {
                Ok(Event::Done(report)) => {
                    done += 1;
                    run.elapsed = start.elapsed();
                    run.add(&report);
                }
                Ok(Event::Ended { replica, failure }) => {
                    living.retain(|&n| n != replica);
                    run.bury(replica, failure.or_else(|| fleet.failure_of(replica)), &living, shop)?;
                }
                Ok(Event::Interrupted) => return Err("interrupted".into()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if kill && run.kill.is_none() && done * 2 >= orders {
                fleet.kill(VICTIM)?;
                run.kill = Some(Kill::now());
            }
            progress.show(done);
        }
        progress.end(done);
        Ok(run)
    }

    fn add(&mut self, report: &Report) {
        self.retries += report.retries;
        for &(wait, hold) in &report.times {
            self.waits.push(wait);
            self.holds.push(hold);
        }
        if let Some(kill) = &mut self.kill {
            // Of a wait that began before the kill, only what came after counts.
            let longest = report.times.iter().map(|t| t.0).max().unwrap_or_default();
            kill.longest_wait = kill.longest_wait.max(longest.min(kill.at.elapsed()));
            kill.standstill = kill.standstill.max(kill.last_report.elapsed());
            kill.last_report = Instant::now();
        }
    }

    /// A replica has ended. If it should not have, the others get its orders.
    fn bury(&mut self, replica: usize, failure: Option<String>, living: &[usize], shop: &Shop) -> Result<(), Failure> {
        let Some(failure) = failure else { return Ok(()) };
        let left_behind = shop.hand_over(replica, living)?;
        match &mut self.kill {
            Some(kill) if replica == VICTIM => kill.left_behind = left_behind,
            _ => self.failures.push(format!("replica {replica}: {failure}")),
        }
        Ok(())
    }
}

impl Kill {
    fn now() -> Self {
        let now = Instant::now();
        Self { at: now, last_report: now, left_behind: 0, standstill: Duration::ZERO, longest_wait: Duration::ZERO }
    }
}
