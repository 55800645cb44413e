//! Whether a lock may be granted where its slot has come to.
//!
//! A server that took over grants nothing for a while, as it may lack what was granted last (`epoch.rs`). Slots that leave it in that time
//! come to a server that knows nothing of this, and is open. So a runtime that has learned that a slot moved asks all masters whether
//! they are closed, before it asks for a lock there: one that is may be where the slot came from.
//!
//! **Invariant.** A guarded runtime asks a master for a lock only if, since it learned that the slot is there, all others have said that
//! they are open, or the quarantine has passed.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    super::{Redis, outcome, probe, slots},
    Nodes,
    error::OnItsWay,
    table::Node,
};
use crate::{
    limits::margin,
    store::{AcquireCommand, AcquireReply, ErrorClass, Permit, ReleaseCommand, Reply, Store, StoreError},
    types::boot_time::BootTime,
};

/// What was asked before a slot moved says nothing of it. So often it is asked again.
const ROUNDS: usize = 3;

/// When this process learned of moves, and what the masters said since.
pub(super) struct Moves {
    /// Of each slot, when it came to its master.
    learned: Box<[BootTime]>,
    last: BootTime,
    /// When all masters were asked that then said that they were open.
    all_open: BootTime,
    round: Option<Round>,
}

/// All masters were asked whether they are open.
struct Round {
    /// Before the first one was asked.
    asked: BootTime,
    /// Those that are not, and until when; or why they do not say.
    closed: Vec<(Arc<Node>, Result<BootTime, StoreError>)>,
}

impl Default for Moves {
    fn default() -> Self {
        let never = BootTime::START;
        Self { learned: vec![never; slots::SLOTS].into(), last: never, all_open: never, round: None }
    }
}

impl Moves {
    /// A slot has another master.
    pub(super) fn learn(&mut self, slot: usize, now: BootTime) {
        (self.learned[slot], self.last) = (now, now);
    }

    fn take_up(&mut self, round: Round) {
        if round.closed.is_empty() {
            self.all_open = round.asked;
        }
        self.round = Some(round);
    }

    /// For how long no lock of the slot may be granted yet at the master that `is_own` knows; or which one does not say so. `None` if they
    /// are to be asked.
    fn opens_in(
        &self,
        slot: u16,
        is_own: impl Fn(&Node) -> bool,
        quarantine: Duration,
        now: BootTime,
    ) -> Option<Result<Duration, StoreError>> {
        let learned = self.learned[usize::from(slot)];
        if learned < self.all_open || over(learned, quarantine) <= now {
            return Some(Ok(Duration::ZERO));
        }
        let round = self.round.as_ref().filter(|round| learned < round.asked)?;
        let mut longest = Duration::ZERO;
        // Whether it is closed itself it says to whoever asks for a lock.
        for (_, until) in round.closed.iter().filter(|(node, _)| !is_own(node)) {
            match until {
                Ok(until) => longest = longest.max(until.since(now)),
                Err(error) => return Some(Err(error.clone())),
            }
        }
        Some(Ok(longest))
    }
}

/// When so much time is over by any clock.
fn over(begin: BootTime, span: Duration) -> BootTime {
    begin.after(span).after(margin(span))
}

impl Nodes {
    /// Asks for a lock at `server`, if it may be granted there.
    pub(super) fn acquire_at(
        self: &Arc<Self>,
        server: &Redis,
        command: &Arc<AcquireCommand>,
        reply_timeout: Duration,
    ) -> Reply<AcquireReply> {
        if self.is_settled(&command.lock_id.name, server) {
            return server.acquire(command, Permit::none(), reply_timeout);
        }
        let (nodes, server, command) = (Arc::clone(self), server.clone(), Arc::clone(command));
        Box::pin(async move {
            match nodes.settle(&command.lock_id.name, &server).await? {
                Duration::ZERO => server.acquire(&command, Permit::none(), reply_timeout).await,
                opens_in => Ok(AcquireReply::Closed { opens_in }),
            }
        })
    }

    /// Gives a lock back at `server`. Where it may be granted to nobody it is not handed over either.
    pub(super) fn release_at(
        self: &Arc<Self>,
        server: &Redis,
        command: ReleaseCommand,
        reply_timeout: Duration,
    ) -> Reply<bool> {
        if self.is_settled(&command.lock_id.name, server) {
            return server.release(command, Permit::none(), reply_timeout);
        }
        let server = server.clone();
        Box::pin(async move {
            let is_released = server.unlock(command.lock_id.clone(), reply_timeout).await?;
            if is_released && command.queue_entry.is_none() {
                return Ok(true);
            }
            // What is left is its place in the queue, which lapses soon where that cannot be.
            let rest = server.release(command, Permit::none(), reply_timeout).await;
            if is_released { Ok(true) } else { rest }
        })
    }

    fn is_settled(&self, name: &str, server: &Redis) -> bool {
        if self.common.quarantine.is_none() {
            return true;
        }
        if server.is_asking {
            // The slot is on its way there.
            return false;
        }
        let moves = &self.table().moves;
        moves.last < moves.all_open || matches!(self.opens_in(moves, name, server), Some(Ok(Duration::ZERO)))
    }

