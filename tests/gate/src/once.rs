//! What must happen once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Something that comes to an end, once. Looking at it is no step of its own.
#[derive(Debug)]
pub(crate) struct Once {
    what: String,
    over: AtomicBool,
}

impl Once {
    pub(crate) fn new(what: String) -> Self {
        Self { what, over: AtomicBool::new(false) }
    }

    pub(crate) fn end(&self) {
        assert!(!self.over.swap(true, Ordering::SeqCst), "{} ends twice", self.what);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(crate) fn must_last(&self) {
        assert!(!self.is_over(), "{} is used after its end", self.what);
    }

    pub(crate) fn must_be_over(&self) {
        assert!(self.is_over(), "{} is lost", self.what);
    }
}
