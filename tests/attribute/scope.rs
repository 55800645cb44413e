//! Whether and where a lock is taken, and what is inside of it: `guard`, `when`, `reentrant`, `runtime`, `crate`, and the
//! lives of the parameters.

use crate::{is_busy, locked, locks, pause};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[distributed_lock(key = "guard", runtime = locks, guard = lock)]
async fn fences(locks: &Runtime) -> Result<u64, LockError> {
    lock.ensure_held()?;
    lock.renew().await?;
    assert!(lock.is_held());
    Ok(lock.fence())
}

#[tokio::test]
async fn guard_binds_the_guard_and_fences_rise() -> Result<(), LockError> {
    let locks = locks("guard").await;
    assert!(fences(&locks).await? < fences(&locks).await?);
    Ok(())
}

static KEYS_MADE: AtomicU32 = AtomicU32::new(0);

fn made() -> &'static str {
    KEYS_MADE.fetch_add(1, Ordering::SeqCst);
    "when"
}

#[distributed_lock(key = made(), runtime = locks, when = qty > 1)]
async fn maybe(locks: &Runtime, qty: u32) -> Result<bool, LockError> {
    Ok(locked(locks, "when").await)
}

#[tokio::test]
async fn when_decides_whether_there_is_a_lock_at_all() -> Result<(), LockError> {
    let locks = locks("when").await;
    assert!(!maybe(&locks, 1).await?);
    assert_eq!(KEYS_MADE.load(Ordering::SeqCst), 0, "no key is made for no lock");
    assert!(maybe(&locks, 2).await?);
    let held = locks.lock("when").acquire().await?;
    assert!(maybe(&locks, 1).await?, "it runs beside the holder");
    assert!(is_busy(&maybe(&locks, 2).await));
    held.release().await
}

#[distributed_lock(key = "a:<id>", runtime = locks)]
async fn inner(locks: &Runtime, id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = "a:<id>", runtime = locks, reentrant = false)]
async fn inner_that_does_not_join(locks: &Runtime, id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = "a:<id>", runtime = locks)]
async fn outer(locks: &Runtime, id: u8) -> Result<u8, LockError> {
    let joined = inner(locks, id).await?;
    assert!(locked(locks, "a:1").await, "the inner call released nothing");
    Ok(joined)
}

#[distributed_lock(key = "a:<id>", runtime = locks)]
async fn outer_of_one_that_does_not_join(locks: &Runtime, id: u8) -> Result<u8, LockError> {
    inner_that_does_not_join(locks, id).await
}

#[tokio::test]
async fn the_same_task_joins_its_own_hold_unless_reentrant_is_false() -> Result<(), LockError> {
    let locks = locks("reentrant").await;
    assert_eq!(outer(&locks, 1).await?, 1);
    assert!(!locked(&locks, "a:1").await);
    let error = outer_of_one_that_does_not_join(&locks, 1).await.expect_err("a deadlock with itself");
    assert!(matches!(error, LockError::WouldDeadlock { .. }), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_body_joins_the_holds_around_the_place_where_it_runs() -> Result<(), LockError> {
    let locks = locks("nested").await;
    let (one, other) = (locks.lock("a:1").acquire().await?, locks.lock("a:2").acquire().await?);
    // Made outside of the other hold, and run inside.
    let work = one.run(async { Ok::<_, LockError>((inner(&locks, 1).await?, inner(&locks, 2).await?)) });
    assert_eq!(other.run(work).await???, (1, 2));
    let outside = one.run(inner(&locks, 2));
    assert!(is_busy(&outside.await?), "the negative control: there is nothing to join");
    other.release().await?;
    one.release().await
}

#[distributed_lock(key = "default")]
async fn by_default() -> Result<bool, LockError> {
    Ok(locked(&Runtime::installed()?, "default").await)
}

#[tokio::test]
async fn the_installed_runtime_is_the_default_and_runtime_names_another() -> Result<(), LockError> {
    assert!(matches!(by_default().await, Err(LockError::NotInstalled)));
    let installed = Runtime::builder().embedded().namespace("installed").install().await?;
    assert!(by_default().await?);
    let held = installed.lock("a:1").acquire().await?;
    assert_eq!(inner(&locks("another").await, 1).await?, 1, "another namespace is another lock");
    assert!(is_busy(&inner(&installed, 1).await));
    held.release().await
}

mod reexports {
    pub(crate) use ::dlock_runtime::__rt;
}

#[distributed_lock(key = "crate", runtime = locks, crate = crate::scope::reexports)]
async fn through_a_reexport(locks: &Runtime) -> Result<bool, LockError> {
    Ok(locked(locks, "crate").await)
}

#[tokio::test]
async fn crate_is_where_the_runtime_is_found() -> Result<(), LockError> {
    assert!(through_a_reexport(&locks("crate").await).await?);
    Ok(())
}

/// Looks, when it is dropped, whether the lock is still held.
struct Probe {
    locks: Runtime,
    held: Arc<AtomicBool>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let held =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(locked(&self.locks, "drop")));
        self.held.store(held, Ordering::SeqCst);
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("drop")
    }
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn named(locks: &Runtime, probe: Probe) -> Result<(), LockError> {
    assert!(!probe.held.load(Ordering::SeqCst));
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn not_named(locks: &Runtime, _probe: Probe) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn without_name(locks: &Runtime, _: Probe) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "<probe>", runtime = locks)]
async fn named_by_the_key(locks: &Runtime, probe: Probe) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn in_a_pattern(locks: &Runtime, (_left, _): (Probe, u8)) -> Result<(), LockError> {
    Ok(())
}

