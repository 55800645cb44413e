//! What the keeper does for leases that are due: it ends what is over, and renews the rest in few pipelines, each lease
//! with its own reply.

use std::{sync::Arc, time::Duration};

use crate::{
    keeper::{schedule::TOGETHER, state::KeeperState},
    local::{lease::Lease, queue::ToRelease, turn::Turn},
    observe::caught::caught,
    protocol::grant::Grant,
    store::{self, ErrorClass, RenewCommand, RenewReply, StoreError},
    types::{
        boot_time::BootTime,
        error::{LockError, LostReason},
    },
};

/// How many renewals go into one pipeline to a server: enough to save round trips, few enough not to hold up others.
const BATCH: usize = 500;

/// A lease that is used by nobody, or not yet, is looked at again after this time.
const IDLE: Duration = Duration::from_millis(100);

/// A renewal to ask for.
pub(crate) struct Work {
    turn: Arc<Turn>,
    /// Whether it makes the lease shorter.
    shorten: bool,
}

/// Takes what is due out of the schedule. What is over ends here; what is to be renewed comes back in batches.
pub(crate) fn due(state: &Arc<KeeperState>) -> Vec<Vec<Work>> {
    let (now, together) = (BootTime::now(), BATCH * state.store.servers());
    let mut batches: Vec<Vec<_>> = Vec::new();
    for lease in state.schedule.take_due(now) {
        // Whatever panics at one lease, the others are renewed.
        let work = caught(|| look_after(state, &lease, now));
        if work.is_none() {
            state.schedule.add(&lease, now.after(IDLE));
        }
        let Some(work) = work.flatten() else { continue };
        match batches.last_mut() {
            Some(batch) if batch.len() < together => batch.push(work),
            _ => batches.push(vec![work]),
        }
    }
    batches
}

/// Looks after a lease that is due: ends it if it is over, or says how it is to be renewed.
fn look_after(state: &Arc<KeeperState>, lease: &Arc<Lease>, now: BootTime) -> Option<Work> {
    let Some(turn) = lease.turn() else {
        idle(state, lease, now);
        return None;
    };
    if !turn.is_held_at(now) {
        if let Some(left) = turn.end(now).and_then(|baton| state.pass_on(baton, lease, now)) {
            state.give_back(left);
        }
        return None;
    }
    turn.look_how_long(now);
    // It was entered for an earlier turn, or to be ended in time.
    let shorten = turn.is_short_of_its_lease(now);
    if turn.work_due(now) > now.after(TOGETHER) || !(shorten || turn.can_gain()) {
        state.schedule.add(lease, turn.due(now));
        return None;
    }
    Some(Work { turn, shorten })
}

/// Looks after a lease that no turn is on at the moment: it is parked, or about to be used again.
fn idle(state: &Arc<KeeperState>, lease: &Arc<Lease>, now: BootTime) {
    let parked = state.queues.parked_until(lease);
    let ends = parked.unwrap_or(BootTime::NEVER).min(lease.deadline());
    if now < ends {
        state.schedule.add(lease, ends.min(now.after(IDLE)));
    } else if let Some(lease) = state.queues.unpark(lease) {
        state.give_back(ToRelease::Lease(lease));
    }
}

/// Renews a batch, when its turn comes, and enters into the schedule again what is still held.
pub(crate) async fn renew(state: &Arc<KeeperState>, mut batch: Vec<Work>) {
    let mut unfinished = Unfinished { state, leases: batch.iter().map(|work| Arc::clone(&work.turn.lease)).collect() };
    let _lane = state.lanes.acquire().await;
    let asked = BootTime::now();
    // What is over meanwhile, or whose last shortening may be under way yet, is looked at later.
    batch.retain(|Work { turn, shorten }| {
        let grant = Grant { asked, ttl: turn.renewal_ttl(asked) };
        let goes =
            turn.is_held_at(asked) && (!shorten || turn.lease.begin_to_shorten(turn, grant, state.command_timeout));
        if !goes {
            state.schedule.add(&turn.lease, turn.deadline().min(asked.after(IDLE)));
        }
        goes
    });
    let renewals = batch.iter().map(|Work { turn, shorten }| renewal(turn, asked, *shorten, 0)).collect::<Vec<_>>();
    let grants = renewals.iter().map(|renewal| Grant { asked, ttl: renewal.ttl }).collect::<Vec<_>>();

    // A lost reply must leave time for another try before the deadline.
    let shortest = grants.iter().map(|grant| grant.ttl).min().unwrap_or(state.command_timeout);
    let limit = state.command_timeout.min((shortest / 3).max(Duration::from_millis(20)));
    let replies = ask(state, renewals, limit).await.unwrap_or_else(|error| vec![Err(error); batch.len()]);

    let mut renewed = Counts::default();
    for ((Work { turn, shorten }, grant), reply) in batch.iter().zip(grants).zip(replies) {
        let lease = &turn.lease;
        if *shorten && !reply.as_ref().is_err_and(|error| error.class == ErrorClass::Indeterminate) {
            lease.is_shortened();
        }
        let failed = reply.is_err();
        if apply(turn, grant, reply) {
            renewed.add(turn.key.label());
        }
        let now = BootTime::now();
        // What was not answered properly is asked for again soon, and ever sooner towards the end; after a yes, in due
        // time. By then it may be another's turn.
        let due = lease.turn().map_or(now, |turn| turn.due(now));
        let pause = (grant.ttl / 12).min(turn.deadline().since(now) / 4);
        let pause = pause.clamp(Duration::from_millis(5), Duration::from_millis(500));
        let due = if failed { now.after(pause).min(turn.deadline()) } else { due };
        state.schedule.add(lease, due);
    }
    unfinished.leases.clear();
    state.observer.count_renewals(renewed.0);
}

