//! The first exchange of a new runtime with its store: whether it can be reached, and whether it is fit to keep locks.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    acquire::backoff::Backoff,
    keeper::{executor, state::KeeperState, thread::Keeper},
    protocol::token::LockId,
    store::{ErrorClass, StoreError},
    types::{
        error::{Cause, LockError},
        options::{DEFAULT_WAIT, Wait},
        settling::Settling,
    },
};

/// How many exchanges it takes to connect and to look whether the store is fit.
const EXCHANGES: u32 = 4;

/// How long one attempt may take, whatever the command timeout: a server that accepts connections and never replies must not
/// hold up a program for ever. A later attempt has what is left of the time to wait, but not less than makes sense.
const LONGEST_ATTEMPT: Duration = DEFAULT_WAIT;
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(500);

/// The pauses between attempts in the background.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Waits until the store answers, at most as long as a request would, and until it grants locks.
///
/// # Errors
/// [`LockError::Unavailable`] if it does not, [`LockError::Config`] if it will not let us keep locks.
pub(crate) async fn now(keeper: &Keeper, probe: LockId, wait: Wait) -> Result<(), LockError> {
    let at_most = match wait {
        Wait::For(bound) => bound.min(DEFAULT_WAIT),
        Wait::Forever => DEFAULT_WAIT,
    };
    let state = Arc::clone(keeper.state());
    executor::run(keeper, move || async move {
        let began = Instant::now();
        let mut backoff = Backoff::new(Wait::For(at_most), Duration::ZERO);
        let mut limit = LONGEST_ATTEMPT;
        loop {
            match ask(&state, &probe, limit).await {
                Ok(opens_in) if opens_in.is_zero() => {
                    // A request that waits before that is not notified when its turn comes.
                    state.subscription_tried(LONGEST_ATTEMPT).await;
                    return Ok(());
                }
                Ok(opens_in) => wait_for_the_opening(opens_in, wait, began).await?,
                Err(error) => {
                    let passes = matches!(error.class, ErrorClass::Transient | ErrorClass::Indeterminate);
                    if !passes || !backoff.pause(None).await {
                        return Err(not_built(error));
                    }
                    limit = backoff.time_left().clamp(SHORTEST_ATTEMPT, LONGEST_ATTEMPT);
                }
            }
        }
    })
    .await?
}

/// Does the same in the background, as often as it takes, for as long as the keeper lives. Nobody waits for that, so what it
/// finds wrong goes to the log.
pub(crate) fn in_the_background(keeper: &Keeper, probe: LockId) {
    let state = Arc::downgrade(keeper.state());
    keeper.state().thread().spawn(ask_on(state, probe));
}

async fn ask_on(state: Weak<KeeperState>, probe: LockId) {
    let mut pause = SHORTEST;
    let mut reported = false;
    while let Some(state) = state.upgrade() {
        match ask(&state, &probe, LONGEST_ATTEMPT).await {
            // A request that comes before it opens is told so.
            Ok(_) => return,
            // That it cannot be reached is reported as any other outage.
            Err(error) if error.is_trouble() || reported => {}
            Err(error) => {
                reported = true;
                state.observer.refuses(&error);
            }
        }
        drop(state);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

async fn ask(state: &KeeperState, probe: &LockId, limit: Duration) -> Result<Duration, StoreError> {
    // A connection that does not reply within its share is not used by the next attempt.
    let reply_timeout = state.command_timeout.min(limit / EXCHANGES);
    let check = state.store.check(probe.clone(), reply_timeout);
    let limit = state.command_timeout.saturating_mul(EXCHANGES).min(limit);
    state.observed(|| state.store.address(), limit, true, check).await
}

/// The store grants nothing for another `opens_in`. There is a time to wait for that, unlike for an answer.
async fn wait_for_the_opening(opens_in: Duration, wait: Wait, began: Instant) -> Result<(), LockError> {
    let left = match wait {
        Wait::For(bound) => bound.saturating_sub(began.elapsed()),
        Wait::Forever => Duration::MAX,
    };
    if opens_in > left {
        return Err(LockError::unavailable(NotOpen(Settling::new(opens_in))));
    }
    tokio::time::sleep(opens_in).await;
    Ok(())
}

/// There is no runtime because its store would not grant any locks yet, and what can be done about that.
#[derive(Debug)]
struct NotOpen(Settling);

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no lock runtime was built or installed, because its store grants no locks for another {:.1?}; try again then, \
             build it with a longer `wait`, call `connect_lazily()` on the builder, which builds one without asking, or switch \
             the guard off by `failover_guard(false)`",
            self.0.opens_in()
        )
    }
}

impl Error for NotOpen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn not_built(error: StoreError) -> LockError {
    match error.in_general() {
        LockError::Unavailable { key, source } => LockError::Unavailable { key, source: Arc::new(NotReached(source)) },
        error => error,
    }
}

/// There is no runtime because its store did not answer, and what can be done about that.
#[derive(Debug)]
struct NotReached(Cause);

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no lock runtime was built or installed, because its store does not answer; try again later, or call \
             `connect_lazily()` on the builder, which builds one without asking",
        )
    }
}

impl Error for NotReached {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
