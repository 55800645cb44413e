//! Taking a lock: stand in line, use the lease that is there, or ask, wait, ask again; and leave nothing behind when
//! giving up.
//!
//! It uses the keeper and what this process holds; the interface uses it. An acquire is one path (`Request::run`), whether the
//! lease is there or is to be asked for, and a request that is dropped on the way leaves what it had to the keeper.

pub(crate) mod backoff;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    acquire::backoff::{LONGEST, Patience},
    keeper::{core::Engine, executor, hold::Hold, renewal, state::Desk},
    key::LockKey,
    local::{
        lease::Lease,
        pending::{Ask, Granted, Question},
        queue::{Entrance, Known, Left, Over, Pass, Place},
        turn::{Obligation, Opening, Taker, Turn},
        verdict::Verdict,
    },
    observe::Observer,
    protocol::{fences::Fences, grant::Grant},
    store::{Answer, Claim, Fate, More, Renewal, Renewed, StoreError},
    types::{
        clock::Moment,
        error::{LockError, LostReason},
        holder::Holder,
        options::{Terms, Wait},
    },
};

/// However short the wait, an answer that is under way gets this long to arrive.
const LAST_MOMENT: Duration = Duration::from_millis(50);

/// How long a lock stays free that others shall have a chance to get.
const REST: Duration = Duration::from_millis(1);

/// How many fences are reserved at once where many turns are to be expected.
pub(crate) const BLOCK: u32 = 8192;

/// A request for one turn.
pub(crate) struct Request {
    pub(crate) obligation: Obligation,
    pub(crate) key: LockKey,
    /// The key in the store.
    pub(crate) name: Arc<str>,
    pub(crate) terms: Terms,
    /// The function that asks; nothing if it is asked by hand.
    pub(crate) purpose: &'static str,
    /// Since when.
    pub(crate) since: Moment,
}

/// # Errors
/// As [`LockRequest::acquire`](crate::LockRequest::acquire).
pub(crate) async fn acquire(request: Request) -> Result<Hold, LockError> {
    let (label, since) = (request.key.label(), request.since);
    request.observer().attempt(label);
    // A turn on a lease that is there never suspends: without this, a loop over it would starve the executor.
    tokio::task::consume_budget().await;
    let span = request.observer().acquiring(label, &request.name);
    let (place, now) = match enter(&request).await {
        Ok(entered) => entered,
        Err(error) => {
            request.observer().not_acquired(label, &request.name, &error);
            return Err(error);
        }
    };
    let (hold, now) = match Opening::of(&place, &request.terms, None, now) {
        Some(opening) => (request.begin(place, opening, now), now),
        None => {
            let (host, name) = (Arc::clone(request.obligation.host()), Arc::clone(&request.name));
            // From here on it takes the store. Boxed, so that a turn on a lease that is there moves little about.
            match Box::pin(span.around(ask(place, request))).await {
                Ok(hold) => (hold, Moment::now()),
                Err(error) => {
                    host.observer().not_acquired(label, &name, &error);
                    return Err(error);
                }
            }
        }
    };
    hold.turn().observer().acquired(&hold.turn().hold(), now.since(since));
    Ok(hold)
}

/// Stands in line until its turn comes. Whoever is out of time there is told what is known about the lock; where nothing is,
/// one asks for all.
async fn enter(request: &Request) -> Result<(Place, Moment), LockError> {
    let Request { name, since, .. } = request;
    let gates = &request.core().keeper.desk().gates;
    let until = match request.terms.wait {
        Wait::For(Duration::ZERO) => {
            return match gates.enter_first(name) {
                Some(place) => Ok((place, *since)),
                // It is this very process that holds the lock: there is nothing to ask.
                None => match gates.held_here(name, *since) {
                    Some(lease) => Err(request.busy(Some(request.core().holder_of(&lease)))),
                    None => Ok((gates.aside(name), *since)),
                },
            };
        }
        Wait::For(bound) => since.after(bound),
        Wait::Forever => Moment::NEVER,
    };
    match gates.enter(name, until) {
        Entrance::Head(place) => Ok((place, *since)),
        Entrance::Queue(mut turnstile) => match turnstile.pass().await {
            Pass::Place(place) => Ok((place, Moment::now())),
            Pass::Over(Over::Ask) => Ok((gates.aside(name), Moment::now())),
            Pass::Over(over) => Err(request.is_over(over)),
            Pass::Closed => Err(LockError::ShutDown),
        },
        Entrance::Full => Err(request.busy(None)),
    }
}

