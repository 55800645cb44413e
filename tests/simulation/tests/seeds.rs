//! Fifty worlds for each change, ten thousand for who has an hour, and the promise that a seed is all that is needed to see one
//! of them again.

use std::time::Instant;

use dlock_simulation::{Kind, Options, Weakness, run, svg, worlds};
use dlock_testkit::full;

#[test]
fn nothing_that_must_not_be_is_seen() {
    // 10,000 with DLOCK_FULL=1.
    let seeds = full(10_000, 50);
    let began = Instant::now();
    let all = worlds(&Options { seed: 1, acquisitions: 1_000, ..Options::default() }, seeds, u64::MAX);
    if let Some(report) = all.shown {
        panic!("{:?}\n--acquisitions 1000 --{}", report.violation, report.plan);
    }
    println!("{}{seeds:>14}  worlds\n{:>14.1}  seconds", all.figures, began.elapsed().as_secs_f64());
    // What did not happen was not tested.
    for (what, count) in all.figures.all() {
        assert!(count > 0, "no {what}");
    }
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for (seed, kind) in (1..).zip(Kind::WORLDS) {
        let options = Options { seed, acquisitions: 300, kind: Some(kind), trace: true, ..Options::default() };
        let [one, other] = [(); 2].map(|()| run(&options));
        assert!(one.trace.len() > 300, "seed {seed} tells of {} events", one.trace.len());
        for (one, other) in one.trace.iter().zip(&other.trace) {
            assert_eq!(one.to_string(), other.to_string(), "seed {seed}");
        }
        assert_eq!((one.trace.len(), one.hash), (other.trace.len(), other.hash), "seed {seed}");
        assert_eq!(one.figures, other.figures, "seed {seed}");
    }
    let hash = |seed| run(&Options { seed, acquisitions: 100, ..Options::default() }).hash;
    assert_ne!(hash(1), hash(2), "the hash says nothing");
}

#[test]
fn the_last_moments_are_drawn_with_a_column_for_each_process_and_server() {
    let weakness = Some(Weakness::LeasesEndEarly);
    let report = run(&Options { seed: 1, acquisitions: 100, trace: true, weakness, ..Options::default() });
    let drawn = svg(&report.trace);
    for lane in ["p0", "server0", "world"] {
        assert!(drawn.contains(&format!(">{lane}</text>")), "no column for {lane}");
    }
    assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"));
}
