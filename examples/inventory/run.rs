//! A run from the first order to the last: watches the replicas, kills one or their master if asked to, and deals out what a replica
//! left.

use crate::fleet::{Event, Fleet, REPLICAS};
use crate::mode::Mode;
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

/// What is killed half-way.
pub enum Strike<'a> {
    Replica,
    /// The Redis master that has the locks.
    Master(&'a mut Mode),
}

/// What came of killing a replica, or the master.
pub struct Kill {
    /// Whether it was the master.
    pub of_master: bool,
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
        mut strike: Option<Strike<'_>>,
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
            if done * 2 >= orders
                && let Some(strike) = strike.take()
            {
                let of_master = matches!(strike, Strike::Master(_));
                match strike {
                    Strike::Replica => fleet.kill(VICTIM)?,
                    Strike::Master(mode) => mode.kill_master(),
                }
                run.kill = Some(Kill::now(of_master));
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
            Some(kill) if replica == VICTIM && !kill.of_master => kill.left_behind = left_behind,
            _ => self.failures.push(format!("replica {replica}: {failure}")),
        }
        Ok(())
    }
}

impl Kill {
    fn now(of_master: bool) -> Self {
        let now = Instant::now();
        Self {
            of_master,
            at: now,
            last_report: now,
            left_behind: 0,
            standstill: Duration::ZERO,
            longest_wait: Duration::ZERO,
        }
    }
}
