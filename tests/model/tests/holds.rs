//! The protocol as it is: every scenario is explored to the end, and nothing is broken. And the protocol without one of its
//! rules: each time, the shortest way to what goes wrong is found.
//!
//! The full sizes take minutes and some gigabytes, one at a time:
//! `DLOCK_FULL=1 cargo test --release -p dlock-model --test holds scenarios -- --nocapture --test-threads 1`.

use std::time::Instant;

use dlock_model::{BACKED, EXCLUSION, FENCES, LATEST, MARKED, Mishap::*, QUEUE, SETTLES, Scenario, Task, YIELDS};
use stateright::{Checker, HasDiscoveries, Model};

/// Asks for a lease of so many ticks, and renews it.
const fn renewing(ttl: u8) -> Task {
    Task { ttl, renew: true, fenced: true }
}

/// The same, and does not look at its fence.
const fn unfenced(ttl: u8) -> Task {
    Task { fenced: false, ..renewing(ttl) }
}

/// Asks for a lease of so many ticks that its turn does not outlive.
const fn bounded(ttl: u8) -> Task {
    Task { renew: false, ..renewing(ttl) }
}

/// Two clients with a task each.
const TWO: &[&[Task]] = &[&[renewing(2)], &[renewing(2)]];
/// Two clients, one of which has two tasks.
const THREE_TASKS: &[&[Task]] = &[&[renewing(2), renewing(2)], &[renewing(2)]];

/// Explores a scenario until that is found, or to the end. Which properties do not hold.
fn explore(name: &str, scenario: Scenario, until: HasDiscoveries) -> Vec<&'static str> {
    let start = Instant::now();
    // With one thread, the first way that is found to break a property is the shortest.
    let threads = if matches!(until, HasDiscoveries::AnyFailures) { 2 } else { 1 };
    let found = scenario.checker().threads(threads).finish_when(until).spawn_bfs().join();
    let (states, unique, depth) = (found.state_count(), found.unique_state_count(), found.max_depth());
    println!("{name}: {states} states, {unique} of them different, depth {depth}, {:.1?}", start.elapsed());
    let broken = found.discoveries();
    for (property, path) in &broken {
        println!("broken: {property}");
        path.clone().into_actions().iter().for_each(|step| println!("    {step:?}"));
    }
    broken.into_keys().collect()
}

macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident($until:literal): $clients:expr, $mishaps:expr $(, $size:ident: $number:expr)*;)*) => {
        $($(#[$doc])*
        fn $name(until: u8) -> Scenario {
            const CLIENTS: &[&[Task]] = $clients;
            Scenario { $($size: $number,)* ..Scenario::of(CLIENTS, &$mishaps, until) }
        })*

        mod scenarios {
            $(#[test]
            fn $name() {
                let until = dlock_testkit::full($until + 1, $until);
                let name = format!("{} until {until}", stringify!($name));
                let broken = super::explore(&name, super::$name(until), super::HasDiscoveries::AnyFailures);
                assert!(broken.is_empty(), "{broken:?} in {name}");
            })*
        }
    };
}

