//! `key`: templates and expressions.

use crate::{is_busy, locked, locks};
use dlock_runtime::{LockError, LockKey, Runtime, distributed_lock};
use std::sync::atomic::{AtomicU32, Ordering};

struct Order {
    sku: String,
    lines: (u8, Vec<String>),
}

#[distributed_lock(key = "stock:<id>/<name>", runtime = locks)]
async fn by_parameters(locks: &Runtime, id: u64, name: &str) -> Result<bool, LockError> {
    let _ = id;
    Ok(locked(locks, "stock:7/a%3Ab").await && name == "a:b")
}

#[distributed_lock(key = "<order.sku>:<order.lines.0>:<pair.1>", runtime = locks)]
async fn by_fields(locks: &Runtime, order: &Order, pair: (&str, u8)) -> Result<bool, LockError> {
    Ok(order.lines.1.is_empty() && pair.0.is_empty() && locked(locks, "tea:3:4").await)
}

#[distributed_lock(key = "{<shop>}:<<literal>>", runtime = locks)]
async fn by_hash_tag(locks: &Runtime, shop: &str) -> Result<bool, LockError> {
    Ok(locked(locks, &format!("{{{shop}}}:<literal>")).await)
}

#[distributed_lock(key = "all", runtime = locks)]
async fn without_placeholder(locks: &Runtime) -> Result<bool, LockError> {
    Ok(locked(locks, "all").await)
}

#[distributed_lock(key = "<name>", runtime = locks)]
async fn possibly_empty(locks: &Runtime, name: &str) -> Result<bool, LockError> {
    Ok(name.is_empty() && locked(locks, "%empty").await)
}

#[tokio::test]
async fn a_template_is_filled_with_values_of_the_parameters() -> Result<(), LockError> {
    let locks = locks("key-template").await;
    assert!(by_parameters(&locks, 7, "a:b").await?);
    let order = Order { sku: "tea".into(), lines: (3, Vec::new()) };
    assert!(by_fields(&locks, &order, ("", 4)).await?);
    assert!(by_hash_tag(&locks, "berlin").await?);
    assert!(without_placeholder(&locks).await?);
    assert!(possibly_empty(&locks, "").await?);
    assert!(!locked(&locks, "all").await, "released at the end");
    Ok(())
}

static EVALUATED: AtomicU32 = AtomicU32::new(0);

fn counted(name: &str) -> String {
    EVALUATED.fetch_add(1, Ordering::SeqCst);
    format!("counted:{name}")
}

#[distributed_lock(key = counted(&name), runtime = locks)]
async fn by_expression(locks: &Runtime, name: String) -> Result<(String, bool), LockError> {
    let held = locked(locks, "counted:x").await;
    Ok((name, held))
}

#[distributed_lock(key = name, runtime = locks)]
async fn by_the_parameter_itself(locks: &Runtime, name: String) -> Result<(String, bool), LockError> {
    let held = locked(locks, &name).await;
    Ok((name, held))
}

#[distributed_lock(key = LockKey::from_template("order:<id>", &[&id]), runtime = locks)]
async fn by_lock_key(locks: &Runtime, id: &str) -> Result<bool, LockError> {
    Ok(locked(locks, "order:a%2Fb").await && id == "a/b")
}

#[distributed_lock(key = 42, runtime = locks)]
async fn by_number(locks: &Runtime) -> Result<bool, LockError> {
    Ok(locked(locks, "42").await)
}

#[tokio::test]
async fn an_expression_is_evaluated_once_and_leaves_the_parameters_to_the_body() -> Result<(), LockError> {
    let locks = locks("key-expression").await;
    assert_eq!(by_expression(&locks, "x".into()).await?, ("x".into(), true));
    assert_eq!(EVALUATED.load(Ordering::SeqCst), 1);
    assert_eq!(by_the_parameter_itself(&locks, "y".into()).await?, ("y".into(), true));
    assert!(by_lock_key(&locks, "a/b").await?);
    assert!(by_number(&locks).await?);
    Ok(())
}

static STOCK: AtomicU32 = AtomicU32::new(20);

