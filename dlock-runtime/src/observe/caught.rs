//! Code of users that runs inside of ours: wakers, subscribers, recorders. A panic in it must neither end what the keeper
//! does for all other locks nor leave something half done.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::observe;

/// Runs code of a user. A panic ends here and is reported; then there is no output.
#[inline]
pub(crate) fn caught<T>(theirs: impl FnOnce() -> T) -> Option<T> {
    // What is ours in there is coherent at any moment: it is shared, and other threads look at it all the time.
    match catch_unwind(AssertUnwindSafe(theirs)) {
        Ok(output) => Some(output),
        Err(payload) => {
            report(payload);
            None
        }
    }
}

#[cold]
fn report(payload: Box<dyn Any + Send>) {
    observe::panicked(words(&*payload).to_owned());
    discard(payload);
}

/// What a panic said.
pub(crate) fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no words)")
}

/// What a panic carried may panic in turn when it is dropped.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_where_it_is_caught_even_if_what_it_carries_panics_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(caught(|| 7), Some(7));
        assert_eq!(caught(|| -> u8 { panic!("once") }), None);
        assert_eq!(caught(|| -> u8 { std::panic::panic_any(Bomb) }), None);
    }
}
