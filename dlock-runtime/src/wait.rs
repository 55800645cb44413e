//! How a request waits for a lock that somebody else holds: it asks again and again.
//!
//! The pauses grow from a few milliseconds to a quarter of a second, are jittered so that waiters do not come in
//! step, and never outlast the holder's lease. In a process only one task
//! at a time does so for a lock; the others stand in line behind it (`gate.rs`).

use std::{
    future::pending,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::options::Wait;

const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(250);

/// One request's time for waiting. It runs on tokio's clock, so that tests can pause it.
pub(crate) struct Patience {
    began: Instant,
    ends: Option<Instant>,
    pause: Duration,
    random: RandomState,
}

impl Patience {
    pub(crate) fn new(wait: Wait) -> Self {
        let began = Instant::now();
        let ends = match wait {
            Wait::For(bound) => began.checked_add(bound),
            Wait::Forever => None,
        };
        Self { began, ends, pause: SHORTEST, random: RandomState::new() }
    }

    /// How long it has lasted.
    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.ends.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Waits until it is worth asking again, or `nudge` comes; false if there is no time left for that. `remaining` is
    /// how long the holder's lease lasts yet, if somebody holds the lock.
    pub(crate) async fn pause_or(&mut self, remaining: Option<Duration>, nudge: impl Future<Output = ()>) -> bool {
        if self.left().is_zero() {
            return false;
        }
        let longest = remaining.unwrap_or(LONGEST).min(LONGEST);
        // Between half of the pause and all of it.
        let share = self.random.hash_one(self.pause) as u32;
        let jittered = self.pause.mul_f64(0.5 + f64::from(share) / f64::from(u32::MAX) / 2.0);
        let nap = jittered.min(longest).max(Duration::from_millis(1)).min(self.left());
        match timeout(nap, nudge).await {
            Ok(()) => self.pause = SHORTEST,
            Err(_) => self.pause = (self.pause * 3 / 2).min(LONGEST),
        }
        true
    }

    /// Waits until it is worth asking again.
    pub(crate) async fn pause(&mut self, remaining: Option<Duration>) -> bool {
        self.pause_or(remaining, pending()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_it_should_and_not_later() {
        let bound = Duration::from_secs(3);
        let mut patience = Patience::new(bound.into());
        while patience.pause(None).await {}
        assert_eq!(patience.waited(), bound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_asks_when_the_holders_lease_ends_and_at_least_four_times_a_second() {
        let mut patience = Patience::new(Wait::Forever);
        for _ in 0..40 {
            patience.pause(None).await;
        }
        let before = Instant::now();
        patience.pause(None).await;
        assert!(before.elapsed() <= LONGEST + Duration::from_millis(1), "{:?}", before.elapsed());
        let before = Instant::now();
        patience.pause(Some(Duration::from_millis(30))).await;
        assert!(before.elapsed() <= Duration::from_millis(31), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_do_not_go_in_step() {
        let mut naps = std::collections::HashSet::new();
        for _ in 0..20 {
            let mut patience = Patience::new(Wait::Forever);
            for _ in 0..12 {
                patience.pause(None).await;
            }
            naps.insert(patience.waited());
        }
        assert!(naps.len() > 5, "{naps:?}");
    }
}
