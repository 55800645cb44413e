//! Futures that are dropped before their end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    plan::{MILLISECOND, Time},
    rng::Rng,
    sim::{Event, sim},
};

/// When a future is dropped that is not finished by then.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// Right after so many polls.
    After(u64),
    /// Instead of the next one: something has come for it.
    Before(u64),
    /// So much time after its first poll, and at that time.
    In(Time),
    At(Time),
}

impl Cut {
    pub(super) fn draw(rng: &mut Rng, latency: Time) -> Self {
        let polls = rng.pick(&[2, 6, 60]);
        let span = rng.pick(&[2 * latency, 6 * latency, 100 * MILLISECOND]);
        match rng.below(3) {
            0 => Self::After(1 + rng.below(polls)),
            1 => Self::Before(1 + rng.below(polls)),
            _ => Self::In(rng.below(span)),
        }
    }
}

/// A future that may be dropped before its end.
pub(super) struct Cancelled<F> {
    future: Pin<Box<F>>,
    cut: Option<Cut>,
}

impl<F: Future> Cancelled<F> {
    pub(super) fn by(cut: Option<Cut>, future: F) -> Self {
        Self { future: Box::pin(future), cut }
    }
}

impl<F: Future> Future for Cancelled<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.cut {
            Some(Cut::After(polls) | Cut::Before(polls)) => match polls.checked_sub(1) {
                Some(left) => *polls = left,
                None => return Poll::Ready(None),
            },
            Some(Cut::In(span)) => {
                let at = sim().now() + *span;
                sim().push(at, Event::Wake(cx.waker().clone()));
                self.cut = Some(Cut::At(at));
            }
            Some(Cut::At(at)) if *at <= sim().now() => return Poll::Ready(None),
            _ => {}
        }
        let polled = self.future.as_mut().poll(cx).map(Some);
        if polled.is_pending() && matches!(self.cut, Some(Cut::After(0))) {
            return Poll::Ready(None);
        }
        polled
    }
}
