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
--weakness NAME    do something wrong on purpose
--trace            print the time line
--svg FILE         draw the last 50 ms";

fn main() -> ExitCode {
    let words = env::args().skip(1).collect::<Vec<_>>();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name: &str, otherwise: u64| {
        value(name).map_or(otherwise, |text| text.replace('_', "").parse().expect("a number"))
    };
    let has = |name: &str| words.iter().any(|word| word == name);
    if has("--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let kind = value("--kind").map(|name| one_of(&Kind::ALL, name));
    let weakness = value("--weakness").map(|name| one_of(Weakness::ALL, name));
    let (seed, acquisitions, trace) =
        (number("--seed", 1), number("--acquisitions", 2_000), has("--trace") || has("--svg"));
    let options = Options { seed, acquisitions, kind, weakness, trace, ..Options::default() };
    let options = Options { hot: value("--hot").map(|_| number("--hot", 0)), ..options };
    let total = number("--total", u64::MAX);
    let began = Instant::now();
    let all = worlds(&options, number("--seeds", if has("--total") { u64::MAX } else { 1 }), total);
    let mut code = ExitCode::SUCCESS;
    if let Some((seed, report)) = all.shown {
        if has("--trace") {
            report.trace.iter().for_each(|entry| println!("{entry}"));
        }
        println!("seed {seed}: {:?}\n{}", report.violation, report.plan);
        if let Some(file) = value("--svg") {
            fs::write(file, svg(&report.trace)).expect("a file");
        }
        code = if report.violation.is_some() { ExitCode::FAILURE } else { code };
    }
    println!("{}{:>14}  worlds\n{:>14.1}  seconds", all.figures, all.count, began.elapsed().as_secs_f64());
    code
}

fn one_of<T: Copy + Debug>(all: &[T], name: &str) -> T {
    let known = all.iter().copied().find(|one| format!("{one:?}") == name);
    known.unwrap_or_else(|| panic!("one of {all:?}"))
}
