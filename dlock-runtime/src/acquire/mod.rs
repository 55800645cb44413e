//! The way of one acquire: wait in the local queue, use the lease that the process has, or else ask the store, back off and
//! ask again.
//!
//! It uses the keeper and what this process holds; the interface uses it. There is one path, [`acquire`], whatever the lock's
//! state. A request that is dropped on the way leaves nothing behind: the baton passes on what it has, and a command without a
//! reply stays with its pending request (`in_flight.rs`), which the next task or the keeper takes over.
//!
//! `head.rs` is the loop of the task that asks the store, `exchange.rs` what it asks, `setback.rs` what it does about an error,
//! `backoff.rs` how long it waits between.

pub(crate) mod backoff;
mod exchange;
mod head;
mod in_flight;
mod setback;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use self::{backoff::Backoff, head::Head};
use crate::{
    keeper::{core::Core, executor, hold::Hold},
    key::LockKey,
    local::{
        queue::{Baton, Entered, TimedOut, WaitEnd},
        turn::{Obligation, Opening, Taker, Turn},
        verdict::Verdict,
    },
    observe::{Observer, Scope},
    store::StoreError,
    types::{
        boot_time::BootTime,
        error::LockError,
        holder::Holder,
        options::{Terms, Wait},
    },
};

/// A request for one turn.
pub(crate) struct Request {
    pub(crate) obligation: Obligation,
    pub(crate) key: LockKey,
    /// The key in the store.
    pub(crate) name: Arc<str>,
    pub(crate) terms: Terms,
    /// The function that wants the lock; empty if there is none.
    pub(crate) purpose: &'static str,
    /// When it began.
    pub(crate) since: BootTime,
}

/// # Errors
/// As [`LockRequest::acquire`](crate::LockRequest::acquire). They are boxed on the way: a turn on a lease that is there is passed
/// through several hands, and room for an error would be copied each time.
pub(crate) async fn acquire(request: Request) -> Result<Hold, Box<LockError>> {
    let (label, since) = (request.key.label(), request.since);
    request.observer().attempt(label);
    let span = request.observer().acquiring(label, &request.name);
    let (baton, now) = match enter(&request).await {
        Ok(entered) => entered,
        Err(error) => {
            request.observer().not_acquired(label, &request.name, &error);
            return Err(error);
        }
    };
    let (hold, now) = match Opening::of(&baton, &request.terms, None, now) {
        Some(opening) => (request.begin(baton, opening, now), now),
        None => {
            let (host, name) = (Arc::clone(request.obligation.obligor()), Arc::clone(&request.name));
            match ask(span, baton, request).await {
                Ok(hold) => (hold, BootTime::now()),
                Err(error) => {
                    host.observer().not_acquired(label, &name, &error);
                    return Err(Box::new(error));
                }
            }
        }
    };
    hold.turn().observer().acquired(&hold.turn().hold(), now.since(since));
    Ok(hold)
}

/// Waits in the local queue for the baton. A request that is out of time gets what is known about the lock; if nothing is
/// known, one of them asks the store for all.
async fn enter(request: &Request) -> Result<(Baton, BootTime), Box<LockError>> {
    let Request { name, since, .. } = request;
    let queues = &request.core().keeper.state().queues;
    let until = match request.terms.wait {
        Wait::For(Duration::ZERO) => {
            return match queues.enter_if_idle(name) {
                Some(baton) => Ok((baton, without_a_wait(*since).await)),
                // If this process holds the lock itself, there is nothing to ask.
                None => match queues.held_here(name, *since) {
                    Some(lease) => Err(request.busy(Some(request.core().holder_of(&lease))).into()),
                    None => Ok((queues.unqueued_baton(name), *since)),
                },
            };
        }
        Wait::For(bound) => since.after(bound),
        Wait::Forever => BootTime::NEVER,
    };
    match queues.enter(name, until) {
        Entered::Head(baton) => Ok((baton, without_a_wait(*since).await)),
        Entered::Queued(mut waiter) => match waiter.wait().await {
            WaitEnd::Baton(baton) => Ok((baton, BootTime::now())),
            WaitEnd::TimedOut(TimedOut::AskStore) => Ok((queues.unqueued_baton(name), BootTime::now())),
            WaitEnd::TimedOut(known) => Err(request.timed_out(known).into()),
            WaitEnd::Closed => Err(LockError::ShutDown.into()),
        },
        Entered::Full => Err(request.busy(None).into()),
    }
}

