//! dlock's real runtime in simulated worlds. See README.md beside this crate.
#![allow(
    missing_docs,
    reason = "only its own program and tests use it, and names say enough where nothing else is said"
)]

mod about;
mod cluster;
mod faults;
mod figures;
mod judge;
mod kind;
mod life;
mod lua;
mod net;
mod plan;
mod redis;
mod resharding;
mod resp;
mod rng;
mod sentinels;
mod serve;
mod server;
mod sim;
mod trace;
mod users;
mod weakness;
mod wire;

use std::{
    cell::Cell,
    panic,
    sync::{
        Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

pub use self::{
    figures::Figures,
    judge::{Rule, Violation},
    lua::Host,
    plan::{Fault, Kind},
    redis::{Redis, Reply},
    rng::Rng,
    trace::{Entry, Lane, svg},
    weakness::Weakness,
};
use self::{
    plan::{LONGEST_GHOST, MILLISECOND, SECOND},
    sim::Sim,
};

/// Which world, and what of it is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub seed: u64,
    /// After so many turns the world comes to rest.
    pub acquisitions: u64,
    /// So many times as many in worlds with many turns on one lease, instead of what these have by themselves.
    pub hot: Option<u64>,
    /// What kind of world it is, instead of what the seed draws.
    pub kind: Option<Kind>,
    pub weakness: Option<Weakness>,
    /// The judge looks at this rule only.
    pub only: Option<Rule>,
    /// Whether a time line is kept.
    pub trace: bool,
}

/// What came of a world.
#[derive(Debug)]
pub struct Report {
    /// The seed, and what it made.
    pub plan: String,
    pub figures: Figures,
    pub violation: Option<Violation>,
    /// Of all that happened.
    pub hash: u64,
    /// The time line, if one was asked for.
    pub trace: Vec<Entry>,
    /// How many texts of scripts were weakened.
    pub weakened: u64,
}

/// What came of many worlds.
#[derive(Debug, Default)]
pub struct Worlds {
    pub figures: Figures,
    pub count: u64,
    /// One that was violated, or whose time line was asked for.
    pub shown: Option<Report>,
}

/// Runs worlds on two threads: `count` seeds from that of `options` on, or until they took `enough` turns, or until one is to be
/// shown.
pub fn worlds(options: &Options, count: u64, enough: u64) -> Worlds {
    let (all, next) = (Mutex::new(Worlds::default()), AtomicU64::new(options.seed));
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let is_over = |all: &Worlds| all.shown.is_some() || all.figures.acquisitions >= enough;
        if seed >= options.seed.saturating_add(count) || is_over(&all.lock().expect("no panic")) {
            break;
        }
        let report = run(&Options { seed, ..*options });
        let mut all = all.lock().expect("no panic");
        all.figures += report.figures;
        all.count += 1;
        if report.violation.is_some() || options.trace {
            all.shown = Some(report);
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    all.into_inner().expect("no panic")
}

/// For how long the world goes on after nothing goes wrong any more.
const PEACE: u64 = 18 * SECOND;

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Runs a world from its first event to its last, or to the first violation.
pub fn run(options: &Options) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
    PANICS.set(0);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let tokio = tokio.expect("a tokio runtime");
    let report = tokio.block_on(live(options));
    // What is left is dropped here.
    drop(tokio);
    Sim::take();
    report
}

async fn live(options: &Options) -> Report {
    let sim = Sim::begin(options);
    let plan = format!("seed {}: {:?}", options.seed, sim.plan);
    sim.note(0, Lane::World, None, || plan.clone());
    users::begin(&sim);
    let is_violated = || {
        if PANICS.get() > 0 {
            sim.accuse(Rule::Panic, "something panicked".to_owned());
        }
        sim.judge.borrow().verdict.violation.is_some()
    };
    let turns = || sim.figures().acquisitions;
    let share = sim.plan.share;
    let acquisitions = options.acquisitions * options.hot.filter(|_| share > 1).unwrap_or(share);
    sim.go_on(|| is_violated() || turns() >= acquisitions || sim.now() >= sim.plan.duration).await;
    // They go on for a while in peace: what must happen in time is seen best then.
    let (calm, enough) = (sim.now(), turns() + acquisitions);
    sim.calm_down();
    sim.go_on(|| is_violated() || sim.now() > calm + PEACE || turns() > enough).await;
    sim.ending.set(true);
    // Some die with what they have, and nobody comes after them.
    if sim.plan.faults.iter().any(|(fault, _)| *fault == Fault::Crash) && sim.rng.borrow_mut().chance(5_000) {
        sim.strikes(Fault::Crash);
    }
    sim.calm_down();
    let end = sim.now() + 150 * SECOND;
    let restless = || {
        let lives = sim.lives.borrow();
        (0..lives.len()).filter(|life| !(lives[*life].is_dead || lives[*life].is_done)).collect::<Vec<_>>()
    };
    sim.go_on(|| is_violated() || restless().is_empty() || sim.now() > end).await;
    if !restless().is_empty() {
        sim.accuse(Rule::Rest, format!("{:?} do not come to rest", restless()));
    }
    // A process that died can be handed the lock until its seat does not count any more, and has it for one TTL.
    let end = sim.now() + sim.plan.longest_ttl() + LONGEST_GHOST + 8 * SECOND;
    sim.go_on(|| is_violated() || sim.now() > end).await;
    let now = sim.now();
    let mut left = sim.with_servers(|servers| {
        servers.tick(servers.master, now);
        servers.all()
    });
    left.retain(|name| !name.starts_with("dlock:fence-clock") && !name.starts_with("dlock:epoch"));
    if !left.is_empty() {
        sim.accuse(Rule::Residue, format!("{left:?} are left behind"));
    }
    sim.count(|figures| figures.virtual_ms = now / MILLISECOND);
    sim.over.set(true);
    let violation = sim.judge.borrow_mut().verdict.violation.take();
    if let Some(violation) = &violation {
        sim.note(violation.at, Lane::World, None, || format!("{violation:?}"));
    }
    let (hash, trace) = sim.trace.borrow_mut().end();
    let weakened = sim.with_servers(|servers| servers.weakened);
    Report { plan, figures: sim.figures(), violation, hash, trace, weakened }
}
