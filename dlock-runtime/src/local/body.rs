//! A body that runs under a lock.
//!
//! [`SupervisedBody`] is compiled anew for each body, so it is short: what does not depend on the body is in [`Supervisor`]. It
//! is written by hand because an `async fn` would keep the body twice, as its argument and as what it awaits.

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
    /// A body and its supervisor. There is none if the body runs without a lock.
    pub(crate) struct SupervisedBody<F> {
        #[pin]
        body: Option<F>,
        supervisor: Option<Supervisor>,
    }

    impl<F> PinnedDrop for SupervisedBody<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (Some(supervisor), true) = (this.supervisor, this.body.is_some()) {
                supervisor.end(&mut |_| {
                    this.body.set(None);
                    true
                });
            }
        }
    }
}

impl<F> SupervisedBody<F> {
    pub(crate) fn new(body: F, supervisor: Option<Supervisor>) -> Self {
        Self { body: Some(body), supervisor }
    }
}

impl<F: Future> Future for SupervisedBody<F> {
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
        let ended = match this.supervisor {
            Some(supervisor) => supervisor.poll(step, cx),
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

/// The turn under which a body runs, and what happens to the body when the turn is lost.
pub(crate) struct Supervisor {
    frame: Frame,
    span: Scope,
    on_lost: OnLost,
    /// Where the turn keeps the waker of the body.
    watch: Watch,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.frame.turn().forget(&mut self.watch);
    }
}

impl Supervisor {
    pub(crate) fn new(turn: &Arc<Turn>, on_lost: OnLost) -> Self {
        let span = turn.observer().holding(&turn.hold());
        Self { frame: Frame::of(Arc::clone(turn)), span, on_lost, watch: Watch::default() }
    }

    /// Polls the body, but only while its turn is held.
    ///
    /// So after a pause of the whole process the deadline is checked before the body goes on, and the body is dropped if it has
    /// passed.
    fn poll(&mut self, step: Step<'_>, cx: &mut Context<'_>) -> Poll<Result<(), LockError>> {
        let Self { frame, span, on_lost, watch } = self;
        let ended = span.within(|| {
            frame.note_outer();
            let turn = frame.turn();
            frame.within(|| {
                if *on_lost == OnLost::Finish {
                    return if step(Some(cx)) { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
                if turn.is_held() {
                    if step(Some(cx)) {
                        return Poll::Ready(Ok(()));
                    }
                    // The waker comes first, then the check: a loss in between either wakes it or is seen here.
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

    /// Drops the body, still under the lock.
    fn end(&self, step: Step<'_>) {
        self.span.within(|| self.frame.within(|| step(None)));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicBool, Ordering},
        task::Waker,
    };

    use super::*;
    use crate::{Runtime, local::reentry};

    #[tokio::test]
    async fn a_body_without_a_lock_runs_to_its_end() {
        let body = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(SupervisedBody::new(body, None).await.expect("there is nothing to lose"), 7);
    }

    #[tokio::test]
    async fn a_body_that_is_dropped_before_its_end_is_dropped_under_the_lock() {
        struct Look<'a>(&'a Runtime, &'a AtomicBool);
        impl Drop for Look<'_> {
            fn drop(&mut self) {
                self.1.store(reentry::find(self.0.0.identity, "body:k").is_some(), Ordering::Relaxed);
            }
        }
        let runtime = Runtime::builder().embedded().namespace("body").build().await.expect("it takes no store");
        let guard = runtime.lock("k").acquire().await.expect("free");
        let is_under_lock = AtomicBool::new(false);
        let look = Look(&runtime, &is_under_lock);
        let mut run = Box::pin(guard.run(async move {
            pending::<()>().await;
            drop(look);
        }));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(run);
        assert!(is_under_lock.load(Ordering::Relaxed));
    }
}
