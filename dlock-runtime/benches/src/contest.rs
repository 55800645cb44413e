//! One hot key, many processes: the workers' side and the side that sets them on.

use std::time::Duration;

use dlock_testkit::RedisServer;

use crate::{
    Commands, Crew, Dlock, Keys, Load, Locker, Meter, Orders, Outcome, Rslock, Setting, Spread, Tally, Until,
    clock::{now, sleep_until},
    dlock, tell,
};

/// Who competes in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// dlock as it comes.
    Default,
    /// dlock in its setting for throughput.
    Throughput,
    /// rslock.
    Rslock,
}

impl Rival {
    const ALL: [Self; 3] = [Self::Default, Self::Throughput, Self::Rslock];

    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Throughput => "throughput",
            Self::Rslock => "rslock",
        }
    }
}

/// What one side came to in all rounds.
#[derive(Debug, Default)]
pub struct Standing {
    /// Acquisitions a second of each round.
    pub rates: Vec<f64>,
    /// Acquisitions of each process in all rounds.
    pub shares: Vec<u64>,
    /// How often a task had nothing in a whole round.
    pub starved: usize,
    /// All tasks of all processes in all rounds.
    pub tally: Tally,
    /// What Redis ran.
    pub commands: Commands,
}

impl Standing {
    /// By how many percent the process that is furthest from it is off an equal share.
    pub fn unevenness(&self) -> f64 {
        let equal = self.shares.iter().sum::<u64>() as f64 / self.shares.len().max(1) as f64;
        self.shares.iter().map(|&share| (share as f64 / equal - 1.).abs() * 100.).fold(0., f64::max)
    }

    /// Commands that clients sent for each acquisition.
    pub fn commands_each(&self) -> f64 {
        self.tally.each(self.commands.clients as f64)
    }

    /// The worst wait in milliseconds.
    pub fn worst(&self) -> f64 {
        self.tally.waits.worst().as_secs_f64() * 1e3
    }

    /// A line of a table with [`COLUMNS`](Self::COLUMNS).
    pub fn line(&self, name: &str) -> [String; 8] {
        let millis = |percent| format!("{:.2}", self.tally.waits.percentile(percent).as_secs_f64() * 1e3);
        [
            name.to_owned(),
            format!("{:.0}", Spread::of(&self.rates).median),
            millis(50),
            millis(99),
            format!("{:.1}", self.worst()),
            format!("{:.1}", self.unevenness()),
            self.starved.to_string(),
            self.commands.describe(self.tally.to_the_end),
        ]
    }

    /// What [`line`](Self::line) says.
    pub const COLUMNS: [&str; 8] = [
        "side",
        "acquisitions/s",
        "wait p50 ms",
        "p99 ms",
        "worst ms",
        "shares off by %",
        "starved",
        "Redis: time and commands an acquisition",
    ];
}

/// Workers that compete for one key.
#[derive(Debug)]
pub struct Contest {
    crew: Crew,
    meter: Meter,
    rounds: usize,
}

impl Contest {
    /// Starts so many processes.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start(processes: usize, server: &RedisServer) -> Outcome<Self> {
        Ok(Self { crew: Crew::start(processes, &server.url())?, meter: Meter::new(server), rounds: 0 })
    }

    /// One round in which each process has so many tasks, spread over so many runtimes. Counts for nothing if there
    /// is no `standing`, as in a round that warms up.
    ///
    /// # Errors
    /// Those of the sides.
    pub fn round(
        &mut self,
        rival: Rival,
        [runtimes, tasks]: [usize; 2],
        until: Until,
        standing: Option<&mut Standing>,
    ) -> Outcome<()> {
        let name = rival.name();
        self.crew.ask_all(&format!("prepare {name} {runtimes}"))?;
        self.meter.reset();
        self.rounds += 1;
        let (key, start) = (format!("hot:{}", self.rounds), now() + 20_000_000);
        let until = match until {
            Until::Over(span) => format!("over {}", span.as_millis()),
            Until::Each(quota) => format!("each {quota}"),
        };
        let order = format!("round {name} {runtimes} {tasks} {key} {start} {until}");
        let answers = self.crew.ask_all(&order)?;
        let Some(standing) = standing else { return Ok(()) };
        let sets = if rival == Rival::Rslock { Rslock::SETS } else { Dlock::SETS };
        standing.commands.merge(&self.meter.read(sets));
        let tallies =
            answers.iter().map(|line| Tally::from_line(line).ok_or_else(|| format!("a worker said {line:?}")));
        let tallies = tallies.collect::<Result<Vec<_>, _>>()?;
        let total = tallies.iter().map(Tally::total).sum::<u64>();
        let took = tallies.iter().map(|tally| tally.took).max().unwrap_or_default();
        standing.rates.push(total as f64 / took.as_secs_f64());
        standing.shares.resize(tallies.len(), 0);
        for (share, tally) in standing.shares.iter_mut().zip(&tallies) {
            *share += tally.total();
            standing.starved += tally.counts.iter().filter(|&&count| count == 0).count();
            standing.tally.merge(tally);
        }
        Ok(())
    }
}

/// The life of a worker process.
///
/// # Errors
/// Those of the sides.
pub fn compete(url: &str) -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut orders = Orders::listen();
        tell("ready")?;
        let (mut ours, mut swift, mut others) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(words) = orders.next().await {
            let words = words.iter().map(String::as_str).collect::<Vec<_>>();
            let rival =
                Rival::ALL.into_iter().find(|rival| words.get(1) == Some(&rival.name())).ok_or("no such rival")?;
            let runtimes = words.get(2).ok_or("no count")?.parse::<usize>()?;
            if words[0] == "prepare" {
                match rival {
                    Rival::Default => grow(&mut ours, runtimes, async || dlock(url, Setting::Default).await).await?,
                    Rival::Throughput => {
                        grow(&mut swift, runtimes, async || dlock(url, Setting::Throughput).await).await?
                    }
                    Rival::Rslock => grow(&mut others, runtimes, async || Rslock::new(url)).await?,
                }
                tell("ready")?;
                continue;
            }
            let [_, _, _, tasks, key, start, until, bound] = words[..] else { return Err("no such order".into()) };
            let bound = bound.parse()?;
            let until = if until == "each" { Until::Each(bound) } else { Until::Over(Duration::from_millis(bound)) };
            let load = Load { tasks: tasks.parse()?, until, keys: Keys::One(key.to_owned()), timed: true };
            sleep_until(start.parse()?).await;
            let tally = match rival {
                Rival::Default => load.run(&ours[..runtimes]).await?,
                Rival::Throughput => load.run(&swift[..runtimes]).await?,
                Rival::Rslock => load.run(&others[..runtimes]).await?,
            };
            tell(tally.to_line())?;
        }
        Ok(())
    })
}

/// Makes lockers until there are enough, each connected.
async fn grow<L: Locker>(lockers: &mut Vec<L>, enough: usize, make: impl AsyncFn() -> Outcome<L>) -> Outcome<()> {
    while lockers.len() < enough {
        let locker = make().await?;
        let key = format!("warm:{}:{}", std::process::id(), now());
        if let Some(held) = locker.acquire(&key).await? {
            locker.release(held).await?;
        }
        lockers.push(locker);
    }
    Ok(())
}