struct Order {
    id: u8,
    probe: Probe,
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn named_in_part(locks: &Runtime, order: Order) -> Result<u8, LockError> {
    Ok(order.id)
}

#[distributed_lock(key = "drop", runtime = locks)]
async fn named_for_nothing(locks: &Runtime, mut order: Order) -> Result<(), LockError> {
    order.id += 1;
    let _ = order.probe;
    Ok(())
}

#[distributed_lock(key = "drop", runtime = &order.probe.locks, when = order.id == 1)]
async fn named_by_options_too(order: Order) -> Result<u8, LockError> {
    Ok(order.id)
}

impl Order {
    #[distributed_lock(key = "<self.probe>", runtime = locks)]
    async fn named_in_part(self, locks: &Runtime) -> Result<u8, LockError> {
        Ok(self.id)
    }
}

impl Probe {
    #[distributed_lock(key = "<self>", runtime = locks)]
    async fn whole(self, locks: &Runtime) -> Result<(), LockError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_dropped_before_the_release() -> Result<(), LockError> {
    let locks = locks("parameters").await;
    let held = Arc::new(AtomicBool::new(false));
    let probe = || {
        held.store(false, Ordering::SeqCst);
        Probe { locks: locks.clone(), held: Arc::clone(&held) }
    };
    let was_held = || held.load(Ordering::SeqCst);

    named(&locks, probe()).await?;
    assert!(was_held(), "named");
    not_named(&locks, probe()).await?;
    assert!(was_held(), "not named");
    without_name(&locks, probe()).await?;
    assert!(was_held(), "without name");
    named_by_the_key(&locks, probe()).await?;
    assert!(was_held(), "named by the key");
    in_a_pattern(&locks, (probe(), 1)).await?;
    assert!(was_held(), "in a pattern");
    probe().whole(&locks).await?;
    assert!(was_held(), "as a whole");
    named_in_part(&locks, Order { id: 1, probe: probe() }).await?;
    assert!(was_held(), "named in part");
    named_for_nothing(&locks, Order { id: 1, probe: probe() }).await?;
    assert!(was_held(), "named for nothing");
    Order { id: 1, probe: probe() }.named_in_part(&locks).await?;
    assert!(was_held(), "self, named in part");
    named_by_options_too(Order { id: 1, probe: probe() }).await?;
    assert!(was_held(), "named by options, too");
    // The negative control: after the call nothing is held.
    drop(probe());
    assert!(!was_held());
    Ok(())
}

#[distributed_lock(key = "panic", runtime = locks)]
async fn panics(locks: &Runtime) -> Result<(), LockError> {
    assert!(!locked(locks, "panic").await, "on purpose");
    Ok(())
}

#[tokio::test]
async fn a_panic_releases_the_lock_without_waiting_for_the_ttl() {
    let locks = locks("panic").await;
    let task = tokio::spawn({
        let locks = locks.clone();
        async move { panics(&locks).await }
    });
    assert!(task.await.expect_err("it panics").is_panic());
    for _ in 0..100 {
        if !locked(&locks, "panic").await {
            return;
        }
        pause(50).await;
    }
    panic!("still locked after five seconds");
}
