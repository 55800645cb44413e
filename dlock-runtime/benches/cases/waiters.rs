//! Four processes with more and more runtimes of one task each, each runtime a process as far as Redis can tell: what
//! an acquisition costs must not grow with the number of those who wait.

use dlock_benches::{
    Bench, Contest, Outcome, Rival, Spread, Standing, Table, Unit, Until, compete, role, rounds, span,
};

fn main() -> Outcome<()> {
    if let Some(url) = role() {
        return compete(&url);
    }
    let about = "four processes with 1, 4 and 16 runtimes of one task each, one key, empty body";
    let Some((mut bench, server)) = Bench::begin("waiters", about) else { return Ok(()) };
    let mut contest = Contest::start(4, &server)?;
    let sizes = [1, 4, 16];
    let (mut ours, mut others) = (sizes.map(|_| Standing::default()), sizes.map(|_| Standing::default()));
    for round in 0..=rounds(4) {
        for (at, runtimes) in sizes.into_iter().enumerate() {
            let each = [runtimes, runtimes];
            contest.round(Rival::Default, each, Until::Over(span(1000)), (round > 0).then_some(&mut ours[at]))?;
            contest.round(Rival::Rslock, each, Until::Over(span(1000)), (round > 0).then_some(&mut others[at]))?;
        }
    }

    let mut table = Table::new(Standing::COLUMNS);
    for (at, runtimes) in sizes.into_iter().enumerate() {
        table.line(ours[at].line(&format!("dlock, {} waiters", runtimes * 4)));
        table.line(others[at].line(&format!("rslock, {} waiters", runtimes * 4)));
    }
    table.print();
    let ratio = ours[2].commands_each() / ours[0].commands_each();
    bench.figure("client commands: 64 waiters beside 4", ratio, Unit::Ratio);
    for (at, runtimes) in sizes.into_iter().enumerate() {
        let waiters = runtimes * 4;
        let ratio = Spread::of_ratios(&ours[at].rates, &others[at].rates);
        bench.figure(
            format!("{waiters} waiters: client commands an acquisition"),
            ours[at].commands_each(),
            Unit::Count,
        );
        let theirs = others[at].commands_each();
        bench.figure(format!("{waiters} waiters: client commands an acquisition of rslock"), theirs, Unit::Count);
        bench.figure(format!("{waiters} waiters: throughput beside rslock"), ratio, Unit::OfRslock);
        bench.figure(format!("{waiters} waiters: worst wait"), ours[at].worst(), Unit::Millis);
        bench.figure(format!("{waiters} waiters: worst wait of rslock"), others[at].worst(), Unit::Millis);
    }
    bench.finish()
}
