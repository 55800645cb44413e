//! Spans around what we do, for subscribers that may panic: whoever enters or leaves one, or drops it, runs their code.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use tracing::{Level, Span, level_filters::LevelFilter, span::Entered};

use crate::observe::caught::caught;

/// A span.
pub(crate) struct Scope(Span);

impl Scope {
    /// For a span of the level `debug`.
    #[inline]
    pub(super) fn new(span: impl FnOnce() -> Span) -> Self {
        if LevelFilter::current() < Level::DEBUG {
            return Self(Span::none());
        }
        Self(caught(span).unwrap_or_else(Span::none))
    }

    /// Does a step in the span.
    pub(crate) fn within<T>(&self, step: impl FnOnce() -> T) -> T {
        if self.0.is_disabled() {
            return step();
        }
        let _inside = Inside(caught(|| self.0.enter()));
        step()
    }

    /// `work`, each step of it in the span, its end too.
    pub(crate) fn around<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        InScope { work: Some(work), scope: self }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Most of the time nobody listens, and there is nothing to drop.
        if !self.0.is_disabled() {
            let span = mem::replace(&mut self.0, Span::none());
            caught(|| drop(span));
        }
    }
}

/// Leaves the span also when the step panics, where another panic would end the process.
struct Inside<'a>(Option<Entered<'a>>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let entered = self.0.take();
        caught(|| drop(entered));
    }
}

pin_project_lite::pin_project! {
    struct InScope<F> {
        #[pin]
        work: Option<F>,
        scope: Scope,
    }

    impl<F> PinnedDrop for InScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.work.is_some() {
                this.scope.within(|| this.work.set(None));
            }
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.scope.within(|| match this.work.as_mut().as_pin_mut() {
            Some(work) => work.poll(cx).map(|output| {
                this.work.set(None);
                output
            }),
            None => unreachable!("a future is not polled after its end"),
        })
    }
}
