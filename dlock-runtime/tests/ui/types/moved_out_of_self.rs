//! A field that is moved out of `&self` is told at the field.

use dlock_runtime::{LockError, distributed_lock};

struct Shop {
    name: String,
}

impl Shop {
    #[distributed_lock(key = "<self.name>")]
    async fn name(&self) -> Result<String, LockError> {
        Ok(self.name)
    }
}

fn main() {}
