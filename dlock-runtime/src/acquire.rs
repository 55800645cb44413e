//! Taking a lock: ask, wait, ask again, and leave nothing behind when giving up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tracing::Instrument;

use crate::{
    clock::Moment,
    engine::Engine,
    error::LockError,
    gate::Place,
    hold::Hold,
    holder::Holder,
    key::LockKey,
    lease::{Grant, Lease},
    observe,
    options::{Terms, Wait},
    store::{Answer, Claim, Fate, Reply, StoreError},
    wait::Patience,
};

/// However short the wait, an answer that is under way gets this long to arrive.
const LAST_MOMENT: Duration = Duration::from_millis(50);

/// # Errors
/// As [`LockRequest::acquire`](crate::LockRequest::acquire).
pub(crate) async fn acquire(
    engine: Arc<Engine>,
    key: LockKey,
    name: Arc<str>,
    terms: Terms,
    purpose: &'static str,
) -> Result<Arc<Hold>, LockError> {
    let label = key.label();
    observe::attempt(label);
    // The embedded store never suspends: without this, a loop over it would starve the executor.
    tokio::task::consume_budget().await;
    // A shutdown waits for this request as it does for a lock, or it would be granted behind its back.
    let _owed = engine.keeper.desk().owe();
    let mut patience = Patience::new(terms.wait);
    let asking = async {
        // Whoever is out of time in line asks once, to tell a lock that is busy from a store that does not answer.
        let gates = &engine.keeper.desk().gates;
        let place = if patience.left().is_zero() { None } else { gates.enter(&name, patience.left()).await };
        Request::new(&engine, key, name, terms, purpose, place).ask_until_answered(&mut patience).await
    };
    match asking.instrument(observe::acquiring(label)).await {
        Ok(lease) => {
            observe::acquired(label, patience.waited(), lease.fence);
            Ok(Hold::new(lease, engine))
        }
        Err(error) => {
            observe::not_acquired(label, &error);
            Err(error)
        }
    }
}

/// A request under way. When it is dropped without having become a lease, the keeper sees to it that nothing is
/// left behind in the store.
struct Request<'a> {
    engine: &'a Engine,
    key: LockKey,
    terms: Terms,
    /// Its place at the head of the line, if it waits.
    place: Option<Place>,
    id: u64,
    claim: Arc<Claim>,
    reply: Option<Reply<Answer>>,
    /// Some question got no answer. It may be carried out at any time.
    in_doubt: bool,
    settled: bool,
}

impl<'a> Request<'a> {
    fn new(
        engine: &'a Engine,
        key: LockKey,
        name: Arc<str>,
        terms: Terms,
        purpose: &str,
        place: Option<Place>,
    ) -> Self {
        let (id, token) = engine.next_token();
        let claim = Claim {
            name,
            token,
            ttl: terms.ttl,
            who: engine.who(purpose, key.label()),
            waits: terms.wait != Wait::For(Duration::ZERO),
            sent: AtomicBool::new(false),
        };
        Self { engine, key, terms, place, id, claim: Arc::new(claim), reply: None, in_doubt: false, settled: true }
    }

    async fn ask_until_answered(mut self, patience: &mut Patience) -> Result<Arc<Lease>, LockError> {
        let mut asked_after_disconnect = false;
        // What a caller whose time is over is told, if the store answered the last time.
        let mut heard: Option<Heard> = None;
        loop {
            self.engine.ensure_open()?;
            let limit = self.limit(patience);
            let error = match self.ask(limit).await {
                Ok(Verdict::Granted(lease)) => return Ok(lease),
                Ok(Verdict::Busy(holder)) => {
                    if !self.pause(patience, holder.remaining()).await {
                        return Err(self.busy(patience, holder));
                    }
                    heard = Some(Heard::Busy(holder));
                    continue;
                }
                Err(error) => error,
            };
            // It was not the store that failed if the caller's own time was too short for its answer.
            let cut_short = error.is_timeout() && limit < self.engine.keeper.desk().command_timeout;
            match heard.take() {
                Some(Heard::Busy(holder)) if cut_short => return Err(self.busy(patience, holder)),
                Some(Heard::NotYet(words)) if cut_short => return Err(words.about(&self.key)),
                _ => {}
            }
            if error.fate == Fate::NotYet {
                heard = Some(Heard::NotYet(error.clone()));
            }
            // A connection that was closed while it was idle is no reason to fail who tries but once.
            if error.fate == Fate::Unknown && !error.is_timeout() && !asked_after_disconnect {
                asked_after_disconnect = true;
                continue;
            }
            let passes = matches!(error.fate, Fate::NotYet | Fate::Unknown);
            if !passes || !self.pause(patience, None).await {
                return Err(error.about(&self.key));
            }
        }
    }

    /// Waits until it is worth asking again; false if there is no time left for that.
    async fn pause(&mut self, patience: &mut Patience, remaining: Option<Duration>) -> bool {
        match &self.place {
            Some(place) => patience.pause_or(remaining, place.nudged()).await,
            None => patience.pause(remaining).await,
        }
    }

    /// How long the next answer may take.
    fn limit(&self, patience: &Patience) -> Duration {
        let limit = self.engine.keeper.desk().command_timeout;
        if self.claim.waits { limit.min(patience.left().max(LAST_MOMENT)) } else { limit }
    }

    fn busy(&self, patience: &Patience, holder: Holder) -> LockError {
        LockError::Busy { key: self.key.clone(), waited: patience.waited(), holder: Some(holder) }
    }

    /// Asks once.
    async fn ask(&mut self, limit: Duration) -> Result<Verdict, StoreError> {
        let desk = self.engine.keeper.desk();
        self.settled = false;
        let asked = Moment::now();
        let reply = self.reply.insert(desk.store.acquire(&self.claim, desk.command_timeout));
        let answer = tokio::time::timeout(limit, reply).await.unwrap_or_else(|_| Err(StoreError::timed_out(limit)));
        self.reply = None;
        match answer {
            Ok(Answer::Granted { fence }) => {
                let lease = self.lease(fence, Grant { asked, ttl: self.terms.ttl });
                if Moment::now() < lease.deadline() {
                    self.settled = true;
                    return Ok(Verdict::Granted(Arc::new(lease)));
                }
                // The answer took longer than the lease lasts.
                Err(StoreError::timed_out(Moment::now().since(asked)))
            }
            Ok(Answer::Busy(holder)) => {
                self.settled = !self.in_doubt;
                Ok(Verdict::Busy(holder))
            }
            Err(error) => {
                self.in_doubt |= error.fate == Fate::Unknown && self.claim.sent.load(Ordering::Acquire);
                self.settled = !self.in_doubt;
                Err(error)
            }
        }
    }

    fn lease(&self, fence: u64, grant: Grant) -> Lease {
        let (name, token) = (Arc::clone(&self.claim.name), Arc::clone(&self.claim.token));
        Lease::new(self.id, self.key.clone(), name, token, fence, self.terms, grant, self.in_doubt)
    }
}

/// A definite answer, short of the lock.
enum Heard {
    Busy(Holder),
    NotYet(StoreError),
}

/// An [`Answer`] in terms of this process.
enum Verdict {
    Granted(Arc<Lease>),
    Busy(Holder),
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // A question that was never written will not be, once it is dropped.
        if self.claim.sent.load(Ordering::Acquire) {
            let claim = Arc::clone(&self.claim);
            self.engine.keeper.see_through(self.key.label(), claim, self.reply.take(), self.in_doubt);
        }
    }
}
