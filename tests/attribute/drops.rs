//! What a call owns ends before its lock: whichever way a parameter came in, and however the body ended.

use crate::{LockError, locks, pause};
use dlock_runtime::{Runtime, distributed_lock};
use std::future::Future;
use std::sync::{Arc, Mutex};

type Done = Result<(), LockError>;

/// What ended while the lock was held, and what ended when it was not.
#[derive(Clone)]
struct Log {
    locks: Runtime,
    ended: Arc<Mutex<Vec<(&'static str, bool)>>>,
}

impl Log {
    async fn new(test: &str) -> Self {
        Self { locks: locks(test).await, ended: Arc::default() }
    }

    fn probe(&self, name: &'static str) -> Probe {
        Probe { name, log: self.clone() }
    }

    /// The names in the order of their ends; panics if one ended without the lock.
    fn ended_under_the_lock(&self) -> Vec<&'static str> {
        let ended = std::mem::take(&mut *self.ended.lock().expect("no panic in between"));
        assert!(!ended.is_empty() && ended.iter().all(|(_, held)| *held), "{ended:?}");
        ended.into_iter().map(|(name, _)| name).collect()
    }
}

/// Looks, when it is dropped, whether the lock is held.
struct Probe {
    name: &'static str,
    log: Log,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let held = futures_block_on(self.log.locks.is_locked("drop")).expect("the embedded store answers");
        self.log.ended.lock().expect("no panic in between").push((self.name, held));
    }
}

/// The embedded store answers at once.
fn futures_block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn generic<T>(locks: &Runtime, _value: T) -> Done {
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn opaque(locks: &Runtime, _value: impl Sized, other: Box<dyn Fn() + Send>) -> Done {
    other();
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn mutable(locks: &Runtime, mut value: Option<Probe>, _: Probe) -> Done {
    if let Some(probe) = &mut value {
        probe.name = "renamed";
    }
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn returns_early(locks: &Runtime, value: Probe) -> Done {
    if value.name == "early" {
        return Ok(());
    }
    unreachable!("{}", value.name)
}

#[distributed_lock(key = "drop", runtime = locks, or_else = |_| Err("no lock"))]
async fn asks(locks: &Runtime, value: Probe) -> Result<(), &'static str> {
    Err("own")?;
    drop(value);
    Ok(())
}

#[distributed_lock(key = "drop", runtime = &locks)]
async fn panics(locks: Runtime, value: Probe) -> Done {
    assert_ne!(value.name, "panics");
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn is_dropped(locks: &Runtime, value: Probe) -> Done {
    let _local = value.log.probe("local");
    std::future::pending().await
}

impl Probe {
    fn name(&self) -> &str {
        self.name
    }

    #[distributed_lock(key = "drop", runtime = &self.log.locks.clone())]
    async fn boxed(self: Box<Self>) -> Done {
        assert_eq!(self.name, "boxed");
        Ok(())
    }

    #[distributed_lock(key = "drop", runtime = locks)]
    async fn counted(self: Arc<Self>, locks: &Runtime) -> Done {
        Ok(())
    }

    #[distributed_lock(key = "drop", runtime = locks)]
    async fn pinned(self: std::pin::Pin<Box<Self>>, locks: &Runtime) -> Done {
        Ok(())
    }
}

#[async_trait::async_trait]
trait Taking {
    async fn take(self, locks: &Runtime, _value: Probe, _: Probe) -> Done;
}

#[async_trait::async_trait]
impl Taking for Probe {
    #[distributed_lock(key = "drop", runtime = locks)]
    async fn take(self, locks: &Runtime, _value: Probe, _: Probe) -> Done {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_ends_before_the_release() -> Done {
    let log = Log::new("drops").await;
    let (locks, probe) = (&log.locks, |name| log.probe(name));
    generic(locks, probe("generic")).await?;
    assert_eq!(log.ended_under_the_lock(), ["generic"]);
    let captured = probe("captured");
    opaque(locks, probe("opaque"), Box::new(move || assert_eq!(captured.name(), "captured"))).await?;
    assert_eq!(log.ended_under_the_lock().len(), 2);
    mutable(locks, Some(probe("mut")), probe("_")).await?;
    assert_eq!(log.ended_under_the_lock().len(), 2);
    Box::new(probe("boxed")).boxed().await?;
    assert_eq!(log.ended_under_the_lock(), ["boxed"]);
    Arc::new(probe("counted")).counted(locks).await?;
    assert_eq!(log.ended_under_the_lock(), ["counted"]);
    Box::pin(probe("pinned")).pinned(locks).await?;
    assert_eq!(log.ended_under_the_lock(), ["pinned"]);
    probe("self").take(locks, probe("value"), probe("_")).await?;
    assert_eq!(log.ended_under_the_lock().len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_end_before_the_release_however_the_body_ends() -> Done {
    let log = Log::new("ends").await;
    let (locks, probe) = (&log.locks, |name| log.probe(name));
    returns_early(locks, probe("early")).await?;
    assert_eq!(log.ended_under_the_lock(), ["early"]);
    assert_eq!(asks(locks, probe("?")).await, Err("own"));
    assert_eq!(log.ended_under_the_lock(), ["?"]);
    let panic = tokio::spawn(panics(locks.clone(), probe("panics"))).await;
    assert!(panic.expect_err("it panics").is_panic());
    assert_eq!(log.ended_under_the_lock(), ["panics"]);
    {
        let call = std::pin::pin!(is_dropped(locks, probe("dropped")));
        tokio::select! {
            biased;
            _ = call => unreachable!("it never ends"),
            () = pause(50) => {}
        }
    }
    assert_eq!(log.ended_under_the_lock(), ["local", "dropped"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "(\"after\", false)")]
async fn control_a_parameter_that_ends_after_the_release_is_noticed() {
    let log = Log::new("negative").await;
    generic(&log.locks, ()).await.expect("it is free");
    drop(log.probe("after"));
    log.ended_under_the_lock();
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn three(locks: &Runtime, first: Probe, second: Probe, third: Probe) -> Done {
    let _ = (&second, &first);
    let _local = third.log.probe("local");
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn three_not_named(locks: &Runtime, _first: Probe, _second: Probe, _third: Probe) -> Done {
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn locals_and_parameters_end_in_the_order_of_a_plain_function() -> Done {
    let log = Log::new("order").await;
    let probe = |name| log.probe(name);
    three(&log.locks, probe("first"), probe("second"), probe("third")).await?;
    assert_eq!(log.ended_under_the_lock(), ["local", "third", "second", "first"]);
    three_not_named(&log.locks, probe("first"), probe("second"), probe("third")).await?;
    assert_eq!(log.ended_under_the_lock(), ["third", "second", "first"]);
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn by_ref(locks: &Runtime, (ref left, right, _): (Probe, Probe, Probe)) -> Done {
    let _ = (left.name, right.name);
    Ok(())
}

/// As the reference says: what a pattern only borrows stays where the pattern is.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_pattern_binds_by_reference_ends_after_the_release() -> Done {
    let log = Log::new("by-reference").await;
    let probe = |name| log.probe(name);
    by_ref(&log.locks, (probe("ref"), probe("owned"), probe("_"))).await?;
    let mut ended = std::mem::take(&mut *log.ended.lock().expect("no panic in between"));
    ended.sort_unstable();
    assert_eq!(ended, [("_", true), ("owned", true), ("ref", false)]);
    Ok(())
}
