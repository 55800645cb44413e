//! A module in which nothing has a name but by its path.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

mod bare {
    #![no_implicit_prelude]

    #[::dlock_runtime::distributed_lock(
        key = "a:<id>",
        ttl = 3,
        wait = "forever",
        renew = true,
        max_hold = "unbounded",
        on_lost = cancel,
        when = id > 0,
        reentrant = true
    )]
    pub(super) async fn result(id: u8) -> ::core::result::Result<u8, ::dlock_runtime::LockError> {
        ::core::result::Result::Ok(id)
    }

    #[::dlock_runtime::distributed_lock(key = id, guard = guard, or_else = |_| 0)]
    pub(super) async fn or_else(id: u64) -> u64 {
        guard.fence()
    }
}

#[test]
fn compiles_and_runs() {
    let _ = (bare::result, bare::or_else);
}
