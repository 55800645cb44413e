//! Key and parameter may come from different places of a `macro_rules!`.

use dlock_runtime::{LockError, distributed_lock};

pub mod reexports {
    pub use dlock_runtime::__rt;
}

macro_rules! key_from_outside {
    ($key:literal) => {
        #[distributed_lock(key = $key, crate = $crate::through_macro_rules::reexports)]
        async fn inside(id: u8) -> Result<u8, LockError> {
            Ok(id)
        }
    };
}
key_from_outside!("stock:<id>");

macro_rules! parameter_from_outside {
    ($id:ident) => {
        #[distributed_lock(key = "stock:<id>")]
        async fn outside($id: u8) -> Result<u8, LockError> {
            Ok($id)
        }
    };
}
parameter_from_outside!(id);

#[test]
fn compiles_and_runs() {
    let _ = (inside, outside);
}
