//! How long a "yes" from the store is good for.
//!
//! The moment before which a request was sent is the only one that is known to lie before the store carried it out.

use std::time::Duration;

pub(crate) use crate::limits::margin;
use crate::types::boot_time::BootTime;

/// What one "yes" from the store is worth, from the moment at which it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) asked: BootTime,
    pub(crate) ttl: Duration,
}

impl Grant {
    /// When this process stops to trust it: before the store can let somebody else in.
    pub(crate) fn deadline(self) -> BootTime {
        self.asked.after(self.ttl.saturating_sub(margin(self.ttl)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_counts_from_before_the_request_and_keeps_a_margin() {
        let asked = BootTime::from_bits(1);
        let grant = Grant { asked, ttl: Duration::from_secs(1) };
        assert_eq!(grant.deadline(), asked.after(Duration::from_millis(988)));
        let short = Grant { asked, ttl: Duration::from_millis(1) };
        assert_eq!(short.deadline(), asked, "no lease at all, rather than one that is too long");
    }
}
