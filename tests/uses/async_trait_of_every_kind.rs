//! `#[async_trait]` with and without `Send`, with generics, patterns, lifetimes and every `self`.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::rc::Rc;
use std::sync::Arc;

use dlock_runtime::{LockError, distributed_lock};

#[async_trait::async_trait]
pub trait Stock<T: Send + Sync + 'static>: Send + Sync {
    #[distributed_lock(key = "default:<id>")]
    async fn default(&self, id: u64, _unused: T) -> Result<u64, LockError> {
        if id == 0 {
            return Ok(1);
        }
        Ok(id)
    }

    async fn counted(self: Arc<Self>, name: &str) -> Result<usize, LockError>;

    async fn boxed(self: Box<Self>, mut list: Vec<T>) -> Result<Vec<T>, LockError>;

    async fn lifetimes<'a>(&self, name: &'a str, other: &str) -> Result<&'a str, LockError>;

    async fn generic<U: Into<String> + Send>(&self, name: U) -> Result<String, LockError>
    where
        Self: Sized;

    async fn nothing(&self);
}

struct Shop;

#[async_trait::async_trait]
impl<T: Send + Sync + 'static> Stock<T> for Shop {
    #[distributed_lock(key = "counted:<name>")]
    async fn counted(self: Arc<Self>, name: &str) -> Result<usize, LockError> {
        Ok(name.len())
    }

    #[distributed_lock(key = "boxed")]
    async fn boxed(self: Box<Self>, mut list: Vec<T>) -> Result<Vec<T>, LockError> {
        list.clear();
        Ok(list)
    }

    #[distributed_lock(key = "lifetimes:<name>/<other>")]
    async fn lifetimes<'a>(&self, name: &'a str, other: &str) -> Result<&'a str, LockError> {
        Ok(if other.is_empty() { name } else { "" })
    }

    #[distributed_lock(key = "generic")]
    async fn generic<U: Into<String> + Send>(&self, name: U) -> Result<String, LockError>
    where
        Self: Sized,
    {
        Ok(name.into())
    }

    #[distributed_lock(key = "nothing", or_else = |_| ())]
    async fn nothing(&self) {}
}

#[async_trait::async_trait(?Send)]
trait Local {
    #[distributed_lock(key = "local:<id>")]
    async fn local(&self, id: Rc<u8>) -> Result<u8, LockError> {
        std::future::ready(()).await;
        Ok(*id)
    }
}
