//! Names that generated code uses, too: whatever a user calls `key`, `lock`, `Ok` or `core`, each side means its own.

use crate::{Held, during, locked, locks};
use dlock_runtime::{LockError, Runtime, distributed_lock};

#[distributed_lock(key = "<__key>:<key>:<lock>", runtime = locks, ttl = ttl, wait = wait, when = when, or_else = |_| None)]
#[expect(clippy::too_many_arguments, reason = "one parameter a name")]
async fn like_locals_and_options(
    locks: &Runtime,
    __key: u8,
    key: u8,
    lock: u8,
    ttl: std::time::Duration,
    wait: std::time::Duration,
    when: bool,
    (__lock, __options, __output): (u8, u8, u8),
    (__fail, __or_else, __when, __err): (u8, u8, u8, u8),
    (run, release, rt, options): (u8, u8, u8, u8),
) -> Option<(bool, u32)> {
    let sum =
        [__key, key, lock, __lock, __options, __output, __fail, __or_else, __when, __err, run, release, rt, options];
    let held = when && locked(locks, "1:2:3").await && ttl == wait;
    Some((held, sum.into_iter().map(u32::from).sum()))
}

#[distributed_lock(key = "guard:<__guard>", runtime = locks, guard = __lock)]
async fn a_guard_like_a_local(locks: &Runtime, __guard: u8) -> Held<u64> {
    Ok((__lock.is_held(), __lock.fence()))
}

