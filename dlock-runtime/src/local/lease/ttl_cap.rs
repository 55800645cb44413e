//! What keeps a lease short that was shortened: the store carries out a command at any time between its sending and its
//! answer, and one of other kind that was under way meanwhile may have come before it or after it.

use std::time::Duration;

use crate::{
    protocol::grant::Grant,
    types::{boot_time::BootTime, nanos::Nanos},
};

#[derive(Clone, Copy, Debug)]
pub(super) struct TtlCap {
    pub(super) ttl: Nanos,
    /// Grants that were asked for before count for no more; `BootTime::NEVER` as long as there is no answer.
    pub(super) until: BootTime,
}

impl TtlCap {
    /// No grant is asked for as early as that.
    pub(super) const NONE: Self = Self { ttl: Nanos::MAX, until: BootTime::START };

    /// For how long a grant counts.
    pub(super) fn ttl_of(self, grant: Grant) -> Duration {
        if grant.asked <= self.until { grant.ttl.min(self.ttl.get()) } else { grant.ttl }
    }
}
