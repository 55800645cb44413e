//! Which locks others wanted not long ago. Where nobody did, a shorter command takes the lock; so a wrong answer costs time and
//! nothing else, and a small table that forgets will do.

use std::time::Duration;

use crate::{
    sync::{AtomicU64, Ordering},
    types::boot_time::BootTime,
};

const PLACES: usize = 256;

/// For how long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(1);

/// When somebody else was last known to want the lock of each place. Several locks may have the same place.
pub(super) struct Contention([AtomicU64; PLACES]);

impl Default for Contention {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(BootTime::START.to_bits())))
    }
}

impl Contention {
    /// Somebody else has or wants the lock of this hash.
    pub(super) fn note(&self, hash: u64, now: BootTime) {
        self.place(hash).store(now.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn is_known(&self, hash: u64, now: BootTime) -> bool {
        let noted = BootTime::from_bits(self.place(hash).load(Ordering::Relaxed));
        noted != BootTime::START && now < noted.after(REMEMBERED)
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.0[hash as usize % PLACES]
    }
}
