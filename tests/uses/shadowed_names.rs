//! Nothing that a user can name changes what generated code means.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, unused_macros)]

mod shadowing {
    struct Result;
    struct Ok;
    struct Err;
    struct Some;
    struct Duration;
    struct str;
    mod core {}
    mod std {}
    fn key() {}
    fn acquire() {}
    fn fail() {}
    macro_rules! stringify {
        () => {};
    }
    macro_rules! unreachable {
        () => {};
    }

    #[::dlock_runtime::distributed_lock(key = "a:<__lock>", ttl = 1, wait = 0, max_hold = 3)]
    pub(super) async fn f(
        __lock: u8,
        __key: u8,
        __output: u8,
    ) -> ::core::result::Result<u8, ::dlock_runtime::LockError> {
        ::core::result::Result::Ok(__lock + __key + __output)
    }
}

#[test]
fn compiles_and_runs() {
    let _ = shadowing::f;
}
