//! The command line, read by hand: a few flags do not pay for a parser that would double the build of the first command.

use std::path::PathBuf;

pub const HELP: &str = "\
Replicas of an inventory service deduct a stream of orders from one stock; then the books are audited.

USAGE: cargo run --release --example inventory -- [OPTIONS]

  --orders FILE    take the orders from a CSV file: one basket a line, items separated by commas
  --count N        how many orders to make up when there is no file      [4000]
  --seed N         seed of the made-up orders                            [1]
  --without-lock   leave the lock out, to see what it is for
  --kill           kill one of the replicas with SIGKILL half-way (needs Redis)
  --embedded       one process and the embedded store, even if Redis is at hand
  --sentinel       on a master of its own with two replicas and three sentinels, which it starts
  --cluster        on a cluster of its own of three masters, each with a replica, which it starts
  --failover       on one of these two (with sentinels, unless --cluster is given), and kill a master with SIGKILL half-way
  --help           this text

REDIS_URL names the Redis server to use. Without it a private redis-server is started if the binary is there.
Exit status: 0 the books balance, 1 they do not, 2 the command line was not understood.";

/// Where the orders come from.
#[derive(Debug, PartialEq)]
pub enum Source {
    File(PathBuf),
    Generated { count: usize, seed: u64 },
}

/// What the user asked for.
#[derive(Debug, PartialEq)]
pub struct Options {
    pub source: Source,
    pub without_lock: bool,
    pub kill: bool,
    pub embedded: bool,
    pub sentinel: bool,
    pub cluster: bool,
    pub failover: bool,
}

/// What this process is to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Run(Options),
    /// The program has started itself again as one of the replicas; not for users.
    Replica {
        number: usize,
        database: PathBuf,
        without_lock: bool,
    },
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// A sentence for the user about the first argument that makes no sense.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut args = args.into_iter();
    let (mut file, mut count, mut seed) = (None, None, None);
    let (mut replica, mut database) = (None, None);
    let (mut without_lock, mut kill, mut embedded) = (false, false, false);
    let (mut sentinel, mut cluster, mut failover) = (false, false, false);
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--orders" => file = Some(PathBuf::from(value()?)),
            "--count" => count = Some(number(&flag, &value()?)?),
            "--seed" => seed = Some(number(&flag, &value()?)?),
            "--without-lock" => without_lock = true,
            "--kill" => kill = true,
            "--embedded" => embedded = true,
            "--sentinel" => sentinel = true,
            "--cluster" => cluster = true,
            "--failover" => failover = true,
            "--replica" => replica = Some(number(&flag, &value()?)?),
            "--database" => database = Some(PathBuf::from(value()?)),
            _ => return Err(format!("unknown argument {flag:?}")),
        }
    }
    if let (Some(number), Some(database)) = (replica, database) {
        return Ok(Command::Replica { number, database, without_lock });
    }
    if file.is_some() && (count.is_some() || seed.is_some()) {
        return Err("--count and --seed are for made-up orders, not for --orders FILE".into());
    }
    if count == Some(0) {
        return Err("--count needs at least one order".into());
    }
    if kill && embedded {
        return Err("--kill needs replicas that are processes of their own, --embedded has only one process".into());
    }
    if embedded && (sentinel || cluster || failover) {
        return Err("--sentinel, --cluster and --failover need Redis, and --embedded is without it".into());
    }
    if sentinel && cluster {
        return Err("--sentinel and --cluster are two ways to do it: choose one".into());
    }
    sentinel |= failover && !cluster;
    if failover && (kill || without_lock) {
        return Err("--failover shows one thing at a time: leave --kill and --without-lock out".into());
    }
    let source = match file {
        Some(path) => Source::File(path),
        None => Source::Generated { count: count.unwrap_or(4000), seed: seed.unwrap_or(1) },
    };
    Ok(Command::Run(Options { source, without_lock, kill, embedded, sentinel, cluster, failover }))
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} needs a whole number, not {value:?}"))
}
