//! The table at the end.

use crate::books::Books;
use crate::deduct::TTL;
use crate::fleet::REPLICAS;
use crate::run::Run;
use std::time::Duration;

/// Prints what was done, how fast, and what is wrong with it.
pub fn print(books: &Books, run: &mut Run, orders: usize, sequential: u32, locked: bool) {
    row("orders", &format!("{orders} by {REPLICAS} replicas in {:.1} s", run.elapsed.as_secs_f64()));
    row("sold", &format!("{} units (a sequential run: {sequential})", books.sold));
    row("refused", &format!("{} units", books.refused));
    row("oversold units", &books.oversold.to_string());
    row("lost updates", &books.lost_updates.to_string());
    let rate = run.waits.len() as f64 / run.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    match locked {
        true => row("acquisitions/s", &format!("{rate:.0}")),
        false => row("deductions/s", &format!("{rate:.0} without any lock")),
    }
    run.waits.sort_unstable();
    run.holds.sort_unstable();
    row("wait p50 / p99", &format!("{} / {}", millis(&run.waits, 50), millis(&run.waits, 99)));
    row("hold p50", &millis(&run.holds, 50));
    if run.retries > 0 {
        row("tried again", &format!("{} calls that found the lock busy or lost it", run.retries));
    }
    if let Some(kill) = &run.kill {
        if kill.of_master {
            row("failover", "the master was killed, and a replica took its place");
        } else {
            row("left behind", &format!("{} orders by the killed replica", kill.left_behind));
        }
        let ttl = ms(TTL);
        row(
            "longest gap",
            &format!("{:.0} ms without any order done after the kill (TTL {ttl} ms)", ms(kill.standstill)),
        );
        row("longest wait", &format!("{:.0} ms for one lock after the kill", ms(kill.longest_wait)));
    }
    let complaints = books.complaints(sequential);
    row("books", if complaints.is_empty() && run.failures.is_empty() { "balance" } else { "DO NOT BALANCE" });
    for complaint in complaints.iter().chain(&run.failures) {
        println!("  {complaint}");
    }
}

fn row(name: &str, value: &str) {
    println!("{name:16}{value}");
}

fn millis(sorted: &[Duration], percent: usize) -> String {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or("-".into(), |&d| format!("{:.2} ms", ms(d)))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
