//! How much is tried.

/// `many` if the tests are run with `DLOCK_FULL=1`, for who has the time; else `few`.
pub fn full<T>(many: T, few: T) -> T {
    if std::env::var_os("DLOCK_FULL").is_some_and(|full| full == "1") { many } else { few }
}
