//! How many commands Redis ran for a side: those that a client sent, told apart from those inside of its scripts. And what they cost.

use std::{collections::BTreeMap, time::Duration};

use dlock_testkit::{Raw, RedisServer};

/// What only clients send. `INFO commandstats` counts a command the same wherever it came from, so that the split
/// rests on knowing the sides: the scripts of all of them use none of these.
const OF_CLIENTS: [&str; 8] = ["eval", "evalsha", "script", "subscribe", "unsubscribe", "hello", "client", "ping"];
/// What the meter itself sends.
const OF_THE_METER: [&str; 2] = ["info", "config"];

/// Calls and microseconds by command.
type Counters = BTreeMap<String, [u64; 2]>;

/// Reads the server's counters.
#[derive(Debug)]
pub struct Meter {
    raw: Raw,
    before: Counters,
    processor_before: Duration,
}

impl Meter {
    /// A meter with a connection of its own.
    pub fn new(server: &RedisServer) -> Self {
        let mut raw = server.raw();
        let (before, processor_before) = (counters(&mut raw), processor(&mut raw));
        Self { raw, before, processor_before }
    }

    /// What ran since the last reading is forgotten.
    pub fn reset(&mut self) {
        (self.before, self.processor_before) = (counters(&mut self.raw), processor(&mut self.raw));
    }

    /// What ran since the last reading. `sets` says that `SET` is sent by the clients of this side, not by a script.
    pub fn read(&mut self, sets: bool) -> Commands {
        let (now, processor) = (counters(&mut self.raw), processor(&mut self.raw));
        let spent = processor.saturating_sub(self.processor_before);
        let mut commands = Commands { processor: spent, ..Commands::default() };
        for (command, [calls, micros]) in &now {
            // `client|setinfo` is a command of its own in the counters.
            let family = command.split('|').next().unwrap_or(command);
            let before = self.before.get(command).copied().unwrap_or_default();
            let (calls, micros) = (calls.saturating_sub(before[0]), micros.saturating_sub(before[1]));
            if calls == 0 || OF_THE_METER.contains(&family) {
                continue;
            }
            if OF_CLIENTS.contains(&family) || (sets && family == "set") {
                commands.clients += calls;
                // The time of a script includes that of its commands.
                commands.micros += micros;
            } else {
                commands.scripts += calls;
            }
            *commands.by_name.entry(command.clone()).or_default() += calls;
        }
        (self.before, self.processor_before) = (now, processor);
        commands
    }
}

fn counters(raw: &mut Raw) -> Counters {
    let info = raw.command(&["INFO", "commandstats"]);
    info.text().unwrap_or_default().lines().filter_map(counter).collect()
}

/// How much of the processor the server has had: `used_cpu_sys:1.25` and `used_cpu_user:3.5` are seconds.
fn processor(raw: &mut Raw) -> Duration {
    let info = raw.command(&["INFO", "cpu"]);
    let second = |line: &str| {
        let (name, seconds) = line.split_once(':')?;
        ["used_cpu_sys", "used_cpu_user"].contains(&name).then(|| seconds.trim().parse::<f64>().ok())?
    };
    Duration::from_secs_f64(info.text().unwrap_or_default().lines().filter_map(second).sum())
}

/// `cmdstat_get:calls=3,usec=7,..` is `("get", [3, 7])`.
fn counter(line: &str) -> Option<(String, [u64; 2])> {
    let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let figure = |name: &str| figures.split(',').find_map(|figure| figure.strip_prefix(name)?.parse().ok());
    Some((name.to_owned(), [figure("calls=")?, figure("usec=")?]))
}

/// How many commands ran.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Sent by clients.
    pub clients: u64,
    /// Called by scripts.
    pub scripts: u64,
    /// How long Redis worked on them, reading and writing on connections not included.
    pub micros: u64,
    /// How much of the processor Redis had meanwhile, everything included.
    pub processor: Duration,
    by_name: BTreeMap<String, u64>,
}

impl Commands {
    /// Adds those of another round.
    pub fn merge(&mut self, other: &Self) {
        self.clients += other.clients;
        self.scripts += other.scripts;
        self.micros += other.micros;
        self.processor += other.processor;
        for (command, calls) in &other.by_name {
            *self.by_name.entry(command.clone()).or_default() += calls;
        }
    }

    /// All of them, each per `acquisitions`, the ones that matter, and the time that Redis worked on them.
    pub fn describe(&self, acquisitions: u64) -> String {
        let each = |calls: u64| calls as f64 / acquisitions.max(1) as f64;
        let named = self.by_name.iter().filter(|(_, calls)| each(**calls) >= 0.005);
        let named = named.map(|(name, calls)| format!("{name} {:.2}", each(*calls))).collect::<Vec<_>>().join(", ");
        if named.is_empty() { String::new() } else { format!("{:.1} µs: {named}", each(self.micros)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_counters_is_read() {
        let line = "cmdstat_evalsha:calls=42,usec=1200,usec_per_call=28.57,rejected_calls=0,failed_calls=0";
        assert_eq!(counter(line), Some(("evalsha".to_owned(), [42, 1200])));
        assert_eq!(counter("# Commandstats"), None);
    }
}
