//! How a request waits for a lock that somebody else holds.
//!
//! A holder of our kind hands the lock over and tells us, so there is nothing to do but to listen. But messages get lost
//! and holders die, so that every sleeper wakes at the latest when the holder's lease ends, and at least four times a
//! second, and asks. Of others nothing is heard: there the pauses grow from a few milliseconds to a quarter of a second,
//! jittered so that waiters do not come in step.

use std::{
    future::pending,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::types::options::Wait;

const SHORTEST: Duration = Duration::from_millis(2);
pub(crate) const LONGEST: Duration = Duration::from_millis(250);

/// One request's time for waiting. It runs on tokio's clock, so that tests can pause it.
pub(crate) struct Patience {
    began: Instant,
    ends: Option<Instant>,
    pause: Duration,
    random: RandomState,
}

impl Patience {
    /// One that has lasted for `waited` already.
    pub(crate) fn new(wait: Wait, waited: Duration) -> Self {
        let now = Instant::now();
        let began = now.checked_sub(waited).unwrap_or(now);
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

    /// Whether there is no time at all.
    pub(crate) fn is_none(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits until it is worth asking again; false if there is no time left for that. `remaining` is how long the
    /// holder's lease lasts yet, if somebody holds the lock; `is_told` whether that is to come by `news`. That was known
    /// `age` ago.
    pub(crate) async fn listen(
        &mut self,
        remaining: Option<Duration>,
        is_told: bool,
        age: Duration,
        news: impl Future<Output = ()>,
    ) -> bool {
        if self.is_none() {
            return false;
        }
        let share = self.random.hash_one(self.waited()) as u32;
        let jitter = f64::from(share) / f64::from(u32::MAX);
        let nap = match remaining {
            _ if !is_told => self.pause.mul_f64(0.5 + jitter / 2.0).min(remaining.unwrap_or(LONGEST)),
            // A lease is over a little after its time.
            Some(left) if left < LONGEST => left + SHORTEST.mul_f64(jitter),
            _ => LONGEST.mul_f64(0.8 + jitter / 5.0),
        };
        let nap = nap.saturating_sub(age).max(Duration::from_millis(1)).min(LONGEST).min(self.left());
        match timeout(nap, news).await {
            Ok(()) => self.pause = SHORTEST,
            Err(_) => self.pause = (self.pause * 3 / 2).min(LONGEST),
        }
        true
    }

    /// Waits until it is worth asking again, where nothing is heard.
    pub(crate) async fn pause(&mut self, remaining: Option<Duration>) -> bool {
        self.listen(remaining, false, Duration::ZERO, pending()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_it_should_and_not_later() {
        let bound = Duration::from_secs(3);
        let mut patience = Patience::new(bound.into(), Duration::ZERO);
        while patience.pause(None).await {}
        assert_eq!(patience.waited(), bound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_asks_when_the_holders_lease_ends_and_at_least_four_times_a_second() {
        let mut patience = Patience::new(Wait::Forever, Duration::ZERO);
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
            let mut patience = Patience::new(Wait::Forever, Duration::ZERO);
            for _ in 0..12 {
                patience.pause(None).await;
            }
            naps.insert(patience.waited());
        }
        assert!(naps.len() > 5, "{naps:?}");
    }
}
