//! Runs worlds one after the other until enough turns were taken: `--acquisitions 20000000 --seed 1`.

use std::{process::ExitCode, time::Instant};

use dlock_simulation::{Figures, Options, run};

const USAGE: &str = "usage: dlock-simulation [--acquisitions N] [--seed N] [--each N] [--trace]
  --acquisitions  how many turns in all (default 1,000,000)
  --seed          the seed of the first world (default 1); the next ones follow
  --each          after how many turns a world comes to its end (default 250,000)
  --trace         one world only, and what happened in it";

fn main() -> ExitCode {
    let Some(wish) = Wish::parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let mut all = Figures::default();
    let (mut seed, mut violations) = (wish.seed, 0_u64);
    while all.acquisitions < wish.acquisitions {
        let options = Options { seed, acquisitions: wish.each, trace: wish.trace, ..Options::default() };
        let report = run(options);
        all += report.figures;
        for line in &report.lines {
            println!("{line}");
        }
        if let Some(violation) = &report.violation {
            violations += 1;
            println!("seed {seed}: {violation:?}\n  {}", report.plan);
        }
        if wish.trace {
            println!("hash {:016x}", report.hash);
            break;
        }
        seed += 1;
    }
    println!("{all}{:>14}  worlds", seed - wish.seed);
    println!("{:>14.1}  s of wall time", begun.elapsed().as_secs_f64());
    println!("{violations:>14}  violations");
    ExitCode::from(u8::from(violations > 0))
}

struct Wish {
    acquisitions: u64,
    seed: u64,
    each: u64,
    trace: bool,
}

impl Wish {
    fn parse() -> Option<Self> {
        let mut wish = Self { acquisitions: 1_000_000, seed: 1, each: 250_000, trace: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next()?.replace(['_', ','], "").parse().ok();
            match word.as_str() {
                "--acquisitions" => wish.acquisitions = number()?,
                "--seed" => wish.seed = number()?,
                "--each" => wish.each = number()?,
                "--trace" => wish.trace = true,
                _ => return None,
            }
        }
        Some(wish)
    }
}