/// The way of a task that came first, at `since`, to what time it is by its end. A turn on a lease that is there never suspends by
/// itself: a loop over it would starve the executor.
async fn without_a_wait(since: BootTime) -> BootTime {
    let (mut budget, mut was_suspended) = (pin!(tokio::task::consume_budget()), false);
    poll_fn(|cx| {
        let polled = budget.as_mut().poll(cx);
        was_suspended |= polled.is_pending();
        polled
    })
    .await;
    // Nearly always it goes on at once.
    if was_suspended { BootTime::now() } else { since }
}

/// Asks the store. Boxed and apart, so that a turn on a lease that is there has nothing of it in its future, nor in its code.
#[inline(never)]
fn ask(span: Scope, baton: Baton, request: Request) -> Pin<Box<dyn Future<Output = Result<Hold, LockError>> + Send>> {
    // Mostly it is known that this is the place.
    if executor::is_known_to_be_fit_here() {
        Box::pin(span.around(ask_store(baton, request)))
    } else {
        Box::pin(span.around(ask_where_that_can_be(baton, request)))
    }
}

/// Asks the store until the request has the lock or is out of time.
fn ask_store(baton: Baton, request: Request) -> impl Future<Output = Result<Hold, LockError>> + Send {
    let mut backoff = Backoff::new(request.terms.wait, BootTime::now().since(request.since));
    let mut head = Head::new(request);
    // A block, and a head that stays where it is: the future would hold each of them twice, and large ones are dear to allocate.
    async move {
        let (baton, opening, now) = head.run(baton, &mut backoff).await?;
        Ok(head.request.begin(baton, opening, now))
    }
}

/// The same, on an executor that can talk to the store.
async fn ask_where_that_can_be(baton: Baton, request: Request) -> Result<Hold, LockError> {
    let host = Arc::clone(request.obligation.obligor());
    executor::run(&Core::of(&*host).keeper, move || ask_store(baton, request)).await?
}

impl Request {
    /// Begins the turn. The hold exists in the same step, so that whoever drops it, wherever that is, releases the lock.
    fn begin(self, baton: Baton, opening: Opening, now: BootTime) -> Hold {
        let Self { obligation, key, purpose, terms, .. } = self;
        Hold::of(Turn::begin(baton, opening, Taker { host: obligation, key, purpose, terms }, now))
    }

    fn observer(&self) -> &Observer {
        self.obligation.observer()
    }

    fn core(&self) -> &Core {
        Core::of(&**self.obligation.obligor())
    }

    /// Who asks, for an operator.
    fn who(&self) -> String {
        self.core().who(self.purpose, self.key.label())
    }

    fn busy(&self, holder: Option<Holder>) -> LockError {
        LockError::Busy { key: self.key.clone(), waited: BootTime::now().since(self.since), holder }
    }

    /// The error of a request that was out of time in the local queue.
    fn timed_out(&self, known: TimedOut) -> LockError {
        match known {
            TimedOut::HeldHere(lease) => self.busy(Some(self.core().holder_of(&lease))),
            TimedOut::LastAnswer(answer) => match *answer {
                Verdict::Busy(holder) => self.busy(Some(holder)),
                Verdict::Failed(error) => error.about(&self.key),
            },
            TimedOut::AskStore | TimedOut::NoAnswer => {
                let waited = BootTime::now().since(self.since);
                let address = self.core().keeper.state().store.address_of(&self.name);
                StoreError::timed_out(&address, waited).about(&self.key)
            }
        }
    }
}
