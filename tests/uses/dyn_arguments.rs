//! Trait objects behind references and boxes.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<id>/<name>")]
async fn objects(
    id: &dyn Display,
    name: Box<dyn Display + Send + '_>,
    any: &mut (dyn Any + Send),
    mut call: Box<dyn FnMut(u8) -> u8>,
) -> Result<Box<dyn Display>, LockError> {
    let _ = (id, any.downcast_mut::<u8>());
    if call(1) == 1 {
        return Ok(Box::new(call(2)));
    }
    Ok(Box::new(name.to_string()))
}

#[distributed_lock(key = "error")]
async fn any_error(text: &str) -> Result<u8, Box<dyn Error + Send + Sync>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(text.parse()?)
}