// Behind each name the last tick, which is one more in full; then the clients, what bad may happen once, and other sizes than usual.
scenarios! {
    slow(3): THREE_TASKS, [];
    /// A client needs more fences than are reserved at once.
    refill(3): THREE_TASKS, [], block: 1, turns_when_contended: 2;
    disordered(3): TWO, [Stray, Repeat];
    crash(3): TWO, [Crash, Loss];
    crash_of_three(2): &[&[renewing(2)], &[renewing(2)], &[renewing(2)]], [Crash];
    cancel(2): &[&[renewing(3)], &[renewing(3)]], [Cancel, Stray];
    /// Tasks of one client ask for different TTLs, and another for a turn that is not renewed.
    terms(3): &[&[renewing(4), renewing(2)], &[bounded(2)]], [];
    bounded_turn(3): &[&[renewing(4), bounded(2)], &[renewing(2)]], [];
    /// A lease is shortened for one turn and prolonged for the next, which needs all of it; and a request is carried out late.
    shortening(5): &[&[renewing(4), renewing(2), bounded(4)]], [Stray];
    /// The same, but somebody else has the lock meanwhile.
    shortening_of_another(2): &[&[renewing(4), renewing(2)], &[renewing(4)]], [Stray];
    /// Clients take a free lock by a plain command.
    unfenced_turns(3): &[&[unfenced(2), unfenced(2)], &[unfenced(2)]], [];
    fenced_later(3): &[&[unfenced(2), renewing(2)], &[unfenced(2)]], [];
    unfenced_lossy(3): &[&[unfenced(2)], &[unfenced(2)]], [Loss];
    /// The replica becomes the master at any time, and what it has is of any time before; a guard keeps it closed until then.
    failover(3): TWO, [Failover], guarded: true;
    /// The same, and the clock of the new master is behind, so that what it has lasts longer there.
    failover_to_a_late_clock(3): TWO, [Failover], guarded: true, behind: 1;
    /// A request is carried out late, such as the renewal of a lock that went on to somebody else.
    failover_with_late_requests(1): THREE_TASKS, [Failover, Stray], block: 1, guarded: true;
    /// Who gave the lock back says so again.
    failover_of_four_tasks(1): &[&[renewing(2), renewing(2)], &[renewing(2), renewing(2)]], [Failover], guarded: true;
    /// Nobody looks at fences, and locks come back by them all the same.
    failover_of_unfenced(2): &[&[unfenced(2)], &[unfenced(2)]], [Failover], guarded: true;
    /// The key's slot leaves the new master for a server that is open.
    failover_and_a_move(3): TWO, [Failover, Move], guarded: true;
}

macro_rules! weakened {
    ($($name:ident: $($scenario:expr, $property:expr),+;)*) => {
        $(#[test]
        fn $name() {
            $({
                let scenario = Scenario { weakened: stringify!($name), ..$scenario };
                let broken = explore(stringify!($name), scenario, HasDiscoveries::AllOf([$property].into()));
                assert!(broken.contains(&$property), "it is not noticed");
            })+
        })*
    };
}

weakened! {
    a_deadline_from_the_reply: slow(4), EXCLUSION;
    a_deadline_from_the_message: slow(4), EXCLUSION;
    a_deadline_from_the_last_request_instead_of_the_last_answered: slow(4), EXCLUSION;
    a_stale_message_that_is_believed: slow(4), EXCLUSION;
    a_release_without_a_look_at_the_token: slow(4), EXCLUSION;
    a_renewal_without_a_look_at_the_token: shortening_of_another(3), BACKED;
    a_renewal_that_shortens: terms(4), EXCLUSION;
    a_hand_over_to_the_dead: crash(4), SETTLES;
    a_queue_that_is_jumped: slow(4), QUEUE;
    a_waiter_that_does_not_mark_the_lock: slow(3), MARKED;
    a_mark_that_is_lost_by_more_fences: refill(4), MARKED;
    a_mark_that_is_lost_by_a_hand_over: crash_of_three(3), MARKED;
    a_new_life_of_the_server_that_is_ignored: failover(3), FENCES;
    a_shortening_that_does_not_cap_later_grants: shortening(5), BACKED;
    a_lease_that_is_kept_though_it_stays_too_short: shortening(5), SETTLES;
    a_cancelled_request_that_is_forgotten: cancel(2), SETTLES;
    a_cancelled_request_that_is_released_once: cancel(2), SETTLES;
    a_sleeper_without_a_deadline_of_its_own: slow(3), SETTLES;
    a_deadline_without_margin: slow(3), EXCLUSION;
    a_holder_that_forgets_that_somebody_waits: slow(3), YIELDS;
    a_plain_command_that_takes_what_is_taken: unfenced_turns(3), BACKED;
    a_plain_command_that_is_put_again: unfenced_lossy(3), SETTLES;
    a_hand_over_whose_fence_is_given_out_again: unfenced_turns(3), BACKED;
    a_failover_without_a_guard: failover(3), EXCLUSION;
    a_quarantine_that_is_too_short: failover(3), EXCLUSION;
    a_slot_of_a_closed_server_that_is_taken_for_open: failover_and_a_move(3), EXCLUSION;
    an_epoch_that_is_kept_over_connections: failover(3), EXCLUSION;
    a_hand_over_while_closed: failover_of_four_tasks(2), EXCLUSION;
    a_grant_that_is_repeated_while_closed: failover_to_a_late_clock(3), EXCLUSION;
    a_message_of_a_former_master_that_is_believed: failover_to_a_late_clock(4), BACKED;
    a_hold_that_comes_back_without_a_look_at_fences: failover_with_late_requests(1), LATEST;
}