impl Request {
    /// A hold from the first moment on: whoever drops it, wherever it got to, releases the lock.
    fn begin(self, place: Place, opening: Opening, now: Moment) -> Hold {
        let Self { obligation, key, purpose, terms, .. } = self;
        Hold::of(Turn::begin(place, opening, Taker { host: obligation, key, purpose, terms }, now))
    }

    fn observer(&self) -> &Observer {
        self.obligation.observer()
    }

    fn core(&self) -> &Engine {
        Engine::of(&**self.obligation.host())
    }

    fn busy(&self, holder: Option<Holder>) -> LockError {
        LockError::Busy { key: self.key.clone(), waited: Moment::now().since(self.since), holder }
    }

    /// Its time in line is over.
    fn is_over(&self, over: Over) -> LockError {
        match over {
            Over::HeldHere(lease) => self.busy(Some(self.core().holder_of(&lease))),
            Over::Known(Verdict::Busy(holder)) => self.busy(Some(holder)),
            Over::Known(Verdict::Failed(error)) => error.about(&self.key),
            Over::Ask | Over::Unknown => {
                let waited = Moment::now().since(self.since);
                StoreError::timed_out(self.core().keeper.desk().store.place(), waited).about(&self.key)
            }
        }
    }
}

async fn ask(place: Place, request: Request) -> Result<Hold, LockError> {
    let host = Arc::clone(request.obligation.host());
    let asking = move || async move {
        let mut patience = Patience::new(request.terms.wait, Moment::now().since(request.since));
        Head { request, fresh: None }.run(place, &mut patience).await
    };
    executor::run(&Engine::of(&*host).keeper, asking).await?
}

/// A request whose turn it is to act for its process.
struct Head {
    request: Request,
    /// When a yes was asked for that is meant for this request.
    fresh: Option<Moment>,
}

/// A definite answer.
enum Outcome {
    Granted,
    Busy(Holder),
}

impl Head {
    async fn run(mut self, mut place: Place, patience: &mut Patience) -> Result<Hold, LockError> {
        let mut asked_again = false;
        let mut known: Option<Verdict> = None;
        let mut heard = Self::heard(&place);
        loop {
            self.request.core().ensure_open()?;
            let now = Moment::now();
            if let Some(opening) = Opening::of(&place, &self.request.terms, self.fresh, now) {
                return Ok(self.request.begin(place, opening, now));
            }
            if let Some((holder, at)) = heard.take() {
                if !self.wait(&mut place, patience, Some(&holder), at).await || Self::is_relieved(&place, patience) {
                    return Err(self.busy(patience, holder));
                }
                known = Some(Verdict::Busy(holder));
                continue;
            }
            let limit = self.limit(patience);
            let outcome = match place.lease().cloned() {
                Some(lease) => self.prepare(&mut place, &lease, limit).await.map(|()| None),
                None => match self.ask(&mut place, patience, limit).await {
                    Ok(Outcome::Granted) => Ok(None),
                    Ok(Outcome::Busy(holder)) => Ok(Some(holder)),
                    Err(error) => Err(error),
                },
            };
            let error = match outcome {
                Ok(None) => continue,
                Ok(Some(holder)) => {
                    self.learn(&place, Verdict::Busy(holder.clone()));
                    let waited = self.wait(&mut place, patience, Some(&holder), Moment::now()).await;
                    if !waited || Self::is_relieved(&place, patience) {
                        return Err(self.busy(patience, holder));
                    }
                    known = Some(Verdict::Busy(holder));
                    continue;
                }
                Err(error) => error,
            };
            // It was not the store that failed if the caller's own time was too short for its answer.
            let cut_short = error.is_timeout() && limit < self.desk().command_timeout;
            match known.take() {
                Some(Verdict::Busy(holder)) if cut_short => return Err(self.busy(patience, holder)),
                Some(Verdict::Failed(words)) if cut_short => return Err(words.about(&self.request.key)),
                _ => {}
            }
            if error.fate == Fate::NotYet || error.is_too_slow() {
                known = Some(Verdict::Failed(error.clone()));
            }
            // A connection that is mute may have been forgotten on the way while it was idle. The next one is fresh.
            if error.is_timeout() && self.request.terms.wait == Wait::For(Duration::ZERO) && !asked_again {
                asked_again = true;
                continue;
            }
            let passes = matches!(error.fate, Fate::NotYet | Fate::Unknown);
            if passes {
                self.learn(&place, Verdict::Failed(error.clone()));
            }
            let goes_on = passes && self.wait(&mut place, patience, None, Moment::now()).await;
            if !goes_on || Self::is_relieved(&place, patience) {
                return Err(error.about(&self.request.key));
            }
        }
    }

