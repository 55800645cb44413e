//! Time: one counter of ticks for everybody, and what the clock of each client makes of it.

use std::time::Duration;

use crate::types::boot_time::BootTime;

/// The time of the model. The store's clock shows it as it is.
pub(crate) type Tick = u8;

/// How long a tick is on a clock that runs right.
const TICK: Duration = Duration::from_millis(100);

/// A TTL of so many ticks, as the rules take it.
pub(crate) fn ticks(count: Tick) -> Duration {
    TICK * u32::from(count)
}

/// What a clock shows at `tick` that runs at `percent` of the right rate: so a slow clock is one multiplication and no state.
pub(crate) fn shown(tick: Tick, percent: u32) -> BootTime {
    BootTime::START.after(ticks(tick) * percent / 100)
}
