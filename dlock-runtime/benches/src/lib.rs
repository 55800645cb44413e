//! What the benchmarks of dlock have in common.
//!
//! `cargo bench -p dlock-benches` runs every case and then writes `REPORT.md` and `report.svg` beside this package's
//! manifest; `--bench uncontended` runs one case. With `DLOCK_BENCH_QUICK=1` everything is short, and the report goes
//! to `target/dlock-bench` instead, because its figures are not worth keeping.
//!
//! All sides of a case take turns in short rounds of one run on one fresh `redis-server`, so that a drift of the
//! machine meets all of them, and the figures that count are ratios within a round. No case asserts a time.

mod bench;
mod bounds;
mod chart;
mod clock;
mod commands;
mod contest;
mod crew;
mod figure;
mod goals;
mod load;
mod machine;
mod page;
mod random;
mod settings;
mod sides;
mod stats;
mod table;

pub use bench::{Bench, Outcome, brief, folder, rounds, span};
pub use clock::{now, processor_time, sleep_until};
pub use commands::{Commands, Meter};
pub use contest::{Contest, Rival, Standing, compete};
pub use crew::{Crew, Orders, role, tell};
pub use figure::{Figure, Unit};
pub use load::{Keys, Load, Tally, Until};
pub use machine::keeper_time;
pub use page::write as write_report;
pub use random::Random;
pub use settings::{Setting, dlock};
pub use sides::{Bare, Dlock, Floor, Locker, Rslock, Unfenced};
pub use stats::{Histogram, Spread, percentile};
pub use table::Table;
