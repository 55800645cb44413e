//! What the figures should be. A goal that is not reached is reported, it fails nothing.

use crate::{
    Figure,
    figure::{Unit, exactly},
};

/// Where a figure should lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

impl Bound {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            AtLeast(bound) => value >= bound,
            AtMost(bound) => value <= bound,
        }
    }

    pub(crate) fn value(self) -> f64 {
        match self {
            AtLeast(bound) | AtMost(bound) => bound,
        }
    }

    pub(crate) fn shown(self, unit: Unit) -> String {
        match self {
            AtLeast(bound) => format!("≥ {}", exactly(bound, unit)),
            AtMost(bound) => format!("≤ {}", exactly(bound, unit)),
        }
    }
}

/// Case, figure, and where it should lie.
pub(crate) type Goal = (&'static str, &'static str, Bound);

pub(crate) const GOALS: &[Goal] = &[
    ("hot_key_one_process", "64 tasks: throughput beside rslock", AtLeast(300.)),
    ("hot_key_one_process", "64 tasks: throughput beside a mutex", AtLeast(0.4)),
    ("hot_key_one_process", "64 tasks: throughput beside a mutex, waits measured on both sides", AtLeast(0.35)),
    ("hot_key_one_process", "64 tasks: commands an acquisition", AtMost(0.001)),
    ("hot_key_one_process", "64 tasks: fewest/most acquisitions of a task", AtLeast(0.95)),
    ("hot_key_one_process", "64 tasks: worst wait", AtMost(10.)),
    ("hot_key_one_process", "256 tasks: throughput beside rslock", AtLeast(300.)),
    ("hot_key_one_process", "256 tasks: throughput beside a mutex", AtLeast(0.4)),
    ("hot_key_one_process", "256 tasks: commands an acquisition", AtMost(0.001)),
    ("hot_key_one_process", "256 tasks: fewest/most acquisitions of a task", AtLeast(0.95)),
    ("hot_key_one_process", "256 tasks: worst wait", AtMost(10.)),
    ("hot_key_processes", "default: throughput beside rslock", AtLeast(100.)),
    ("hot_key_processes", "default: shares of processes off by", AtMost(5.)),
    ("hot_key_processes", "default: worst wait", AtMost(25.)),
    ("hot_key_processes", "default: tasks starved", AtMost(0.)),
    ("hot_key_processes", "throughput: throughput beside rslock", AtLeast(300.)),
    ("hot_key_single_tasks", "throughput beside rslock", AtLeast(1.2)),
    ("hot_key_single_tasks", "throughput beside rslock, fixed work", AtLeast(4.)),
    ("hot_key_single_tasks", "worst wait", AtMost(20.)),
    ("hot_key_single_tasks", "client commands an acquisition", AtMost(2.)),
    ("waiters", "client commands: 64 waiters beside 4", AtMost(1.1)),
    ("hand_over", "p50 beside a round trip", AtMost(2.5)),
    ("hand_over", "p50: times faster than rslock", AtLeast(100.)),
    ("hand_over", "max", AtMost(3.)),
    ("uncontended", "time beside the floor", AtMost(1.2)),
    ("uncontended", "time without a fence beside the floor", AtMost(1.05)),
    ("uncontended", "time with confirm_release(false), without a fence, beside the floor", AtMost(0.55)),
    ("uncontended", "several threads: time without a fence beside the floor", AtMost(1.05)),
    ("linger", "time beside the floor", AtMost(0.005)),
    ("many_keys", "64 tasks: throughput beside rslock", AtLeast(1.1)),
    ("many_keys", "64 tasks: throughput without fences beside rslock", AtLeast(1.25)),
    ("many_keys", "64 tasks: throughput beside the floor", AtLeast(1.1)),
    ("many_keys", "64 tasks: throughput without fences beside the floor", AtLeast(1.25)),
    ("many_keys", "64 tasks: processor's time of Redis a cycle beside the floor", AtMost(1.3)),
    ("many_keys", "64 tasks: processor's time of Redis a cycle without fences beside the floor", AtMost(1.)),
    ("many_keys", "512 tasks: throughput beside rslock", AtLeast(1.3)),
    ("many_keys", "512 tasks: throughput without fences beside rslock", AtLeast(1.6)),
    ("many_keys", "512 tasks: throughput beside the floor", AtLeast(1.3)),
    ("many_keys", "512 tasks: throughput without fences beside the floor", AtLeast(1.6)),
    ("many_keys", "512 tasks: processor's time of the client a cycle beside the floor", AtMost(0.6)),
    ("many_keys", "512 tasks: processor's time of the client a cycle without fences beside the floor", AtMost(0.6)),
    ("many_keys", "512 tasks: processor's time of Redis a cycle beside the floor", AtMost(1.3)),
    ("many_keys", "512 tasks: processor's time of Redis a cycle without fences beside the floor", AtMost(1.)),
    ("cluster", "with fences: client's cost a cycle beside one server", AtMost(1.15)),
    ("cluster", "without fences: client's cost a cycle beside one server", AtMost(1.15)),
    ("cancellation", "keys left behind", AtMost(0.)),
    ("cancellation", "cancelled: acquired by another process, p99", AtMost(2.)),
    ("cancellation", "dropped: acquired by another process, p99", AtMost(2.)),
    ("leases", "lost", AtMost(0.)),
    ("leases", "keeper, share of a core", AtMost(25.)),
    ("leases", "memory a lease, allocated", AtMost(700.)),
    ("leases", "memory a lease, resident", AtMost(700.)),
    ("attribute", "time beside the call by hand", AtMost(1.02)),
    ("compile_times", "cargo check beside the calls by hand", AtMost(1.25)),
    ("compile_times", "cargo build beside the calls by hand", AtMost(1.25)),
];

impl Figure {
    /// Where it should lie, if that was said.
    pub(crate) fn goal(&self) -> Option<Bound> {
        GOALS.iter().find(|(case, name, _)| *case == self.case && *name == self.name).map(|(_, _, bound)| *bound)
    }

    /// Whether it should lie somewhere else.
    pub(crate) fn is_missed(&self) -> bool {
        self.goal().is_some_and(|bound| !bound.is_met(self.spread.median))
    }
}
