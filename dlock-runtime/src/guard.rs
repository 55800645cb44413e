//! A lock in hand: what its holder can do with it, and the gate that stops a body whose lock is lost.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tracing::Instrument;

use crate::{
    clock::Moment,
    context,
    error::LockError,
    held,
    hold::Hold,
    key::LockKey,
    lease::{Grant, Lease},
    observe, renewal,
    store::Renewal,
};

/// A lock that is held.
///
/// It is renewed in the background until it is released or dropped. A guard does not stop its holder by itself:
/// run the work through [`run`](Self::run), or ask [`ensure_held`](Self::ensure_held) before each write, and let
/// the resource check the [`fence`](Self::fence).
///
/// Dropping a guard releases the lock at once in the background. Nobody hears about trouble in that but the log;
/// [`release`](Self::release) tells.
#[must_use = "a lock is released when its guard is dropped"]
pub struct Guard {
    /// `None` once it was given back.
    hold: Option<Arc<Hold>>,
}

impl Guard {
    pub(crate) fn of(hold: Arc<Hold>) -> Self {
        Self { hold: Some(hold) }
    }

    pub(crate) fn hold(&self) -> &Arc<Hold> {
        let Some(hold) = &self.hold else { unreachable!("only `release` takes it, and that consumes the guard") };
        hold
    }

    fn lease(&self) -> &Arc<Lease> {
        &self.hold().lease
    }

    /// The lock.
    pub fn key(&self) -> &LockKey {
        &self.lease().key
    }

    /// A number that grows from hold to hold of a key, below 2^53. Store it with what you write, and let the
    /// resource refuse smaller ones: `UPDATE .. SET fence = $f WHERE id = $id AND fence <= $f`.
    pub fn fence(&self) -> u64 {
        self.lease().fence
    }

    /// How long the lock is held for certain if no renewal succeeds from now on. Zero if it is lost.
    pub fn remaining(&self) -> Duration {
        let now = Moment::now();
        if self.lease().is_held_at(now) { self.lease().deadline().since(now) } else { Duration::ZERO }
    }

    /// Whether the lock is held now.
    pub fn is_held(&self) -> bool {
        self.lease().is_held()
    }

    /// Fails if the lock is not held now.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    pub fn ensure_held(&self) -> Result<(), LockError> {
        self.lease().ensure_held()
    }

    /// Renews the lock now, for its whole TTL. There is no need to while background renewal is on.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock is lost, [`LockError::Unavailable`] if the store did not answer: then it is
    /// still held for [`remaining`](Self::remaining).
    ///
    /// # Cancel safety
    /// If the future is dropped, the lock may have been renewed in the store; the guard counts on the time that it
    /// knows of.
    pub async fn renew(&self) -> Result<(), LockError> {
        let lease = Arc::clone(self.lease());
        let desk = Arc::clone(self.hold().engine.keeper.desk());
        context::run(&self.hold().engine.keeper, async move {
            lease.ensure_held()?;
            let asked = Moment::now();
            let ttl = lease.renewal_ttl(asked);
            let renewal = Renewal { name: Arc::clone(&lease.name), token: Arc::clone(&lease.token), ttl };
            let mut answers = desk
                .in_time(desk.store.renew(vec![renewal], desk.command_timeout))
                .await
                .map_err(|error| error.about(&lease.key))?;
            if let Some(answer) = answers.pop() {
                let failure = answer.as_ref().err().cloned();
                renewal::apply(&lease, Grant { asked, ttl }, answer);
                lease.ensure_held()?;
                failure.map_or(Ok(()), |error| Err(error.about(&lease.key)))
            } else {
                lease.ensure_held()
            }
        })
        .await?
    }

    /// Runs `body` while the lock is held. If the lock is lost, `body` is dropped at its next await, so that guards
    /// inside of it (of a transaction, say) undo what they guard, and the loss is returned.
    ///
    /// Requests for the same lock from inside of `body` join this hold.
    ///
    /// # Errors
    /// [`LockError::Lost`]. If `body` came to its end first, its output is returned; whether the lock was held to
    /// that very moment is what [`ensure_held`](Self::ensure_held) or [`release`](Self::release) tells.
    ///
    /// # Cancel safety
    /// Dropping the future drops `body`. The lock stays with the guard.
    pub async fn run<F: Future>(&self, body: F) -> Result<F::Output, LockError> {
        let gated = Gated { body: Some(body), lease: Arc::clone(self.lease()) };
        self.run_to_end(gated).await
    }

    /// Runs `body` to its end whatever becomes of the lock.
    pub(crate) async fn run_to_end<F: Future>(&self, body: F) -> F::Output {
        held::within(Arc::clone(self.hold()), body).instrument(observe::holding(self.key().label(), self.fence())).await
    }

    /// Gives the lock back and waits for the store to confirm it.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock was lost before. [`LockError::Unavailable`] if the store did not answer: the
    /// keeper goes on trying, and at the latest the TTL frees the lock.
    ///
    /// # Cancel safety
    /// If the future is dropped, the keeper releases the lock.
    pub async fn release(mut self) -> Result<(), LockError> {
        match self.hold.take() {
            Some(hold) => hold.release_user().await,
            None => Ok(()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.drop_user();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lease = self.lease();
        f.debug_struct("Guard")
            .field("key", &lease.key)
            .field("fence", &lease.fence)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The poll gate: a body that is polled only while the lease is held.
    ///
    /// After a pause of the whole process the deadline is looked at before the body is resumed, so that the body
    /// is dropped instead.
    struct Gated<F> {
        #[pin]
        body: Option<F>,
        lease: Arc<Lease>,
    }
}

impl<F: Future> Future for Gated<F> {
    type Output = Result<F::Output, LockError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.lease.is_held() {
            let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Pending };
            if let Poll::Ready(output) = body.poll(cx) {
                this.body.set(None);
                return Poll::Ready(Ok(output));
            }
            // First leave word, then look: a loss in between is seen by one of the two.
            this.lease.watch(cx.waker());
            if this.lease.is_held() {
                return Poll::Pending;
            }
        }
        this.body.set(None);
        Poll::Ready(Err(this.lease.loss()))
    }
}
