//! Futures that are dropped before their end.

use std::{future::poll_fn, task::Poll};

use crate::{
    plan::{MILLISECOND, Time},
    rng::Rng,
    sim::sim,
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

/// What a future comes to; `None` if it is dropped before its end.
pub(super) async fn cut_off<F: Future>(mut cut: Option<Cut>, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        match &mut cut {
            Some(Cut::After(polls) | Cut::Before(polls)) => match polls.checked_sub(1) {
                Some(left) => *polls = left,
                None => return Poll::Ready(None),
            },
            Some(Cut::In(span)) => {
                let at = sim().now() + *span;
                let waker = cx.waker().clone();
                sim().push(at, move |_| waker.wake());
                cut = Some(Cut::At(at));
            }
            Some(Cut::At(at)) if *at <= sim().now() => return Poll::Ready(None),
            _ => {}
        }
        let polled = future.as_mut().poll(cx).map(Some);
        let is_over = polled.is_pending() && matches!(cut, Some(Cut::After(0)));
        if is_over { Poll::Ready(None) } else { polled }
    })
    .await
}
