//! What the figures were measured on, and what the threads of this process cost.

use std::{fs, process::Command, thread::available_parallelism, time::Duration};

use dlock_testkit::RedisServer;

/// Processor, cores, kernel, Redis and rustc, in one line.
pub(crate) fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = available_parallelism().map_or(0, usize::from);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // A kernel's own additions to its version say nothing about its speed.
    let kernel = format!("{} {}", std::env::consts::OS, release.trim().split('-').next().unwrap_or_default());
    let redis = RedisServer::available().and_then(|server| first_line(Command::new(server).arg("--version")));
    let redis = redis.as_deref().and_then(|line| line.split("v=").nth(1)?.split(' ').next()).unwrap_or("?").to_owned();
    let rustc = first_line(Command::new("rustc").arg("--version")).unwrap_or_default();
    let rustc = rustc.split(' ').nth(1).unwrap_or("?");
    format!(
        "{model}, {cores} cores, {}, {kernel}, Redis {redis} on loopback TCP, rustc {rustc}",
        std::env::consts::ARCH
    )
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?.stdout;
    Some(String::from_utf8(output).ok()?.lines().next()?.to_owned())
}

/// What the keepers' threads of this process have used of a core so far.
pub fn keeper_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        // The fields after the name begin with the third one; user and system time are the 14th and 15th.
        let mut fields = rest.split_whitespace().skip(11);
        let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        // A tick is 10 ms wherever Linux runs on a machine of today.
        name.starts_with("dlock-keeper").then(|| Duration::from_millis(ticks * 10))
    };
    threads.filter_map(of).sum()
}