#[distributed_lock(key = "stock:<id>", runtime = locks, wait = 20)]
async fn deduct(locks: &Runtime, id: u64) -> Result<u64, LockError> {
    let left = STOCK.load(Ordering::SeqCst);
    tokio::task::yield_now().await;
    STOCK.store(left - 1, Ordering::SeqCst);
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_one_key_exclude_each_other() {
    let locks = locks("key-exclusion").await;
    let calls = (0..20).map(|_| {
        let locks = locks.clone();
        tokio::spawn(async move { deduct(&locks, 1).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic").expect("everyone gets a turn");
    }
    assert_eq!(STOCK.load(Ordering::SeqCst), 0, "no update was lost");
}

#[distributed_lock(key = "<first>:<second>", runtime = locks, wait = 0)]
async fn by_pair(locks: &Runtime, first: &str, second: &str) -> Result<(), LockError> {
    let _ = (first, second);
    Ok(())
}

#[tokio::test]
async fn different_values_never_share_a_key() -> Result<(), LockError> {
    let locks = locks("key-injective").await;
    let held = locks.lock(LockKey::from_template("<first>:<second>", &[&"a:b", &"c"])).acquire().await?;
    by_pair(&locks, "a", "b:c").await?;
    // The negative control: equal values do.
    assert!(is_busy(&by_pair(&locks, "a:b", "c").await));
    held.release().await
}

/// What the key is made from is kept to the end of the statement, so across the await.
#[tokio::test]
async fn a_future_that_makes_its_key_in_the_statement_that_takes_the_lock_is_send() -> Result<(), LockError> {
    let locks = locks("key-send").await;
    let handler = async move {
        let (id, sku) = (7_u64, "a/b".to_owned());
        let guard = locks.lock(LockKey::from_template("stock:<id>:<sku>", &[&id, &sku])).acquire().await?;
        assert!(locked(&locks, "stock:7:a%2Fb").await);
        guard.release().await
    };
    tokio::spawn(handler).await.expect("no panic")
}

struct Counted(std::cell::Cell<u8>);

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.set(self.0.get() + 1);
        write!(f, "{}", self.0.get())
    }
}

/// The attribute makes its key in a statement of its own.
#[distributed_lock(key = "counted:<value>", runtime = locks)]
async fn by_value_that_is_not_sync(locks: &Runtime, value: Counted) -> Result<bool, LockError> {
    Ok(locked(locks, "counted:1").await && value.0.get() == 1)
}

#[tokio::test]
async fn a_placeholder_takes_values_that_are_not_sync() -> Result<(), LockError> {
    let locks = locks("key-not-sync").await;
    assert!(by_value_that_is_not_sync(&locks, Counted(std::cell::Cell::new(0))).await?);
    Ok(())
}

const BY_CONSTANT: &str = "stock:<id>";

#[distributed_lock(key = BY_CONSTANT, runtime = locks)]
async fn by_constant(locks: &Runtime, id: u64) -> Result<u64, LockError> {
    locks.inspect("unreachable").await.map(|_| id)
}

macro_rules! template {
    ($name:literal) => {
        concat!($name, ":<", "order.id", ">")
    };
}

#[distributed_lock(key = template!("order"), runtime = locks)]
async fn by_macro(locks: &Runtime, id: u64) -> Result<u64, LockError> {
    locks.inspect("unreachable").await.map(|_| id)
}

#[distributed_lock(key = format!("page:{title}"), runtime = locks)]
async fn by_format(locks: &Runtime, title: &str) -> Result<bool, LockError> {
    Ok(locked(locks, &format!("page:{title}")).await)
}

/// They would be one lock for every call.
#[tokio::test]
async fn a_key_that_is_computed_and_holds_a_placeholder_is_refused_with_the_reason() -> Result<(), LockError> {
    let locks = locks("key-constant").await;
    for (refused, text) in [
        (by_constant(&locks, 1).await.err(), "stock:<id>"),
        (by_macro(&locks, 1).await.err(), "order:<order.id>"),
        (by_format(&locks, "<title>").await.err(), "page:<title>"),
    ] {
        let Some(LockError::InvalidKey { key, reason, .. }) = refused else { panic!("{text}: {refused:?}") };
        assert_eq!(key.to_string(), text);
        assert!(reason.contains("only a string literal is a template"), "{reason}");
    }
    // The negative control: other brackets are text.
    for title in ["a < b", "a->b", "<a b>", "<>"] {
        assert!(by_format(&locks, title).await?, "{title}");
    }
    Ok(())
}

#[distributed_lock(key = LockKey::from_template("<<id>>:<id>", &[&id]), runtime = locks)]
async fn by_doubled_brackets(locks: &Runtime, id: &str) -> Result<bool, LockError> {
    Ok(locked(locks, "<id>:%3Cid%3E").await && id == "<id>")
}

#[distributed_lock(key = key, runtime = locks)]
async fn by_key_of_the_caller(locks: &Runtime, key: &LockKey) -> Result<bool, LockError> {
    Ok(locked(locks, &key.to_string()).await)
}

#[tokio::test]
async fn what_was_made_as_a_key_may_hold_any_brackets() -> Result<(), LockError> {
    let locks = locks("key-brackets").await;
    assert!(by_doubled_brackets(&locks, "<id>").await?);
    assert!(by_key_of_the_caller(&locks, &LockKey::from("page:<title>")).await?);
    // By hand a plain string is taken as it is.
    locks.lock("page:<title>").acquire().await?.release().await
}

#[distributed_lock(key = format!("shop:{shop}"), label = "orders of a shop", guard = lock, runtime = locks)]
async fn labelled(locks: &Runtime, shop: u8) -> Result<(String, &'static str), LockError> {
    Ok((lock.key().to_string(), lock.key().label()))
}

#[distributed_lock(key = format!("shop:{shop}"), guard = lock, runtime = locks)]
async fn labelled_by_its_source(locks: &Runtime, shop: u8) -> Result<&'static str, LockError> {
    Ok(lock.key().label())
}

#[tokio::test]
async fn a_label_names_the_lock_and_leaves_the_key() -> Result<(), LockError> {
    let locks = locks("key-label").await;
    assert_eq!(labelled(&locks, 7).await?, ("shop:7".to_owned(), "orders of a shop"));
    assert_eq!(labelled_by_its_source(&locks, 7).await?, "format!(\"shop:{shop}\")");
    let guard = locks.lock("shop:7").label("shop").acquire().await?;
    assert_eq!((guard.key().to_string().as_str(), guard.key().label()), ("shop:7", "shop"));
    guard.release().await?;
    for empty in ["", " "] {
        let refused = locks.lock("shop:7").label(empty).acquire().await.expect_err("it names nothing");
        assert!(refused.is_config() && refused.to_string().contains("label is empty"), "{refused}");
    }
    Ok(())
}