#[distributed_lock(key = "<r#type>:<match>", runtime = locks)]
async fn r#loop(locks: &Runtime, r#type: u8, r#match: &str) -> Held<usize> {
    Ok((locked(locks, "1:x").await, r#match.len() + usize::from(r#type)))
}

#[distributed_lock(key = "größe:<größe>", runtime = locks)]
async fn größer(locks: &Runtime, größe: u8) -> Held<u8> {
    Ok((locked(locks, &format!("größe:{größe}")).await, größe + 1))
}

#[tokio::test]
async fn variables_may_be_called_like_those_of_generated_code() {
    let locks = locks("variables").await;
    let time = std::time::Duration::from_secs(1);
    let call = like_locals_and_options(&locks, 1, 2, 3, time, time, true, (4, 5, 6), (7, 8, 9, 10), (11, 12, 13, 14));
    let call = async { Ok(call.await.expect("the lock was free")) };
    assert_eq!(during(&locks, "1:2:3", call).await, 105);
    assert!(during(&locks, "guard:1", a_guard_like_a_local(&locks, 1)).await > 0);
    assert_eq!(during(&locks, "1:x", r#loop(&locks, 1, "x")).await, 2);
    assert_eq!(during(&locks, "größe:7", größer(&locks, 7)).await, 8);
}

/// Everything that a prelude gives means something else here, and so do `core` and `std`.
mod hostile {
    #![allow(dead_code, non_camel_case_types, unused_macros, reason = "they are only there to be in the way")]

    use super::{LockError, Runtime};

    pub(super) struct Result;
    pub(super) struct Ok;
    pub(super) struct Err;
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct Option;
    pub(super) struct Box;
    pub(super) struct Duration;
    pub(super) struct str;
    pub(super) struct bool;
    pub(super) trait Future {}
    pub(super) trait Into {}
    pub(super) trait From {}
    mod core {}
    mod std {}
    mod alloc {}
    mod dlock_runtime {}
    fn key() {}
    fn acquire() {}
    fn returns() {}
    macro_rules! stringify {
        () => {};
    }
    macro_rules! format_args {
        () => {};
    }
    macro_rules! unreachable {
        () => {};
    }

    #[::dlock_runtime::distributed_lock(key = "hostile:<id>", runtime = locks, ttl = 2, wait = "1500us", max_hold = 3)]
    pub(super) async fn result(locks: &Runtime, id: u8) -> super::Held<u8> {
        ::core::result::Result::Ok((super::locked(locks, "hostile:1").await, id))
    }

    #[::dlock_runtime::distributed_lock(key = "hostile:<id>", runtime = locks, when = id == 1, or_else = |_| (false, 0))]
    pub(super) async fn or_else(locks: &Runtime, id: u8) -> (::core::primitive::bool, u8) {
        (super::locked(locks, "hostile:1").await, id)
    }

    #[::dlock_runtime::distributed_lock(key = id, runtime = locks, on_lost = finish, reentrant = false, guard = guard)]
    pub(super) async fn expression(
        locks: &Runtime,
        id: &::core::primitive::str,
    ) -> ::core::result::Result<::core::primitive::bool, LockError> {
        ::core::result::Result::Ok(guard.is_held() && super::locked(locks, id).await)
    }
}

/// Nothing is there unless it is named by its whole path, traits and macros included.
mod bare {
    #![no_implicit_prelude]

    #[::dlock_runtime::distributed_lock(key = "bare:<id>", runtime = locks, ttl = 2, renew = true, wait = 1)]
    pub(super) async fn result(locks: &::dlock_runtime::Runtime, id: u8) -> super::Held<u8> {
        ::core::result::Result::Ok((super::locked(locks, "bare:1").await, id))
    }

    #[::dlock_runtime::distributed_lock(key = "bare:<id>", runtime = locks, when = true, or_else = |_| (false, 0))]
    pub(super) async fn or_else(locks: &::dlock_runtime::Runtime, id: u8) -> (bool, u8) {
        (super::locked(locks, "bare:1").await, id)
    }
}

#[tokio::test]
async fn items_may_be_called_like_those_that_generated_code_uses() -> Result<(), LockError> {
    let locks = locks("items").await;
    assert_eq!(during(&locks, "hostile:1", hostile::result(&locks, 1)).await, 1);
    assert_eq!(hostile::or_else(&locks, 1).await, (true, 1));
    assert!(hostile::expression(&locks, "hostile:2").await?);
    assert_eq!(during(&locks, "bare:1", bare::result(&locks, 1)).await, 1);
    assert_eq!(bare::or_else(&locks, 1).await, (true, 1));
    Ok(())
}

macro_rules! named {
    ($name:ident) => {
        #[distributed_lock(key = "named:<id>", runtime = locks)]
        async fn $name(locks: &Runtime, id: u8) -> Held<u8> {
            Ok((locked(locks, &format!("named:{id}")).await, id))
        }
    };
}
named!(with_name_from_outside);

macro_rules! keyed {
    ($key:literal, $ttl:expr, $runtime:expr) => {
        #[distributed_lock(key = $key, ttl = $ttl, runtime = $runtime)]
        async fn with_key_from_outside(shop: &Shop, id: u8) -> Held<u8> {
            Ok((locked(&shop.locks, &format!("keyed:{id}")).await, id))
        }
    };
}
keyed!("keyed:<id>", 2, &shop_of_all().locks);

struct Shop {
    locks: Runtime,
}

static SHOP: std::sync::OnceLock<Shop> = std::sync::OnceLock::new();

fn shop_of_all() -> &'static Shop {
    SHOP.get().expect("the test opens it")
}

macro_rules! both {
    ($name:ident($locks:ident, $id:ident: $ty:ty) -> $out:ty, $key:literal, $body:block) => {
        #[distributed_lock(key = $key, runtime = $locks)]
        async fn $name($locks: &Runtime, $id: $ty) -> $out $body
    };
}
both!(with_all_from_outside(locks, id: u8) -> Held<u8>, "both:<id>", {
    Ok((locked(locks, &format!("both:{id}")).await, id))
});

macro_rules! hygienic {
    ($($own:ident: $key:literal),*) => {$(
        #[distributed_lock(key = $key, runtime = locks)]
        async fn $own(locks: &Runtime, id: u8) -> Held<u8> {
            // Names of the macro's own, of which its caller knows nothing.
            let result = locked(locks, &format!("{}:{id}", stringify!($own))).await;
            Ok((result, id))
        }
    )*};
}
hygienic!(first: "first:<id>", second: "second:<id>");

macro_rules! whole {
    ($(#[$attribute:meta])* $visibility:vis async fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility async fn $($rest)*
    };
}
whole! {
    /// Handed through.
    #[distributed_lock(key = "whole:<id>", runtime = locks)]
    pub(crate) async fn handed_through(locks: &Runtime, id: u8) -> Held<u8> {
        Ok((locked(locks, &format!("whole:{id}")).await, id))
    }
}

#[tokio::test]
async fn functions_may_be_written_by_macros() {
    let locks = locks("macros").await;
    let shop = SHOP.get_or_init(|| Shop { locks: locks.clone() });
    assert_eq!(during(&locks, "named:1", with_name_from_outside(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "keyed:1", with_key_from_outside(shop, 1)).await, 1);
    assert_eq!(during(&locks, "both:1", with_all_from_outside(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "first:1", first(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "second:1", second(&locks, 1)).await, 1);
    assert_eq!(during(&locks, "whole:1", handed_through(&locks, 1)).await, 1);
}