/// How many were renewed, by template. A batch has few of them.
#[derive(Default)]
struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    fn add(&mut self, label: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => self.0.push((label, 1)),
        }
    }
}

/// The leases of a batch that was taken out of the schedule. If its renewal panics, they go back there.
struct Unfinished<'a> {
    state: &'a KeeperState,
    leases: Vec<Arc<Lease>>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let soon = BootTime::now().after(IDLE);
        for lease in self.leases.drain(..) {
            self.state.schedule.add(&lease, soon.min(lease.deadline()));
        }
    }
}

/// Asks the store to renew.
///
/// # Errors
/// If there is no reply for any of them within `limit`.
pub(crate) async fn ask(
    state: &KeeperState,
    renewals: Vec<RenewCommand>,
    limit: Duration,
) -> Result<Vec<Result<RenewReply, StoreError>>, StoreError> {
    let epoch = state.observer.epoch();
    let lock = renewals.first().map(|renewal| Arc::clone(&renewal.lock_id.name)).filter(|_| renewals.len() == 1);
    let address = || lock.map_or_else(|| state.store.address(), |lock| state.store.address_of(&lock));
    let replies = store::within(address, limit, state.store.renew(renewals, limit)).await;
    // Those of one batch are seldom of different kinds.
    let trouble = match &replies {
        Ok(replies) if replies.iter().any(Result::is_ok) => None,
        Ok(replies) => replies.iter().find_map(|reply| reply.as_ref().err()),
        Err(error) => Some(error),
    };
    state.observer.note_reply(epoch, trouble, limit >= state.command_timeout);
    replies
}

/// Renews the lease of one turn ahead of time, and reserves `fences` for it: the first is the turn's, if it has none.
///
/// # Errors
/// If the turn is lost, or if there is no reply within `limit`: then it may be held yet.
pub(crate) async fn renew_now(state: &KeeperState, turn: &Turn, fences: u32, limit: Duration) -> Result<(), LockError> {
    turn.ensure_held()?;
    let asked = BootTime::now();
    let renewal = renewal(turn, asked, false, fences);
    let ttl = renewal.ttl;
    let replies = match ask(state, vec![renewal.clone()], limit).await {
        // A connection that is mute may have been forgotten on the way while it was idle. The next one is fresh.
        Err(error) if error.is_timeout() => ask(state, vec![renewal], limit).await,
        replies => replies,
    };
    let mut replies = replies
        .inspect_err(|error| state.observer.not_renewed(&turn.hold(), error, || turn.is_refused_first()))
        .map_err(|error| error.about(&turn.key))?;
    let Some(reply) = replies.pop() else { return turn.ensure_held() };
    let failure = reply.as_ref().err().cloned();
    if apply(turn, Grant { asked, ttl }, reply) {
        state.observer.count_renewals(vec![(turn.key.label(), 1)]);
    }
    // If it is lost, others of this process need not wait for its end.
    state.schedule.add(&turn.lease, turn.due(BootTime::now()));
    turn.ensure_held()?;
    failure.map_or(Ok(()), |error| Err(error.about(&turn.key)))
}

/// What is about to be asked of the store at `asked`.
fn renewal(turn: &Turn, asked: BootTime, shorten: bool, more_fences: u32) -> RenewCommand {
    let (lease, ttl) = (&turn.lease, turn.renewal_ttl(asked));
    lease.note_asked(ttl);
    RenewCommand { lock_id: lease.lock_id.clone(), ttl, shorten, more_fences, prior_grant: lease.prior_grant() }
}

/// What a reply means for the turn and its lease. True if it was renewed.
fn apply(turn: &Turn, grant: Grant, reply: Result<RenewReply, StoreError>) -> bool {
    match reply {
        Ok(reply @ (RenewReply::Renewed | RenewReply::RenewedWithFences(_) | RenewReply::CameBack)) => {
            match reply {
                RenewReply::RenewedWithFences(first) => turn.set_fence(first),
                RenewReply::CameBack => turn.observer().came_back(&turn.hold()),
                _ => {}
            }
            turn.extend(grant);
            turn.observer().renewed(&turn.hold());
            return true;
        }
        Ok(RenewReply::NotHeld) => turn.lease.lose(LostReason::Gone),
        // Only a definite "no" ends it before its deadline. Whatever else is wrong may be right again by then.
        Err(error) => {
            turn.observer().not_renewed(&turn.hold(), &error, || turn.is_refused_first());
            if error.class == ErrorClass::WrongType {
                turn.lease.lose(LostReason::Refused);
            }
        }
    }
    false
}
