//! Explores a scenario to the end, or until it finds what it looks for.

use std::{
    fmt,
    time::{Duration, Instant},
};

use stateright::{Checker, HasDiscoveries, Model};

use crate::{Action, Protocol, Scenario};

/// What an exploration came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// States that were reached, each as often as it was.
    pub states: usize,
    /// Different states.
    pub unique: usize,
    /// The most steps from the start to a state, where each is reached by the shortest way that was found.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// Properties that do not hold, each with the steps to a state that shows it.
    pub broken: Vec<Counterexample>,
}

/// The steps to a state in which a property does not hold.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The property.
    pub property: &'static str,
    /// What happens.
    pub steps: Vec<Action>,
}

/// Explores all of a scenario.
pub fn explore(scenario: Scenario) -> Report {
    run(Protocol::new(scenario), 2)
}

/// Looks for the shortest way to break one property. One thread, so that the first way found is the shortest.
pub fn find(scenario: Scenario, property: &'static str) -> Report {
    run(Protocol { only: Some(property), ..Protocol::new(scenario) }, 1)
}

fn run(protocol: Protocol, threads: usize) -> Report {
    let start = Instant::now();
    let checker = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut broken: Vec<_> = checker
        .discoveries()
        .into_iter()
        .map(|(property, path)| Counterexample { property, steps: path.into_actions() })
        .collect();
    broken.sort_by_key(|found| (found.steps.len(), found.property));
    Report {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        time: start.elapsed(),
        broken,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, unique, depth, time, broken } = self;
        let seconds = time.as_secs_f64();
        write!(f, "{states} states, {unique} of them different, depth {depth}, {seconds:.1} s")?;
        broken.iter().try_for_each(|found| write!(f, "\n{found}"))
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}, in {} steps", self.property, self.steps.len())?;
        self.steps.iter().try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}
