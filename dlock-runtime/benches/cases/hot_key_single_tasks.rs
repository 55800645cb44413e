//! Four processes of one task, one key: nobody can take a turn on a lease of his own process, so that each
//! acquisition is a hand-over. rslock's winner goes on alone while the others sleep, which is quick and unfair.

use dlock_benches::{
    Bench, Contest, Outcome, Rival, Spread, Standing, Table, Unit, Until, compete, role, rounds, span,
};

/// How often each task has the lock in a round of fixed work.
const EACH: u64 = 50;

fn main() -> Outcome<()> {
    if let Some(url) = role() {
        return compete(&url);
    }
    let about = "four processes of one task, one key, empty body";
    let Some((mut bench, server)) = Bench::begin("hot_key_single_tasks", about) else { return Ok(()) };
    let mut contest = Contest::start(4, &server)?;
    let (mut dlock, mut rslock) = (Standing::default(), Standing::default());
    let (mut dlock_fixed, mut rslock_fixed) = (Standing::default(), Standing::default());
    for round in 0..=rounds(30) {
        contest.round(Rival::Default, [1, 1], Until::Over(span(1500)), (round > 0).then_some(&mut dlock))?;
        contest.round(Rival::Rslock, [1, 1], Until::Over(span(1500)), (round > 0).then_some(&mut rslock))?;
        contest.round(Rival::Default, [1, 1], Until::Each(EACH), (round > 0).then_some(&mut dlock_fixed))?;
        contest.round(Rival::Rslock, [1, 1], Until::Each(EACH), (round > 0).then_some(&mut rslock_fixed))?;
    }

    let mut table = Table::new(Standing::COLUMNS);
    table.line(dlock.line("dlock"));
    table.line(rslock.line("rslock"));
    table.line(dlock_fixed.line("dlock, fixed work"));
    table.line(rslock_fixed.line("rslock, fixed work"));
    table.print();
    bench.figure("throughput beside rslock", Spread::of_ratios(&dlock.rates, &rslock.rates), Unit::OfRslock);
    let ratio = Spread::of_ratios(&dlock_fixed.rates, &rslock_fixed.rates);
    bench.figure("throughput beside rslock, fixed work", ratio, Unit::OfRslock);
    bench.figure("throughput", Spread::of(&dlock.rates), Unit::Rate);
    bench.figure("throughput of rslock", Spread::of(&rslock.rates), Unit::Rate);
    bench.figure("worst wait", dlock.worst(), Unit::Millis);
    bench.figure("worst wait of rslock", rslock.worst(), Unit::Millis);
    bench.figure("client commands an acquisition", dlock.commands_each(), Unit::Count);
    bench.figure("client commands an acquisition of rslock", rslock.commands_each(), Unit::Count);
    bench.figure("shares of processes off by", dlock.unevenness(), Unit::Percent);
    bench.finish()
}
