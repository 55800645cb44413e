//! Every test of locking runs twice: with tasks that take turns on a lease, and with a lease for every call.

/// Whether this run is the one with turns: unless `DLOCK_TEST_TURNS=off` says otherwise.
#[must_use]
pub fn with_turns() -> bool {
    std::env::var_os("DLOCK_TEST_TURNS").is_none_or(|turns| turns != "off")
}
