//! Locks by hand: a request becomes a guard, a guard is released.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    acquire,
    clock::Moment,
    context,
    error::LockError,
    held,
    hold::Hold,
    key::LockKey,
    lease::{Grant, Lease},
    options::{MaxHold, Renew, Wait, Wishes},
    renewal,
    runtime::Engine,
    store::Renewal,
};

/// A lock that is about to be taken: [`Runtime::lock`](crate::Runtime::lock) makes one.
///
/// What is not set here comes from the runtime's builder.
#[derive(Clone)]
#[must_use = "a request does nothing until it is acquired"]
pub struct LockRequest {
    engine: Arc<Engine>,
    key: LockKey,
    wishes: Wishes,
    joins: bool,
    purpose: &'static str,
}

impl LockRequest {
    pub(crate) fn new(engine: Arc<Engine>, key: LockKey) -> Self {
        Self { engine, key, wishes: Wishes::default(), joins: true, purpose: "" }
    }

    pub(crate) fn with(mut self, wishes: Wishes, purpose: &'static str) -> Self {
        self.wishes = wishes;
        self.purpose = purpose;
        self
    }

    /// How soon others may go on if this process dies. At least 20 ms; counted in whole milliseconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.wishes.ttl = Some(ttl);
        self
    }

    /// How long to wait while somebody else holds the lock, or the store cannot be asked. Zero: try once.
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.wishes.wait = Some(wait.into());
        self
    }

    /// Whether, or how often, the lock is renewed while it is held.
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.wishes.renew = Some(renew.into());
        self
    }

    /// How long the lock may be held in all.
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.wishes.max_hold = Some(max_hold.into());
        self
    }

    /// Whether a task that holds this lock already joins its own hold and renews it (the default), or gets
    /// [`LockError::WouldDeadlock`].
    pub fn reentrant(mut self, joins: bool) -> Self {
        self.joins = joins;
        self
    }

    /// Takes the lock, waiting for it as long as [`wait`](Self::wait) says.
    ///
    /// Inside of [`Guard::run`] with a guard of the same lock it joins that hold and renews it.
    ///
    /// # Errors
    /// [`LockError::Busy`] if somebody else held it all the time, [`LockError::Unavailable`] if the store could not
    /// be asked, and the errors of a request that cannot work: [`InvalidKey`](LockError::InvalidKey),
    /// [`Config`](LockError::Config), [`WouldDeadlock`](LockError::WouldDeadlock). In joining a hold,
    /// [`Lost`](LockError::Lost) if it was lost.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the request. If the store may have granted it, or may do so yet, the keeper
    /// gives the lock back.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), dlock_runtime::LockError> {
    /// use std::time::Duration;
    /// use dlock_runtime::Runtime;
    ///
    /// let runtime = Runtime::builder().embedded().build().await?;
    /// let guard = runtime.lock("report:daily").ttl(Duration::from_secs(5)).acquire().await?;
    /// println!("fence {}, {:?} left", guard.fence(), guard.remaining());
    /// guard.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn acquire(self) -> Result<Guard, LockError> {
        let Self { engine, key, wishes, joins, purpose } = self;
        engine.ensure_open()?;
        let terms = wishes.on(&engine.defaults)?;
        let name = engine.namespace.name(&key)?;
        if let Some(hold) = held::find(&engine, &name) {
            if !joins {
                return Err(LockError::WouldDeadlock { key });
            }
            if hold.join() {
                let guard = Guard { hold: Some(hold) };
                guard.renew().await?;
                return Ok(guard);
            }
        }
        let keeper = Arc::clone(&engine);
        context::run(&keeper.keeper, acquire::acquire(engine, key, name, terms, purpose)).await?.map(Guard::of)
    }

    /// Takes the lock if nobody else holds it, and does not wait: `None` means busy.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), but for `Busy`.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn try_acquire(self) -> Result<Option<Guard>, LockError> {
        match self.wait(Duration::ZERO).acquire().await {
            Ok(guard) => Ok(Some(guard)),
            Err(LockError::Busy { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRequest").field("key", &self.key).field("wishes", &self.wishes).finish_non_exhaustive()
    }
}

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
        held::within(Arc::clone(self.hold()), Gated { body: Some(body), lease: Arc::clone(self.lease()) }).await
    }

    /// Runs `body` to its end whatever becomes of the lock.
    pub(crate) async fn run_to_end<F: Future>(&self, body: F) -> F::Output {
        held::within(Arc::clone(self.hold()), body).await
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

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
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
