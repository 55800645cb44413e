//! How long a request waits before it asks the store again.
//!
//! A holder that uses this library hands the lock over and notifies us, so there is nothing to do but to wait for the message. But
//! messages get lost and holders die. So every waiter asks again when the holder's lease ends, and at least four times a second.
//! Other holders notify nobody. For them the pauses grow from a few milliseconds to a quarter of a second, with jitter so
//! that waiters do not ask in step.

use std::{future::pending, hash::BuildHasher, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{system::RandomState, types::options::Wait};

const SHORTEST: Duration = Duration::from_millis(2);
pub(crate) const LONGEST: Duration = Duration::from_millis(250);

/// The waiting time of one request. It runs on tokio's clock, which tests can pause.
pub(crate) struct Backoff {
    began: Instant,
    ends: Option<Instant>,
    pause: Duration,
    random: RandomState,
}

impl Backoff {
    /// For a request that has waited for `waited` already.
    pub(crate) fn new(wait: Wait, waited: Duration) -> Self {
        let now = Instant::now();
        let began = now.checked_sub(waited).unwrap_or(now);
        let ends = match wait {
            Wait::For(bound) => began.checked_add(bound),
            Wait::Forever => None,
        };
        Self { began, ends, pause: SHORTEST, random: RandomState::new() }
    }

    /// How long the request has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long it may still wait.
    pub(crate) fn time_left(&self) -> Duration {
        self.ends.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether no time is left.
    pub(crate) fn is_over(&self) -> bool {
        self.time_left().is_zero()
    }

    /// Waits until it is worth asking again; false if there is no time left for that. `remaining` is how long the holder's
    /// lease still lasts, as the store said `age` ago. `is_told` says whether `news` will come at its end.
    pub(crate) async fn wait_for(
        &mut self,
        remaining: Option<Duration>,
        is_told: bool,
        age: Duration,
        news: impl Future<Output = ()>,
    ) -> bool {
        if self.is_over() {
            return false;
        }
        let share = self.random.hash_one(self.waited()) as u32;
        let jitter = f64::from(share) / f64::from(u32::MAX);
        let pause = match remaining {
            _ if !is_told => self.pause.mul_f64(0.5 + jitter / 2.0).min(remaining.unwrap_or(LONGEST)),
            // The store ends a lease a little after its time.
            Some(left) if left < LONGEST => left + SHORTEST.mul_f64(jitter),
            _ => LONGEST.mul_f64(0.8 + jitter / 5.0),
        };
        let pause = pause.saturating_sub(age).max(Duration::from_millis(1)).min(LONGEST).min(self.time_left());
        match timeout(pause, news).await {
            Ok(()) => self.pause = SHORTEST,
            Err(_) => self.pause = (self.pause * 3 / 2).min(LONGEST),
        }
        true
    }

    /// Waits until it is worth asking again, where no message comes.
    pub(crate) async fn pause(&mut self, remaining: Option<Duration>) -> bool {
        self.wait_for(remaining, false, Duration::ZERO, pending()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_bound_and_not_later() {
        let bound = Duration::from_secs(3);
        let mut backoff = Backoff::new(bound.into(), Duration::ZERO);
        while backoff.pause(None).await {}
        assert_eq!(backoff.waited(), bound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_asks_again_when_the_holders_lease_ends_and_at_least_four_times_a_second() {
        let mut backoff = Backoff::new(Wait::Forever, Duration::ZERO);
        for _ in 0..40 {
            backoff.pause(None).await;
        }
        let before = Instant::now();
        backoff.pause(None).await;
        assert!(before.elapsed() <= LONGEST + Duration::from_millis(1), "{:?}", before.elapsed());
        let before = Instant::now();
        backoff.pause(Some(Duration::from_millis(30))).await;
        assert!(before.elapsed() <= Duration::from_millis(31), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_do_not_go_in_step() {
        let mut waits = std::collections::HashSet::new();
        for _ in 0..20 {
            let mut backoff = Backoff::new(Wait::Forever, Duration::ZERO);
            for _ in 0..12 {
                backoff.pause(None).await;
            }
            waits.insert(backoff.waited());
        }
        assert!(waits.len() > 5, "{waits:?}");
    }

    /// The first pauses of a hundred waiters, without what the timer rounds up.
    async fn first_pauses(remaining: Option<Duration>, is_told: bool, age: Duration) -> Vec<Duration> {
        let mut pauses = Vec::new();
        for _ in 0..100 {
            let (mut backoff, before) = (Backoff::new(Wait::Forever, Duration::ZERO), Instant::now());
            assert!(backoff.wait_for(remaining, is_told, age, pending()).await);
            pauses.push(before.elapsed().saturating_sub(Duration::from_millis(1)));
            // Chance comes from the time, too.
            tokio::time::advance(Duration::from_micros(7)).await;
        }
        pauses.sort();
        pauses
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_a_pause_is_left_to_chance_where_nobody_is_told() {
        let (mut backoff, mut pauses) = (Backoff::new(Wait::Forever, Duration::ZERO), Vec::new());
        for _ in 0..140 {
            let before = Instant::now();
            backoff.pause(None).await;
            pauses.push(before.elapsed().saturating_sub(Duration::from_millis(1)));
            tokio::time::advance(Duration::from_micros(7)).await;
        }
        // Each may be half as long again as the one before, up to the longest.
        assert!(pauses[5] <= SHORTEST.mul_f64(1.5_f64.powi(5)), "{pauses:?}");
        let mut grown = pauses.split_off(40);
        grown.sort();
        within(&grown, LONGEST / 2, LONGEST);
        assert!(grown[25] < LONGEST * 3 / 4 && grown[75] > LONGEST * 3 / 4, "{grown:?}");
    }

    fn within(pauses: &[Duration], least: Duration, most: Duration) {
        assert!(pauses[0] + Duration::from_millis(1) >= least && pauses[99] <= most, "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_is_told_waits_for_the_end_of_the_lease_and_others_poll() {
        let millis = Duration::from_millis;
        let told = first_pauses(Some(millis(100)), true, Duration::ZERO).await;
        within(&told, millis(100), millis(100) + SHORTEST);
        let told_late = first_pauses(Some(millis(100)), true, millis(60)).await;
        within(&told_late, millis(40), millis(40) + SHORTEST);
        for far in [None, Some(LONGEST), Some(Duration::from_secs(10))] {
            let pauses = first_pauses(far, true, Duration::ZERO).await;
            within(&pauses, LONGEST.mul_f64(0.8), LONGEST);
            assert!(pauses[25] < pauses[75], "not all of them are cut off at an end: {pauses:?}");
        }
        within(&first_pauses(None, false, Duration::ZERO).await, SHORTEST / 2, SHORTEST);
    }
}
