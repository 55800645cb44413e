//! A body that runs under a lock.
//!
//! It is compiled for each body anew, so it is short: what does not depend on the body is in [`Around`]. And it is written by
//! hand, because an `async fn` would keep the body twice, as its argument and as what it awaits.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    local::{
        reentry::Frame,
        turn::{Turn, Watch},
    },
    observe::Scope,
    types::{error::LockError, options::OnLost},
};

pin_project_lite::pin_project! {
    /// A body, and what is around it unless no lock was asked for.
    pub(crate) struct Running<F> {
        #[pin]
        body: Option<F>,
        around: Option<Around>,
    }

    impl<F> PinnedDrop for Running<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (Some(around), true) = (this.around, this.body.is_some()) {
                around.end(&mut |_| {
                    this.body.set(None);
                    true
                });
            }
        }
    }
}

impl<F> Running<F> {
    pub(crate) fn new(body: F, around: Option<Around>) -> Self {
        Self { body: Some(body), around }
    }
}

impl<F: Future> Future for Running<F> {
    type Output = Result<F::Output, LockError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut output = None;
        let step: Step<'_> = &mut |cx| {
            if let (Some(cx), Some(body)) = (cx, this.body.as_mut().as_pin_mut()) {
                match body.poll(cx) {
                    Poll::Ready(ready) => output = Some(ready),
                    Poll::Pending => return false,
                }
            }
            this.body.set(None);
            true
        };
        let ended = match this.around {
            Some(around) => around.poll(step, cx),
            None if step(Some(cx)) => Poll::Ready(Ok(())),
            None => Poll::Pending,
        };
        ended.map(|ended| {
            ended.map(|()| match output {
                Some(output) => output,
                None => unreachable!("a future is not polled after its end"),
            })
        })
    }
}

/// Polls the body, or drops it if there is nothing to poll it with. Says whether it has come to its end.
type Step<'a> = &'a mut dyn FnMut(Option<&mut Context<'_>>) -> bool;

/// The turn under which a body runs, and what becomes of the body when that is lost.
pub(crate) struct Around {
    frame: Frame,
    span: Scope,
    on_lost: OnLost,
    /// By which the turn knows whom to wake.
    watch: Watch,
}

impl Drop for Around {
    fn drop(&mut self) {
        self.frame.turn().forget(&mut self.watch);
    }
}

impl Around {
    pub(crate) fn new(turn: &Arc<Turn>, on_lost: OnLost) -> Self {
        let span = turn.observer().holding(&turn.hold());
        Self { frame: Frame::of(Arc::clone(turn)), span, on_lost, watch: Watch::default() }
    }

    /// The poll gate: a body is polled only while its turn is held.
    ///
    /// After a pause of the whole process the deadline is looked at before the body is resumed, so that the body
    /// is dropped instead.
    fn poll(&mut self, step: Step<'_>, cx: &mut Context<'_>) -> Poll<Result<(), LockError>> {
        let Self { frame, span, on_lost, watch } = self;
        let ended = span.within(|| {
            frame.is_polled();
            let turn = frame.turn();
            frame.within(|| {
                if *on_lost == OnLost::Finish {
                    return if step(Some(cx)) { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
                if turn.is_held() {
                    if step(Some(cx)) {
                        return Poll::Ready(Ok(()));
                    }
                    // First leave word, then look: a loss in between is seen by one of the two.
                    turn.watch(watch, cx.waker());
                    if turn.is_held() {
                        return Poll::Pending;
                    }
                }
                step(None);
                Poll::Ready(Err(turn.loss()))
            })
        });
        if ended.is_ready() {
            frame.turn().forget(watch);
        }
        ended
    }

    /// What the body drops is still under the lock.
    fn end(&self, step: Step<'_>) {
        self.span.within(|| self.frame.within(|| step(None)));
    }
}
