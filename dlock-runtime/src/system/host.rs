//! The machine itself.

use std::{
    cell::Cell,
    io, thread,
    time::{Duration, SystemTime},
};

/// Several times as fast for short names as the one of the standard library, and seeded at random too.
pub(crate) use rapidhash::quality::RandomState;
use tokio::runtime::{Builder, Runtime};
pub(crate) use tokio::{
    runtime::{Handle, Id},
    spawn,
    task::JoinHandle,
};

/// Whether there are threads beside the one that runs the caller.
pub(crate) const HAS_THREADS: bool = true;

thread_local! {
    /// The runtime that was found fit last, so that the usual case costs one comparison.
    static FIT: Cell<Option<Id>> = const { Cell::new(None) };
}

/// On the scheduler of `tests/gate` time stands still, so that an order of steps can be run again.
#[cfg(dlock_shuttle)]
pub(crate) fn boot_nanos() -> u64 {
    1
}

/// The clock of deadlines, in nanoseconds; never 0. It runs on while the machine is suspended, where the system has such a clock.
#[cfg(all(not(dlock_shuttle), any(target_os = "linux", target_os = "android")))]
pub(crate) fn boot_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither part is ever negative on this clock.
    (time.tv_sec as u64).saturating_mul(1_000_000_000) + time.tv_nsec as u64
}

/// The clock of deadlines, in nanoseconds; never 0.
#[cfg(not(any(dlock_shuttle, target_os = "linux", target_os = "android")))]
pub(crate) fn boot_nanos() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static BASE: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BASE.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
}

/// The time of day.
pub(crate) fn wall_time() -> SystemTime {
    SystemTime::now()
}

/// # Errors
/// If the system has no random numbers to give.
pub(crate) fn random() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

/// Host and process id, for operators.
pub(crate) fn process_name() -> String {
    format!("{} pid {}", host(), std::process::id())
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().replace(char::is_whitespace, "-")
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "host".to_owned()).replace(char::is_whitespace, "-")
}

/// The tokio runtime that was found to have all drivers, if that was here.
pub(crate) fn fit() -> Option<Id> {
    FIT.get()
}

pub(crate) fn set_fit(id: Id) {
    FIT.set(Some(id));
}

/// Uses the drivers for time and I/O. It panics where one of them is missing.
pub(crate) async fn try_drivers() {
    tokio::time::sleep(Duration::ZERO).await;
    #[cfg(unix)]
    drop(tokio::net::UnixStream::pair());
    #[cfg(not(unix))]
    drop(tokio::net::UdpSocket::bind("127.0.0.1:0").await);
}

/// A thread with a tokio runtime of its own, before it is started.
pub(crate) struct Thread(Runtime);

impl Thread {
    /// # Errors
    /// If the system gives no event queue.
    pub(crate) fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_io().enable_time().build().map(Self)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.0.handle().clone()
    }

    /// Runs what `work` makes on the thread, to its end.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start<F: Future<Output = ()>>(
        self,
        name: &str,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()> {
        thread::Builder::new().name(name.to_owned()).spawn(move || self.0.block_on(async { work().await })).map(drop)
    }
}
