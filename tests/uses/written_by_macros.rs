//! Name, type, key, options and body may each come through a `macro_rules!`.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

macro_rules! function {
    ($(#[$meta:meta])* $vis:vis $name:ident($id:ident: $ty:ty) -> $out:ty, $key:literal, $ttl:expr, { $($body:tt)* }) => {
        $(#[$meta])*
        #[distributed_lock(key = $key, ttl = $ttl)]
        $vis async fn $name($id: $ty) -> $out { $($body)* }
    };
}
function!(
    /// Documented.
    pub everything(id: u8) -> Result<u8, LockError>, "everything:<id>", std::time::Duration::from_secs(3), {
        if id == 0 {
            return Ok(1);
        }
        Ok(id)
    }
);

macro_rules! own_names {
    ($($name:ident),*) => {$(
        #[distributed_lock(key = "own:<id>/<order.sku>", guard = lock)]
        async fn $name(id: u8, order: Order) -> Result<u64, LockError> {
            let fence = lock.fence();
            Ok(fence + u64::from(id + order.sku))
        }
    )*};
}
own_names!(first, second);

struct Order {
    sku: u8,
}

macro_rules! methods {
    ($ty:ident: $($name:ident = $key:literal),*) => {
        impl $ty {$(
            #[distributed_lock(key = $key)]
            async fn $name(&self) -> Result<u8, LockError> {
                Ok(self.sku)
            }
        )*}
    };
}
methods!(Order: one = "one:<self.sku>", two = "two:<self.sku>");

macro_rules! expression {
    ($key:expr, $when:expr, $pattern:pat) => {
        #[distributed_lock(key = $key, when = $when)]
        async fn by_expression($pattern: (u8, u8)) -> Result<(), LockError> {
            Ok(())
        }
    };
}
expression!(format!("expression:{}", 1), 1 > 0, (_left, _));
