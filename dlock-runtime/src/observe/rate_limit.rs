//! Lines that one mistake in the set-up could make a thousand times a second.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::types::boot_time::BootTime;

/// The pause after a line.
const PAUSE: Duration = Duration::from_secs(1);

/// Lets one line pass in a second, and counts the others.
pub(super) struct RateLimit {
    /// When the next one may pass.
    next: AtomicU64,
    left_out: AtomicU64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { next: AtomicU64::new(BootTime::START.to_bits()), left_out: AtomicU64::new(0) }
    }
}

impl RateLimit {
    /// Whether a line is to be reported at `now`; then, how many were left out before it.
    pub(super) fn passes(&self, now: BootTime) -> Option<u64> {
        let due = |next| (now >= BootTime::from_bits(next)).then(|| now.after(PAUSE).to_bits());
        if self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_passes_in_a_second_and_says_how_many_did_not() {
        let (rate_limit, start) = (RateLimit::default(), BootTime::now());
        assert_eq!(rate_limit.passes(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(rate_limit.passes(start), None);
        }
        assert_eq!(rate_limit.passes(start.after(PAUSE)), Some(1000));
        assert_eq!(rate_limit.passes(start.after(2 * PAUSE)), Some(0));
    }
}
