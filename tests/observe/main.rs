//! What an operator can see, and what nobody must.

mod holds;
mod keys;
mod kit;
mod outage;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// For everything that a busy machine may do slowly.
const SOON: Duration = Duration::from_secs(20);