    /// Renews a lease of this process that has too little left for this turn.
    async fn prepare(&mut self, place: &mut Place, lease: &Arc<Lease>, limit: Duration) -> Result<(), StoreError> {
        self.fresh = None;
        let asked = Moment::now();
        if asked >= lease.deadline() || lease.is_too_short_for(self.request.terms.ttl) {
            self.part(place, LostReason::Expired);
            return Ok(());
        }
        let more =
            || More { fences: BLOCK, who: self.request.core().who(self.request.purpose, self.request.key.label()) };
        let renewal = Renewal {
            ticket: lease.ticket.clone(),
            ttl: self.request.terms.ttl,
            shorten: false,
            more: (!lease.has_fences()).then(more),
        };
        let desk = self.desk();
        // If this is given up, the lease may be parked.
        desk.ledger.enter(lease, asked.after(LAST_MOMENT));
        let limit = limit.min(lease.deadline().since(asked).max(LAST_MOMENT));
        let answers = renewal::ask(desk, vec![renewal], limit).await;
        match answers.and_then(|mut answers| answers.pop().unwrap_or(Ok(Renewed::No))) {
            Ok(Renewed::No) => self.part(place, LostReason::Gone),
            Ok(Renewed::Yes) => self.prepared(lease, asked),
            Ok(Renewed::With(first)) => {
                lease.refill(Fences::new(first, BLOCK));
                self.prepared(lease, asked);
            }
            // Somebody overwrote it: the store will say the same to a question of our own.
            Err(error) if error.fate == Fate::WrongType => self.part(place, LostReason::Refused),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn prepared(&mut self, lease: &Lease, asked: Moment) {
        lease.extend(Grant { asked, ttl: self.request.terms.ttl });
        self.fresh = Some(asked);
    }

    /// The lease that the process had is over before this turn began.
    fn part(&self, place: &mut Place, reason: LostReason) {
        if let Some(lease) = place.part() {
            lease.lose(reason);
            self.desk().give_back(Left::Lease(lease));
        }
    }

    /// Asks once, unless a message makes that needless.
    async fn ask(&mut self, place: &mut Place, patience: &Patience, limit: Duration) -> Result<Outcome, StoreError> {
        self.fresh = None;
        let waits = self.request.terms.wait != Wait::For(Duration::ZERO) && !patience.is_none();
        let ask = match place.ask() {
            // Begun by somebody who did not wait, it would never queue.
            Some(ask) if ask.claim.waits || !waits => Arc::clone(ask),
            before => {
                let before = before.cloned();
                let ask = Arc::new(self.new_ask(place, waits));
                place.begin_to_ask(Arc::clone(&ask));
                if let Some(before) = before {
                    self.desk().give_back(Left::Ask(before));
                }
                ask
            }
        };
        if ask.take_free() || std::mem::take(&mut place.rests) {
            tokio::time::sleep(REST).await;
        }
        if Self::is_handed(place, &ask) {
            return Ok(Outcome::Granted);
        }
        let (desk, claim) = (self.desk(), &ask.claim);
        let question = ask.resume().unwrap_or_else(|| {
            let asked = Moment::now();
            ask.leaves(asked);
            Question { asked, reply: desk.store.acquire(claim, desk.command_timeout) }
        });
        let asked = question.asked;
        let answer = Asking { ask: &ask, question: Some(question) }.answer(desk, limit).await;
        match answer {
            Ok(Answer::Granted { fence, waiting }) => {
                let grant = Grant { asked, ttl: claim.ttl };
                let took = Moment::now().since(asked);
                if asked.after(took) < grant.deadline() {
                    // An answer to this very request is good for its turn.
                    self.fresh = (claim.ttl == self.request.terms.ttl).then_some(asked);
                    take(place, &ask, fence, waiting, grant, took);
                    return Ok(Outcome::Granted);
                }
                // The answer took longer than the lease lasts.
                ask.doubt();
                Err(StoreError::too_slow(self.desk().store.place(), took, claim.ttl))
            }
            Ok(Answer::Busy { holder, floor }) => {
                ask.not_yet(asked, floor);
                // The message of a hand-over may have been here before the answer.
                Ok(if Self::is_handed(place, &ask) { Outcome::Granted } else { Outcome::Busy(holder) })
            }
            Err(error) => {
                if error.fate == Fate::Unknown && claim.sent.load(Ordering::Acquire) {
                    ask.doubt();
                }
                Err(error)
            }
        }
    }

    fn new_ask(&self, place: &Place, waits: bool) -> Ask {
        let label = self.request.key.label();
        let claim = Claim {
            ticket: self.request.core().next_ticket(&self.request.name),
            ttl: self.request.terms.ttl,
            fences: if place.has_followers() { BLOCK } else { 1 },
            who: self.request.core().who(self.request.purpose, label),
            waits,
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
        };
        Ask::new(claim, label)
    }

    /// Takes the lock if a message says that it was handed over. Too late a message is passed over: the next answer
    /// brings a fresh lease.
    fn is_handed(place: &mut Place, ask: &Arc<Ask>) -> bool {
        let Some(Granted { fence, waiting, from }) = ask.take_grant() else { return false };
        let grant = Grant { asked: from, ttl: ask.claim.ttl };
        let in_time = Moment::now() < grant.deadline();
        if in_time {
            // A question whose task went away may be carried out late.
            if ask.resume().is_some() {
                ask.doubt();
            }
            take(place, ask, fence, waiting, grant, Duration::ZERO);
        }
        in_time
    }

    /// What was answered just now to a request that another began. Who goes on with it need not ask at once, or each of
    /// many who run out of time one after another would.
    fn heard(place: &Place) -> Option<(Holder, Moment)> {
        place.ask().filter(|ask| ask.claim.waits && ask.is_answered())?;
        let known = place.known()?;
        if let Verdict::Busy(holder) = known.verdict { Some((holder, known.at)) } else { None }
    }

    /// Whether its time is over and others go on with the request. A last question is for those behind whom nobody asks.
    fn is_relieved(place: &Place, patience: &Patience) -> bool {
        patience.is_none() && place.is_followed() && place.ask().is_some_and(|ask| ask.is_quiet())
    }

    /// Tells those in line what the store said. It is asked again within the longest pause and the time for an answer.
    fn learn(&self, place: &Place, verdict: Verdict) {
        let now = Moment::now();
        place.learn(Known { verdict, at: now, until: now.after(2 * LONGEST).after(self.desk().command_timeout) });
    }

    /// Waits until it is worth asking again; false if there is no time left for that. The last answer came at `since`.
    async fn wait(
        &mut self,
        place: &mut Place,
        patience: &mut Patience,
        holder: Option<&Holder>,
        since: Moment,
    ) -> bool {
        let Some(ask) = place.ask().cloned() else { return patience.pause(None).await };
        // Whoever hands locks over tells us; others must be asked.
        let is_told = holder.is_some_and(|holder| !holder.is_foreign()) && ask.claim.waits && self.desk().hears();
        let age = Moment::now().since(since);
        patience.listen(holder.and_then(Holder::remaining), is_told, age, ask.heard()).await
    }

    /// How long the next answer may take.
    fn limit(&self, patience: &Patience) -> Duration {
        let limit = self.desk().command_timeout;
        if self.request.terms.wait == Wait::For(Duration::ZERO) {
            limit
        } else {
            limit.min(patience.left().max(LAST_MOMENT))
        }
    }

    fn busy(&self, patience: &Patience, holder: Holder) -> LockError {
        LockError::Busy { key: self.request.key.clone(), waited: patience.waited(), holder: Some(holder) }
    }

    fn desk(&self) -> &Arc<Desk> {
        self.request.core().keeper.desk()
    }
}

/// The request became a lease, by an answer that took so long, or by a message, which takes no time of ours.
fn take(place: &mut Place, ask: &Ask, fence: u64, waiting: u64, grant: Grant, took: Duration) {
    let fences = Fences::new(fence, ask.claim.fences);
    let doubt = ask.in_doubt().then(|| Arc::clone(&ask.claim));
    let lease = Lease::new(ask.claim.ticket.clone(), ask.label, fences, grant, waiting > 0, doubt);
    place.take_lease(Arc::new(lease.answered_after(took)));
}

/// A question that a task waits for. If that goes away, the question stays with the request, as it may be carried out
/// all the same.
struct Asking<'a> {
    ask: &'a Ask,
    question: Option<Question>,
}

impl Asking<'_> {
    async fn answer(mut self, desk: &Desk, limit: Duration) -> Result<Answer, StoreError> {
        let Some(question) = &mut self.question else { return Err(StoreError::timed_out(desk.store.place(), limit)) };
        let answer = desk.within(limit, &mut question.reply).await;
        self.question = None;
        answer
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        // A question that was never written will not be, once it is dropped.
        if let Some(question) = self.question.take().filter(|_| self.ask.claim.sent.load(Ordering::Acquire)) {
            self.ask.suspend(question);
        }
    }
}
