//! Explores a scenario to the end, or until it finds what it looks for.

use std::{fmt, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::{Action, Protocol, Scenario};

/// What an exploration came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many states were reached, and so on.
    figures: String,
    /// Properties that do not hold, each with the steps to a state that shows it.
    pub broken: Vec<(&'static str, Vec<Action>)>,
}

/// Explores all of a scenario.
pub fn explore(scenario: Scenario) -> Report {
    run(Protocol { scenario, only: None }, 2)
}

/// Looks for the shortest way to break one property. One thread, so that the first way found is the shortest.
pub fn find(scenario: Scenario, property: &'static str) -> Report {
    run(Protocol { scenario, only: Some(property) }, 1)
}

fn run(protocol: Protocol, threads: usize) -> Report {
    let start = Instant::now();
    let found = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, unique, depth) = (found.state_count(), found.unique_state_count(), found.max_depth());
    let seconds = start.elapsed().as_secs_f64();
    Report {
        figures: format!("{states} states, {unique} of them different, depth {depth}, {seconds:.1} s"),
        broken: found.discoveries().into_iter().map(|(property, path)| (property, path.into_actions())).collect(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.figures)?;
        for (property, steps) in &self.broken {
            write!(f, "\nbroken: {property}, in {} steps", steps.len())?;
            steps.iter().try_for_each(|step| write!(f, "\n    {step:?}"))?;
        }
        Ok(())
    }
}
