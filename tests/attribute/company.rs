//! Other attributes above and below, from the language, from rustc's lints, from tokio, tracing and async-trait.

use crate::{Held, during, locked, locks};
use dlock_runtime::{LockError, Runtime, distributed_lock};

/// Documented.
#[distributed_lock(key = "plain:<id>", runtime = locks)]
#[must_use = "look at it"]
#[inline]
#[allow(clippy::unused_async, reason = "it stands here to be handed through")]
#[doc(hidden)]
async fn below(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "plain:1").await, id))
}

/// Documented.
#[must_use = "look at it"]
#[cold]
#[allow(clippy::unused_async, reason = "it stands here to be handed through")]
#[distributed_lock(key = "plain:<id>", runtime = locks)]
/// Documented further.
async fn above(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "plain:1").await, id))
}

#[deprecated = "an old way"]
#[distributed_lock(key = "old:<id>", runtime = locks)]
async fn old(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "old:1").await, id))
}

#[expect(unused_variables, reason = "the expectation has to be met by the body as it is without the attribute")]
#[distributed_lock(key = "expect:<id>", runtime = locks)]
#[expect(unused_mut, reason = "the same for an attribute below")]
async fn expects(locks: &Runtime, id: u8, unused: String) -> Held<u8> {
    let mut held = locked(locks, "expect:1").await;
    Ok((held, id))
}

#[cfg(test)]
#[distributed_lock(key = "cfg:<id>", runtime = locks)]
async fn configured(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "cfg:1").await, id))
}

#[distributed_lock(key = "no", runtime = nowhere)]
#[cfg(not(test))]
async fn configured() -> Held<u8> {
    compile_error!("nobody sees this")
}

#[cfg_attr(test, distributed_lock(key = "cfg_attr:<id>", runtime = locks))]
#[cfg_attr(not(test), distributed_lock(key = "never:<nothing>"))]
async fn configured_attribute(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "cfg_attr:1").await, id))
}

#[distributed_lock(key = "inner:<id>", runtime = locks)]
async fn inner_attributes(locks: &Runtime, id: u8) -> Held<u8> {
    #![allow(unused_variables)]
    #![doc = "Documented inside."]
    let unused = 1;
    Ok((locked(locks, "inner:1").await, id))
}

#[distributed_lock(key = "parameter:<id>", runtime = locks)]
async fn attributes_of_parameters(
    locks: &Runtime,
    #[allow(unused_variables, reason = "it stands here to be handed through")] unused: String,
    #[expect(unused_variables, reason = "the same, and it has to be met")] expected: String,
    #[cfg(not(test))] missing: Missing,
    #[cfg(test)] id: u8,
) -> Held<u8> {
    Ok((locked(locks, "parameter:1").await, id))
}

#[tokio::test]
async fn attributes_of_the_language_stay_where_they_are() {
    let locks = locks("company").await;
    assert_eq!(during(&locks, "plain:1", below(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "plain:1", above(&locks, 1)).await, 1);
    #[expect(deprecated, reason = "it is")]
    let old = old(&locks, 1);
    assert_eq!(during(&locks, "old:1", old).await, 1);
    assert_eq!(during(&locks, "expect:1", expects(&locks, 1, String::new())).await, 1);
    assert_eq!(during(&locks, "cfg:1", configured(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "cfg_attr:1", configured_attribute(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "inner:1", inner_attributes(&locks, 1)).await, 1);
    assert_eq!(
        during(&locks, "parameter:1", attributes_of_parameters(&locks, String::new(), String::new(), 1)).await,
        1
    );
}

#[tracing::instrument(skip(locks))]
#[distributed_lock(key = "span:<id>", runtime = locks)]
async fn instrumented_above(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "span:1").await, id))
}

#[distributed_lock(key = "span:<id>", runtime = locks)]
#[tracing::instrument(skip_all, fields(id = id + 1), err(Debug))]
async fn instrumented_below(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "span:1").await, id))
}

#[distributed_lock(key = "outer:<id>", runtime = locks)]
#[distributed_lock(key = "inner:<id>", runtime = locks)]
async fn two_locks(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "outer:1").await && locked(locks, "inner:1").await, id))
}

