//! How long a crate with 1,000 annotated functions takes to compile, beside the same crate with the calls written by hand,
//! and with no lock at all.
//!
//! The three are members of one workspace below `target`. What they depend on is built before; then each is compiled anew
//! and alone, without incremental compilation, all three in turns. The time of a round is that of the whole of `cargo
//! check` or `cargo build`; beside it stands the processor's time, which other work on the machine changes less.

mod functions;
mod workspace;

use std::time::Duration;

use dlock_benches::{Bench, Outcome, Spread, Table, Unit, percentile, rounds};

use functions::Side;
use workspace::{Took, Workspace};

/// In each crate.
const FUNCTIONS: usize = 1000;

fn main() -> Outcome<()> {
    let about = "1,000 functions by attribute, by hand, without a lock";
    let Some(mut bench) = Bench::without_server("compile_times", about) else { return Ok(()) };
    let workspace = Workspace::create(FUNCTIONS)?;
    let mut table =
        Table::new(["command", "by attribute s", "by hand s", "no lock s", "attribute / hand", "processor's time"]);
    for verb in ["check", "build"] {
        let measured = measure(&workspace, verb, rounds(5))?;
        let median = |side: Side| {
            let seconds: Vec<f64> = measured.of(side).iter().map(|took| took.wall.as_secs_f64()).collect();
            format!("{:.2}", percentile(&seconds, 50))
        };
        let (wall, processor) = (measured.ratio(|took| took.wall), measured.ratio(|took| took.processor));
        let [attribute, hand, none] = Side::ALL.map(median);
        let [by_wall, by_processor] = [wall, processor].map(|ratio| format!("{:.3}", ratio.median));
        table.line([format!("cargo {verb}"), attribute, hand, none, by_wall, by_processor]);
        bench.figure(format!("cargo {verb} beside the calls by hand"), wall, Unit::Ratio);
        bench.figure(format!("cargo {verb} beside the calls by hand, processor's time"), processor, Unit::Ratio);
    }
    table.print();
    bench.finish()
}

/// What each round took, by side.
struct Measured([Vec<Took>; 3]);

impl Measured {
    fn of(&self, side: Side) -> &[Took] {
        &self.0[side as usize]
    }

    fn ratio(&self, part: impl Fn(&Took) -> Duration) -> Spread {
        let seconds = |side| self.of(side).iter().map(|took| part(took).as_secs_f64()).collect::<Vec<f64>>();
        Spread::of_ratios(&seconds(Side::Attribute), &seconds(Side::Hand))
    }
}

/// Each round begins with another side.
fn measure(workspace: &Workspace, verb: &str, rounds: usize) -> Outcome<Measured> {
    let mut measured = Measured(Default::default());
    for round in 0..rounds {
        for turn in 0..Side::ALL.len() {
            let side = Side::ALL[(round + turn) % Side::ALL.len()];
            let took = workspace.compile(side, verb)?;
            measured.0[side as usize].push(took);
        }
    }
    Ok(measured)
}
