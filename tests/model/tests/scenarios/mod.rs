//! The scenarios that are explored to the end, and in which the weakened variants are caught.
//!
//! `until` is the last tick. With a TTL of two ticks, a lease of tick 1 expires at tick 3.

use dlock_model::{Mishaps, Scenario, Task};

/// Asks for a lease of so many ticks, and renews it.
pub(crate) const fn renewing(ttl: u8) -> Task {
    Task { ttl, renew: true }
}

/// Asks for a lease of so many ticks that its turn does not outlive.
pub(crate) const fn bounded(ttl: u8) -> Task {
    Task { ttl, renew: false }
}

const NONE: Mishaps =
    Mishaps { crashes: 0, cancels: 0, losses: 0, strays: 0, repeats: 0, foreign: 0, clocks: 0, promotions: 0 };

/// Two clients, one of which has two tasks; packets and clients are slow, nothing else.
pub(crate) fn slow(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(2), renewing(2)], &[renewing(2)]]).until(until)
}

/// A request, a reply or a message is lost.
pub(crate) fn lossy(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(2)], &[renewing(2)]]).until(until).with(Mishaps { losses: 1, ..NONE })
}

/// A client needs more fences than are reserved at once.
pub(crate) fn refill(until: u8) -> Scenario {
    let scenario = Scenario::of(&[&[renewing(2), renewing(2)], &[renewing(2)]]).until(until);
    Scenario { block: 1, turns_when_wanted: 2, ..scenario }
}

/// The fence clock is lost, while it is behind the time.
pub(crate) fn lost_clock(until: u8) -> Scenario {
    let scenario = Scenario::of(&[&[renewing(2)], &[renewing(2)]]).until(until);
    Scenario { fences_per_tick: 20, ..scenario.with(Mishaps { clocks: 1, ..NONE }) }
}

/// A packet arrives after later ones, and a message twice.
pub(crate) fn disordered(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(2)], &[renewing(2)]]).until(until).with(Mishaps { strays: 1, repeats: 1, ..NONE })
}

/// One of two clients crashes, and a packet is lost.
pub(crate) fn crash(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(2)], &[renewing(2)]]).until(until).with(Mishaps { crashes: 1, losses: 1, ..NONE })
}

/// One of three clients crashes.
pub(crate) fn crash_of_three(until: u8) -> Scenario {
    let one: &[Task] = &[renewing(2)];
    Scenario::of(&[one, one, one]).until(until).with(Mishaps { crashes: 1, ..NONE })
}

/// A client cancels, and a request is carried out late.
pub(crate) fn cancel(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(3)], &[renewing(3)]]).until(until).with(Mishaps { cancels: 1, strays: 1, ..NONE })
}

/// Tasks of one client ask for different TTLs, and another for a turn that is not renewed.
pub(crate) fn terms(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(4), renewing(2)], &[bounded(2)]]).until(until)
}

/// A turn that is not renewed comes after one that is, on the same lease.
pub(crate) fn bounded_turn(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(4), bounded(2)], &[renewing(2)]]).until(until)
}

/// A lease is shortened for one turn and prolonged for the next, which needs all of it; and a request is carried out late.
pub(crate) fn shortening(until: u8) -> Scenario {
    let tasks = [renewing(4), renewing(2), bounded(4)];
    Scenario::of(&[&tasks]).until(until).with(Mishaps { strays: 1, ..NONE })
}

/// As [`shortening`], but somebody else has the lock meanwhile.
pub(crate) fn shortening_of_another(until: u8) -> Scenario {
    let tasks = [renewing(4), renewing(2)];
    Scenario::of(&[&tasks, &[renewing(4)]]).until(until).with(Mishaps { strays: 1, ..NONE })
}

/// A client of another kind takes the key when it is free, which it is when who was handed it hands it on in a later tick.
pub(crate) fn foreign(until: u8) -> Scenario {
    let scenario = Scenario::of(&[&[renewing(2), renewing(2)], &[renewing(2)]]).until(until);
    Scenario { free_every: 1, ..scenario.with(Mishaps { foreign: 1, ..NONE }) }
}

/// A client listens at a replica, until it notices.
pub(crate) fn replica(until: u8) -> Scenario {
    let scenario = Scenario::of(&[&[renewing(2), renewing(2)], &[renewing(2)]]).until(until);
    Scenario { at_replica: 1, ..scenario }
}

/// The replica becomes the master, with all writes or without the last one, and nobody's subscription moves by itself.
pub(crate) fn promotion(until: u8) -> Scenario {
    Scenario::of(&[&[renewing(2)], &[renewing(2)]]).until(until).with(Mishaps { promotions: 1, ..NONE })
}

/// The same with one who listens at the replica beforehand.
pub(crate) fn promotion_of_a_listener(until: u8) -> Scenario {
    Scenario { at_replica: 1, ..promotion(until) }
}