    fn opens_in(&self, moves: &Moves, name: &str, server: &Redis) -> Option<Result<Duration, StoreError>> {
        let is_own = |node: &Node| Arc::ptr_eq(&node.redis.connections, &server.connections);
        moves.opens_in(slots::slot(name), is_own, self.common.quarantine.unwrap_or_default(), BootTime::now())
    }

    /// For how long the lock may not be granted yet at `server`, where its slot has come to.
    ///
    /// # Errors
    /// That of a master that does not say whether it is closed; why the masters are not known; or that the slot is on its way.
    async fn settle(self: &Arc<Self>, name: &str, server: &Redis) -> Result<Duration, StoreError> {
        let on_its_way = || Err(StoreError::new(ErrorClass::Transient, OnItsWay(slots::slot(name))));
        if server.is_asking {
            return on_its_way();
        }
        if let Some(Ok(opens_in)) = self.opens_in(&self.table().moves, name, server) {
            return Ok(opens_in);
        }
        for _ in 0..ROUNDS {
            self.rounds.begin(|| Arc::clone(self).ask_all())?.wait().await?;
            if let Some(opens_in) = self.opens_in(&self.table().moves, name, server) {
                return opens_in;
            }
        }
        on_its_way()
    }

    async fn ask_all(self: Arc<Self>) -> Result<(), StoreError> {
        self.look().await?;
        let (asked, limit) = (BootTime::now(), self.looks.patience());
        let masters = self.table().masters().to_vec();
        let ask = |node: Arc<Node>| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(async move {
                let opens_in = timeout(limit, probe::opens_in(&node.redis.connections, limit)).await;
                let opens_in = opens_in.unwrap_or_else(|_| Err(StoreError::timed_out(&node.place.name, limit)));
                (node, opens_in)
            })
        };
        let answers = outcome::all(masters.into_iter().map(ask).collect()).await;
        self.take_up_round(asked, answers);
        Ok(())
    }

    /// Takes up for how long masters said that they are closed, when they were `asked`.
    pub(super) fn take_up_round(&self, asked: BootTime, answers: Vec<(Arc<Node>, Result<Duration, StoreError>)>) {
        let now = BootTime::now();
        let closed = answers.into_iter().filter(|(_, opens_in)| !matches!(opens_in, Ok(Duration::ZERO)));
        let closed = closed.map(|(node, opens_in)| (node, opens_in.map(|opens_in| over(now, opens_in)))).collect();
        self.table_mut().moves.take_up(Round { asked, closed });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::tests::node, *};
    use crate::store::ErrorClass;

    const QUARANTINE: Duration = Duration::from_secs(11);
    const MS: Duration = Duration::from_millis(1);

    /// For how many milliseconds slot 7 is closed at `own`; 0 if it is not, `None` if the masters are to be asked.
    fn closed(moves: &Moves, own: &Arc<Node>, now: BootTime) -> Option<Option<u128>> {
        let opens_in = moves.opens_in(7, |node| std::ptr::eq(node, &**own), QUARANTINE, now)?;
        Some(opens_in.ok().map(|opens_in| opens_in.as_millis()))
    }

    #[test]
    fn a_slot_that_moved_is_settled_when_all_others_are_open_or_the_quarantine_is_over() {
        let (mut moves, [own, other]) = (Moves::default(), [1, 2].map(node));
        let begin = BootTime::now();
        let at = |millis: u32| begin.after(MS * millis);
        moves.learn(7, at(0));
        assert_eq!(closed(&moves, &own, at(1)), None);
        moves.take_up(Round { asked: at(0), closed: Vec::new() });
        assert_eq!(closed(&moves, &own, at(1)), None, "they may have been asked before it moved");
        moves.take_up(Round { asked: at(1), closed: vec![(Arc::clone(&other), Ok(at(500)))] });
        assert_eq!(closed(&moves, &own, at(2)), Some(Some(498)));
        assert_eq!(closed(&moves, &other, at(2)), Some(Some(0)), "it says so itself");
        assert_eq!(closed(&moves, &own, at(500)), Some(Some(0)));
        let error = StoreError::timed_out("n", MS).with_class(ErrorClass::Transient);
        moves.take_up(Round { asked: at(2), closed: vec![(other, Err(error))] });
        assert_eq!(closed(&moves, &own, at(3)), Some(None));
        assert_eq!(closed(&moves, &own, at(11_100)), Some(None), "by a slow clock");
        assert_eq!(closed(&moves, &own, at(11_112)), Some(Some(0)), "whatever was granted before is over");
        moves.take_up(Round { asked: at(3), closed: Vec::new() });
        assert_eq!(closed(&moves, &own, at(4)), Some(Some(0)));
        moves.learn(7, at(5));
        assert_eq!(closed(&moves, &own, at(6)), None, "it moved again");
    }
}
