//! Four processes of sixteen tasks, one key, and nothing to do while it is held: as dlock comes, and set for
//! throughput.
//!
//! Over a fixed time rslock does well as long as one of its tasks takes the lock over and over while the others sleep;
//! the rounds of fixed work end when each task has had its share.

use dlock_benches::{
    Bench, Contest, Outcome, Rival, Spread, Standing, Table, Unit, Until, compete, role, rounds, span,
};

/// How often each task has the lock in a round of fixed work.
const EACH: u64 = 50;

fn main() -> Outcome<()> {
    if let Some(url) = role() {
        return compete(&url);
    }
    let about = "four processes of 16 tasks, one key, empty body";
    let Some((mut bench, server)) = Bench::begin("hot_key_processes", about) else { return Ok(()) };
    let mut contest = Contest::start(4, &server)?;
    let rivals = [Rival::Default, Rival::Throughput, Rival::Rslock];
    let (mut standings, mut fixed) = (rivals.map(|_| Standing::default()), rivals.map(|_| Standing::default()));
    for round in 0..=rounds(30) {
        for (at, rival) in rivals.into_iter().enumerate() {
            contest.round(rival, [1, 16], Until::Over(span(1000)), (round > 0).then_some(&mut standings[at]))?;
            contest.round(rival, [1, 16], Until::Each(EACH), (round > 0).then_some(&mut fixed[at]))?;
        }
    }

    let mut table = Table::new(Standing::COLUMNS);
    for (at, rival) in rivals.into_iter().enumerate() {
        table.line(standings[at].line(rival.name()));
        table.line(fixed[at].line(&format!("{}, fixed work", rival.name())));
    }
    table.print();
    let ([.., rslock], [.., rslock_fixed]) = (&standings, &fixed);
    for (at, rival) in rivals.into_iter().enumerate() {
        let (name, standing) = (rival.name(), &standings[at]);
        if rival != Rival::Rslock {
            let ratio = Spread::of_ratios(&standing.rates, &rslock.rates);
            bench.figure(format!("{name}: throughput beside rslock"), ratio, Unit::OfRslock);
            let ratio = Spread::of_ratios(&fixed[at].rates, &rslock_fixed.rates);
            bench.figure(format!("{name}: throughput beside rslock, fixed work"), ratio, Unit::OfRslock);
        }
        bench.figure(format!("{name}: throughput"), Spread::of(&standing.rates), Unit::Rate);
        bench.figure(format!("{name}: throughput, fixed work"), Spread::of(&fixed[at].rates), Unit::Rate);
        bench.figure(format!("{name}: shares of processes off by"), standing.unevenness(), Unit::Percent);
        bench.figure(format!("{name}: worst wait"), standing.worst(), Unit::Millis);
        bench.figure(format!("{name}: tasks starved"), standing.starved as f64, Unit::Count);
        bench.figure(format!("{name}: client commands an acquisition"), standing.commands_each(), Unit::Count);
    }
    bench.finish()
}
