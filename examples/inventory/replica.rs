//! One replica of the service: several tasks that work off the orders dealt to it.

use crate::deduct::{Deducted, deduct, deduct_without_lock};
use crate::orders::Item;
use crate::shop::{Line, OpenOrder, Shop};
use dlock_runtime::Runtime;
use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Orders that a replica works on at a time.
const TASKS: usize = 8;

/// Calls that may fail for a passing reason before a replica gives up on an item.
const ATTEMPTS: u32 = 5;

/// One order is done: how long each of its items waited for its lock and then held it.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    pub times: Vec<(Duration, Duration)>,
    /// Calls that had to be made again.
    pub retries: u32,
}

/// Where reports go: the parent's channel, or the standard output of a process.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// Everything a task of a replica needs.
#[derive(Clone)]
pub struct Replica {
    pub number: usize,
    pub database: PathBuf,
    /// None leaves the lock out.
    pub runtime: Option<Runtime>,
    pub report: Reporter,
}

/// An error on its way to the user.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An error with its causes, which its own text leaves out.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Replica {
    /// Works until no replica has an open order, so that it is still there if another one dies.
    pub async fn run(self) -> Result<(), Failure> {
        let shop = Shop::open(&self.database)?;
        loop {
            let share = shop.open_orders(self.number)?;
            if !share.is_empty() {
                self.work_off(share).await?;
            } else if shop.any_open()? {
                tokio::time::sleep(Duration::from_millis(20)).await;
            } else {
                return Ok(());
            }
        }
    }

    async fn work_off(&self, share: Vec<OpenOrder>) -> Result<(), Failure> {
        let queue = Arc::new(Mutex::new(VecDeque::from(share)));
        let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
        for _ in 0..TASKS {
            let (replica, queue) = (self.clone(), Arc::clone(&queue));
            tasks.spawn(async move {
                let shop = Shop::open(&replica.database)?;
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(order) = next else { return Ok(()) };
                    replica.fulfil(&shop, order).await?;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn fulfil(&self, shop: &Shop, order: OpenOrder) -> Result<(), Failure> {
        let mut report = Report::default();
        let (mut sold, mut refused) = (0, 0);
        for (line, item) in &order.items {
            let called = Instant::now();
            let done = self.take(shop, *line, item, &mut report.retries).await?;
            report.times.push((done.since - called, done.since.elapsed()));
            match done.sold {
                true => sold += item.qty,
                false => refused += item.qty,
            }
        }
        shop.acknowledge(order.id, sold, refused)?;
        (self.report)(report);
        Ok(())
    }

    /// Deducts one item, again if the lock was busy or lost.
    async fn take(&self, shop: &Shop, line: Line, item: &Item, retries: &mut u32) -> Result<Deducted, Failure> {
        let mut attempt = 1;
        loop {
            let result = match &self.runtime {
                Some(runtime) => deduct(runtime, shop, &item.product, item.qty, line).await,
                None => deduct_without_lock(shop, &item.product, item.qty, line).await,
            };
            match result {
                Err(e) if e.is_passing() && attempt < ATTEMPTS => {
                    attempt += 1;
                    *retries += 1;
                }
                Err(e) => {
                    return Err(format!("order {}, item {}: {}", line.order, line.line, with_causes(&e)).into());
                }
                Ok(deducted) => return Ok(deducted),
            }
        }
    }
}

/// How a replica that is a process writes a report: the retries, then wait:hold of each item in microseconds.
pub fn to_line(report: &Report) -> String {
    let mut line = report.retries.to_string();
    for (wait, hold) in &report.times {
        line += &format!(" {}:{}", wait.as_micros(), hold.as_micros());
    }
    line
}

/// Reads what `to_line` wrote; None for anything else, such as the end of a line that a killed replica did not finish.
pub fn from_line(line: &str) -> Option<Report> {
    let mut words = line.split(' ');
    let retries = words.next()?.parse().ok()?;
    let micros = |text: &str| text.parse().ok().map(Duration::from_micros);
    let times = words
        .map(|word| {
            let (wait, hold) = word.split_once(':')?;
            Some((micros(wait)?, micros(hold)?))
        })
        .collect::<Option<_>>()?;
    Some(Report { times, retries })
}
