//! Runs worlds: `cargo run --release -p dlock-simulation -- --help`.

use std::{
    env, fs,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use dlock_simulation::{Figures, Options, Weakness, run, svg};

const HELP: &str = "\
--seed N           the first seed (1)
--seeds N          how many, on two threads (1)
--acquisitions N   how many turns each world takes (2000)
--total N          go on until all worlds together took so many turns
--weakness NAME    do something wrong on purpose
--trace            print the time line
--svg FILE         draw the last 50 ms";

fn main() -> ExitCode {
    let words = env::args().skip(1).collect::<Vec<_>>();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name: &str, otherwise: u64| {
        value(name).map_or(otherwise, |text| text.replace('_', "").parse().expect("a number"))
    };
    if words.iter().any(|word| word == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let weakness = value("--weakness").map(|name| {
        let known = Weakness::ALL.iter().copied().find(|weakness| format!("{weakness:?}") == *name);
        known.unwrap_or_else(|| panic!("one of {:?}", Weakness::ALL))
    });
    let (first, total) = (number("--seed", 1), number("--total", 0));
    let seeds = if total > 0 { u64::MAX / 2 } else { number("--seeds", 1) };
    let (trace, drawn) = (words.iter().any(|word| word == "--trace"), value("--svg").cloned());
    let options = Options {
        seed: first,
        acquisitions: number("--acquisitions", 2_000),
        kind: None,
        weakness,
        only: None,
        trace: trace || drawn.is_some(),
    };
    let began = Instant::now();
    let halves =
        [0, 1].map(|half| thread::spawn(move || (half..seeds).step_by(2).try_fold_figures(&options, total / 2)));
    let halves = halves.map(|half| half.join().expect("no panic"));
    let (mut all, mut worlds, mut code) = (Figures::default(), 0, ExitCode::SUCCESS);
    for Half { figures, count, failed } in halves {
        all += figures;
        worlds += count;
        if let Some((seed, report)) = failed {
            if trace {
                report.trace.iter().for_each(|entry| println!("{entry}"));
            }
            println!("seed {seed}: {:?}\n{}", report.violation, report.plan);
            if let Some(file) = &drawn {
                fs::write(file, svg(&report.trace)).expect("a file");
            }
            code = ExitCode::FAILURE;
        }
    }
    println!("{all}{worlds:>14}  worlds\n{:>14.1}  seconds", began.elapsed().as_secs_f64());
    code
}

/// One of the two threads found a violation: the other one need not go on.
static FOUND: AtomicBool = AtomicBool::new(false);

/// What one of two threads did.
struct Half {
    figures: Figures,
    count: u64,
    failed: Option<(u64, dlock_simulation::Report)>,
}

trait Worlds: Iterator<Item = u64> + Sized {
    /// Runs the worlds until one is violated, or they took enough turns. A single world that is looked at is always shown.
    fn try_fold_figures(self, options: &Options, enough: u64) -> Half {
        let mut half = Half { figures: Figures::default(), count: 0, failed: None };
        for place in self {
            let seed = options.seed + place;
            let report = run(&Options { seed, ..*options });
            half.figures += report.figures;
            half.count += 1;
            if report.violation.is_some() || options.trace {
                FOUND.store(true, Ordering::Relaxed);
                half.failed = Some((seed, report));
                break;
            }
            if FOUND.load(Ordering::Relaxed) || enough > 0 && half.figures.acquisitions >= enough {
                break;
            }
        }
        half
    }
}

impl<I: Iterator<Item = u64>> Worlds for I {}
