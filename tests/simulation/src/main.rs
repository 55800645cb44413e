//! Runs worlds: `cargo run --release -p dlock-simulation -- --help`.

use std::{env, fmt::Debug, fs, process::ExitCode, time::Instant};

use dlock_simulation::{Kind, Options, Weakness, svg, worlds};

const HELP: &str = "\
--seed N           the first seed (1)
--seeds N          how many, on two threads (1)
--acquisitions N   how many turns each world takes (2000)
--hot N            so many times as many where they take turns on one lease (20)
--total N          go on until all worlds together took so many turns
--kind NAME        worlds of one kind
--weakness NAME    do something wrong on purpose, in worlds of its kind, and look at its rule alone
--trace            print the time line
--svg FILE         draw the last 50 ms";

fn main() -> ExitCode {
    let words = env::args().skip(1).collect::<Vec<_>>();
    let place = |name: &str| words.iter().position(|word| word == name);
    let value = |name: &str| words.get(place(name)? + 1);
    let number = |name: &str| Some(value(name)?.replace('_', "").parse::<u64>().expect("a number"));
    let (traces, svg_file, total) = (place("--trace").is_some(), value("--svg"), number("--total"));
    if place("--help").is_some() {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let weakness = value("--weakness").map(|name| one_of(Weakness::ALL, name));
    let seen_by = weakness.map(Weakness::seen_by);
    let options = Options {
        seed: number("--seed").unwrap_or(1),
        acquisitions: number("--acquisitions").unwrap_or(2_000),
        hot: number("--hot"),
        kind: value("--kind").map(|name| one_of(Kind::ALL, name)).or(seen_by.clone().map(|(_, kind, _)| kind)),
        weakness,
        only: seen_by.map(|(rule, _, _)| rule),
        trace: traces || svg_file.is_some(),
    };
    let began = Instant::now();
    let count = number("--seeds").unwrap_or(if total.is_some() { u64::MAX } else { 1 });
    let all = worlds(&options, count, total.unwrap_or(u64::MAX));
    let is_violated = all.shown.as_ref().is_some_and(|report| report.violation.is_some());
    if let Some(report) = all.shown {
        report.trace.iter().filter(|_| traces).for_each(|entry| println!("{entry}"));
        println!("{:?}\n{}", report.violation, report.plan);
        if let Some(file) = svg_file {
            fs::write(file, svg(&report.trace)).expect("a file");
        }
    }
    println!("{}{:>14}  worlds\n{:>14.1}  seconds", all.figures, all.count, began.elapsed().as_secs_f64());
    if is_violated { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn one_of<T: Copy + Debug>(all: &[T], name: &str) -> T {
    let known = all.iter().copied().find(|one| format!("{one:?}") == name);
    known.unwrap_or_else(|| panic!("one of {all:?}"))
}
