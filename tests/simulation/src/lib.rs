//! dlock's real runtime in simulated worlds. See README.md beside this crate.

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
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

pub use self::{
    figures::Figures,
    judge::{Rule, Violation},
    lua::{Host, Stores},
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
    /// Decides about everything.
    pub seed: u64,
    /// After so many turns the world comes to rest.
    pub acquisitions: u64,
    /// So many times as many in worlds with many turns on one lease, instead of what these have by themselves.
    pub hot: Option<u64>,
    /// What kind of world it is, instead of what the seed draws.
    pub kind: Option<Kind>,
    /// Something that is done wrong on purpose.
    pub weakness: Option<Weakness>,
    /// The judge looks at this rule only.
    pub only: Option<Rule>,
    /// Whether a time line is kept.
    pub trace: bool,
}

/// What came of a world.
#[derive(Debug)]
pub struct Report {
    /// What the seed made.
    pub plan: String,
    /// What happened, counted.
    pub figures: Figures,
    /// What must never be, and was.
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
    /// What happened in all of them.
    pub figures: Figures,
    /// How many there were.
    pub count: u64,
    /// One that was violated, or whose time line was asked for.
    pub shown: Option<(u64, Report)>,
}

/// Runs worlds on two threads: `count` seeds from that of `options` on, or until they took `enough` turns, or until one is to be
/// shown.
///
/// # Panics
/// If there is no memory for threads.
pub fn worlds(options: &Options, count: u64, enough: u64) -> Worlds {
    let is_shown = AtomicBool::new(false);
    let half = |first: u64| {
        let mut half = Worlds::default();
        for seed in (options.seed + first..options.seed.saturating_add(count)).step_by(2) {
            let report = run(&Options { seed, ..*options });
            half.figures += report.figures;
            half.count += 1;
            if report.violation.is_some() || options.trace {
                is_shown.store(true, Ordering::Relaxed);
                half.shown = Some((seed, report));
            }
            if is_shown.load(Ordering::Relaxed) || half.figures.acquisitions >= enough / 2 {
                break;
            }
        }
        half
    };
    let [mut one, other] = thread::scope(|scope| {
        [0, 1].map(|first| scope.spawn(move || half(first))).map(|half| half.join().expect("no panic"))
    });
    one.figures += other.figures;
    Worlds { count: one.count + other.count, shown: one.shown.take().or(other.shown), ..one }
}

/// For how long the world goes on after nothing goes wrong any more.
const PEACE: u64 = 18 * SECOND;

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Runs a world from its first event to its last, or to the first violation.
///
/// # Panics
/// If there is no memory for a tokio runtime.
pub fn run(options: &Options) -> Report {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
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
        sim.judge.borrow().violation.is_some()
    };
    let share = sim.plan.share;
    let acquisitions = options.acquisitions * options.hot.filter(|_| share > 1).unwrap_or(share);
    let wants = || sim.figures().acquisitions < acquisitions && sim.now() < sim.plan.duration;
    sim.go_on(|| is_violated() || !wants()).await;
    // They go on for a while in peace: what must happen in time is seen best then.
    let (calm, enough) = (sim.now(), sim.figures().acquisitions + acquisitions);
    if !sim.plan.faults.is_empty() {
        sim.calm_down();
        sim.go_on(|| is_violated() || sim.now() > calm + PEACE || sim.figures().acquisitions > enough).await;
    }
    sim.ending.set(true);
    // Some die with what they have, and nobody comes after them.
    if sim.plan.faults.iter().any(|(fault, _)| *fault == Fault::Crash) && sim.rng.borrow_mut().chance(5_000) {
        sim.strikes(Fault::Crash);
    }
    sim.calm_down();
    let (end, limit) = (sim.now(), 150 * SECOND);
    let rests = || sim.lives.borrow().iter().all(|life| life.is_dead || life.is_done);
    sim.go_on(|| is_violated() || rests() || sim.now() > end + limit).await;
    if !rests() {
        let lives = sim.lives.borrow();
        let restless = (0..lives.len()).filter(|life| !(lives[*life].is_dead || lives[*life].is_done));
        let restless = restless.collect::<Vec<_>>();
        drop(lives);
        sim.accuse(Rule::Rest, format!("{restless:?} do not come to rest"));
    }
    // A process that died can be handed the lock until its seat does not count any more, and has it for one TTL.
    let end = sim.now() + sim.plan.longest_ttl() + LONGEST_GHOST + 8 * SECOND;
    sim.go_on(|| is_violated() || sim.now() > end).await;
    let now = sim.now();
    let left = sim.with_servers(|servers| {
        servers.tick(servers.master, now);
        servers
            .all()
            .into_iter()
            .filter(|name| !name.starts_with("dlock:fence-clock") && !name.starts_with("dlock:epoch"))
            .collect::<Vec<_>>()
    });
    if !left.is_empty() {
        sim.accuse(Rule::Residue, format!("{left:?} are left behind"));
    }
    sim.count(|figures| figures.virtual_ms = now / MILLISECOND);
    sim.over.set(true);
    let violation = sim.judge.borrow_mut().violation.take();
    if let Some(violation) = &violation {
        sim.note(violation.at, Lane::World, None, || format!("{violation:?}"));
    }
    let (hash, trace) = sim.end_of_trace();
    let weakened = sim.with_servers(|servers| servers.weakened);
    Report { plan, figures: sim.figures(), violation, hash, trace, weakened }
}