#[tokio::test]
async fn instrument_and_a_second_lock_above_and_below() {
    let locks = locks("instrument").await;
    assert_eq!(during(&locks, "span:1", instrumented_above(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "span:1", instrumented_below(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "outer:1", two_locks(&locks, 1)).await, 1);
    assert!(!locked(&locks, "inner:1").await);
}

// Below ours, so that the lock is held while the whole test runs.
#[distributed_lock(key = "test", runtime = &locks("tokio-test").await)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_of_tokio_may_be_locked_as_a_whole() -> Result<(), LockError> {
    assert!(locked(&locks("tokio-test").await, "test").await);
    Ok(())
}

#[distributed_lock(key = "main", runtime = &locks("tokio-main").await)]
#[tokio::main(flavor = "current_thread")]
async fn blocking() -> Held<()> {
    Ok((locked(&locks("tokio-main").await, "main").await, ()))
}

#[test]
fn a_main_of_tokio_may_be_locked_as_a_whole() -> Result<(), LockError> {
    assert!(blocking()?.0);
    // It left nothing behind: the next call gets the lock as well.
    assert!(blocking()?.0);
    Ok(())
}

#[async_trait::async_trait]
trait Stock: Sync {
    fn locks(&self) -> &Runtime;

    #[must_use]
    #[distributed_lock(key = "default:<id>", runtime = self.locks())]
    async fn with_default(&self, id: u8) -> Held<u8> {
        if id == 0 {
            return Ok((false, 0));
        }
        Ok((locked(self.locks(), "default:1").await, id))
    }

    async fn generic<T: ToString + Send>(&self, id: T, rest: &str) -> Held<String>
    where
        Self: Sized;

    async fn owned(self: Box<Self>, id: &u8) -> Held<u8>;

    async fn shared(self: std::sync::Arc<Self>, (id, _): (u8, u8)) -> Held<u8>;
}

struct Shop(Runtime);

#[async_trait::async_trait]
impl Stock for Shop {
    fn locks(&self) -> &Runtime {
        &self.0
    }

    #[tracing::instrument(skip_all)]
    #[distributed_lock(key = "generic:<rest>", runtime = &self.0)]
    async fn generic<T: ToString + Send>(&self, id: T, rest: &str) -> Held<String> {
        Ok((locked(&self.0, "generic:x").await, id.to_string() + rest))
    }

    #[distributed_lock(key = "owned:<id>", runtime = &self.0)]
    async fn owned(self: Box<Self>, id: &u8) -> Held<u8> {
        Ok((locked(&self.0, "owned:1").await, *id))
    }

    #[distributed_lock(key = "shared:<id>", runtime = &self.0)]
    async fn shared(self: std::sync::Arc<Self>, (id, _): (u8, u8)) -> Held<u8> {
        Ok((locked(&self.0, "shared:1").await, id))
    }
}

#[async_trait::async_trait(?Send)]
trait LocalStock {
    async fn take(&mut self, id: std::rc::Rc<u8>) -> Held<u8>;
}

#[async_trait::async_trait(?Send)]
impl LocalStock for Shop {
    #[distributed_lock(key = "local:<id>", runtime = &self.0)]
    async fn take(&mut self, id: std::rc::Rc<u8>) -> Held<u8> {
        Ok((locked(&self.0, "local:1").await, *id))
    }
}

#[tokio::test]
async fn async_trait_goes_first_wherever_its_methods_are_annotated() {
    let locks = locks("async_trait").await;
    let shop = || Shop(locks.clone());
    assert_eq!(during(&locks, "default:1", shop().with_default(1)).await, 1);
    assert_eq!(during(&locks, "generic:x", shop().generic(1, "x")).await, "1x");
    assert_eq!(during(&locks, "owned:1", Box::new(shop()).owned(&1)).await, 1);
    assert_eq!(during(&locks, "shared:1", std::sync::Arc::new(shop()).shared((1, 2))).await, 1);
    assert_eq!(during(&locks, "local:1", shop().take(std::rc::Rc::new(1))).await, 1);
}
