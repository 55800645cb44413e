//! Traits with associated types and constants, generic methods, super traits, and blanket implementations.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::fmt::Display;

use dlock_runtime::{LockError, distributed_lock};

trait Named: Send + Sync {
    const NAME: &'static str;
    type Id: Display + Send;
    type Error: From<LockError>;

    #[distributed_lock(key = "<id>")]
    async fn take(&self, id: Self::Id) -> Result<Option<Self::Id>, Self::Error> {
        Ok(Some(id))
    }

    #[distributed_lock(key = format!("{}:{}", Self::NAME, id))]
    async fn put<T: Into<Self::Id>>(&mut self, id: T) -> Result<(), Self::Error>
    where
        T: Display,
    {
        let _ = id.into();
        Ok(())
    }

    #[distributed_lock(key = Self::NAME)]
    async fn associated() -> Result<&'static str, LockError> {
        Ok(Self::NAME)
    }

    async fn required(self: Box<Self>, id: Self::Id) -> Result<Self::Id, LockError>;
}

impl<T: Display + Send + Sync> Named for Vec<T> {
    const NAME: &'static str = "vec";
    type Id = u8;
    type Error = LockError;

    #[distributed_lock(key = "required:<id>")]
    async fn required(self: Box<Self>, id: u8) -> Result<Self::Id, LockError> {
        Ok(id + self.len() as u8)
    }

    #[distributed_lock(key = "overridden")]
    async fn associated() -> Result<&'static str, LockError> {
        Ok("overridden")
    }
}
