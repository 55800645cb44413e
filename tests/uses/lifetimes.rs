//! Lifetimes that are named, elided, anonymous and `'static`.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

struct Names<'a>(Vec<&'a str>);

#[distributed_lock(key = "<name>")]
async fn named<'a, 'b: 'a>(name: &'a str, other: &'b str) -> Result<&'a str, LockError> {
    Ok(if name.is_empty() { other } else { name })
}

#[distributed_lock(key = "<name>")]
async fn elided(name: &str) -> Result<&str, LockError> {
    Ok(name.trim())
}

#[distributed_lock(key = "names")]
async fn anonymous(names: Names<'_>) -> Result<Names<'_>, LockError> {
    Ok(names)
}

#[distributed_lock(key = "<name>")]
async fn endless(name: &'static str) -> Result<&'static str, LockError> {
    Ok(name)
}

impl<'a> Names<'a> {
    #[distributed_lock(key = "<name>")]
    async fn of_self(&mut self, name: &'a str) -> Result<&mut Self, LockError> {
        self.0.push(name);
        Ok(self)
    }

    #[distributed_lock(key = "first")]
    async fn of_the_type(&self) -> Result<Option<&'a str>, LockError> {
        Ok(self.0.first().copied())
    }
}
