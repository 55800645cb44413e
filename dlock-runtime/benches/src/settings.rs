//! The settings of dlock that are measured.

use std::time::Duration;

use dlock_runtime::{Runtime, Wait};

use crate::{Dlock, Outcome};

/// How dlock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// As it comes.
    Default,
    /// A process keeps a hot key longer while others wait: fewer hand-overs, longer waits.
    Throughput,
    /// A release does not wait for its answer.
    Unconfirmed,
    /// An idle lease is kept until somebody else wants it.
    Linger,
}

/// A runtime of dlock on the server at `url` that waits as long as it takes.
///
/// # Errors
/// If the server cannot be reached.
pub async fn dlock(url: &str, setting: Setting) -> Outcome<Dlock> {
    let builder = Runtime::builder().redis(url).namespace(format!("{setting:?}")).wait(Wait::Forever);
    let builder = match setting {
        Setting::Default => builder,
        Setting::Throughput => builder.yield_after(1_000_000, Duration::from_millis(20)),
        Setting::Unconfirmed => builder.confirm_release(false),
        Setting::Linger => builder.linger(Duration::from_secs(1)),
    };
    Ok(Dlock(builder.build().await?))
}
