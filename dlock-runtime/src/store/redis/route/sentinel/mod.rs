//! Where the master is, as several sentinels say.
//!
//! All are asked at once (`ask.rs`), each on a connection of its own, and the newest answer counts (`answers.rs`). A sentinel may name
//! a replica before that is the master, and an old master may not know yet that it is none. So a new connection has to say that its
//! server is a master, and nothing that was found stays true for longer than it works: who cannot connect asks again.
//!
//! A master that was replaced stays a master, for itself, until a sentinel reaches it, some ten seconds after a planned failover.
//! Nothing tells its clients. So we listen to the sentinels (`watch.rs`), and when they say that the master moved, the connections to
//! where it was are cut.
//!
//! Sentinels are asked by plain commands over our own connections. The client of the redis crate looks at the role on one connection
//! and opens another, and learns nothing of a master that was replaced and lives on.
//!
//! **Invariant.** Commands go to the newest master that a sentinel told us of, and only to a server that said that it is a master.

mod answers;
mod ask;
mod error;
mod urls;
mod watch;

pub(in super::super) use self::watch::Watch;

use std::{
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use redis::{ConnectionInfo, RedisResult, Value};
use tokio::sync::Notify;

use self::{
    answers::Named,
    ask::{Answer, Sentinel},
    error::{Moved, NoMaster},
};
use super::{
    super::{access::Access, address, connections::Connections, link::Link, options::SentinelOptions},
    Place,
};
use crate::{
    observe::{self, caught::caught},
    store::{ErrorClass, StoreError},
    system::lock,
    types::{boot_time::BootTime, error::LockError},
};

/// What the sentinels said counts for so long, whoever asks: many requests that find no master must not be many questions.
const FRESH: Duration = Duration::from_millis(20);

/// How long a look may take that nobody waits for.
const LOOK: Duration = Duration::from_secs(2);

/// The sentinels, and what they said.
pub(in super::super) struct Sentinels {
    /// The name by which they know the master.
    master: Arc<str>,
    /// An address like that of the master, and its database.
    like: ConnectionInfo,
    sentinels: Vec<Sentinel>,
    memory: Mutex<Memory>,
    /// Where the master is, as far as we know.
    current: Mutex<Option<Arc<Place>>>,
    /// Notified when it moves. Who waits is woken in the order of waiting, so that a world of the simulation can be run again.
    moves: Notify,
    /// Notified when there may be news.
    news: Notify,
}

#[derive(Default)]
struct Memory {
    /// The newest answer that counted, until its server turns out to be of no use.
    newest: Option<Named>,
    /// The last outcome.
    last: Option<(BootTime, Result<Arc<Place>, StoreError>)>,
}

impl Sentinels {
    /// Reads the URL of the master, or its name, and those of the sentinels. `access` says how the master lets in whom its URL names.
    ///
    /// # Errors
    /// [`LockError::Config`].
    pub(super) fn new(
        options: &SentinelOptions,
        access: impl FnOnce(ConnectionInfo) -> Result<Access, LockError>,
    ) -> Result<(Self, Access), LockError> {
        let (master, info) = urls::master(&options.master)?;
        let sentinels = options.sentinels.iter().map(|url| urls::sentinel(url)).collect::<Result<Vec<_>, _>>()?;
        if sentinels.is_empty() {
            return Err(LockError::config(
                "no sentinel is named; say `.sentinel(\"mymaster\", [\"redis://s1:26379\", ..])`",
            ));
        }
        let access = access(info)?;
        let sentinels = Self {
            master,
            like: access.info().clone(),
            sentinels,
            memory: Mutex::default(),
            current: Mutex::default(),
            moves: Notify::new(),
            news: Notify::new(),
        };
        Ok((sentinels, access))
    }

    /// The master's address for errors, or its name while nobody knows the address.
    pub(super) fn address(&self) -> Arc<str> {
        match self.current() {
            Some(place) => Arc::clone(&place.name),
            None => format!("the master `{}`", self.master).into(),
        }
    }

    /// Asks where the master is, which may take `limit`.
    ///
    /// # Errors
    /// Why nobody says so.
    pub(super) async fn find(&self, limit: Duration) -> Result<Arc<Place>, StoreError> {
        if let Some((at, outcome)) = &self.memory().last
            && at.after(FRESH) > BootTime::now()
        {
            return outcome.clone();
        }
        let answers = self.ask_all(limit).await;
        let outcome = self.note(answers).map(|(place, _)| place);
        self.memory().last = Some((BootTime::now(), outcome.clone()));
        outcome
    }

    /// Asks all sentinels, and gives up a master that is not the newest any more.
    async fn look(&self, connections: &Weak<Connections>) {
        let answers = self.ask_all(LOOK).await;
        let Ok((place, newest)) = self.note(answers) else { return };
        let Some(connections) = connections.upgrade() else { return };
        // What one sentinel calls by its address, another may call by its host name.
        let is_there = |at: &Place| newest.iter().any(|named| self.place(named).at == at.at);
        if self.current().is_some_and(|current| !is_there(&current)) {
            self.memory().last = None;
            self.arrive(&place);
        }
        connections.leave_all_but(is_there);
    }

    async fn ask_all(&self, limit: Duration) -> Vec<(Arc<str>, Answer)> {
        let known = self.memory().newest.as_ref().and_then(|newest| newest.epoch);
        ask::ask_all(&self.sentinels, &self.master, known, limit).await
    }

    /// Remembers the newest answer. Returns where that is, and all answers that are as new.
    fn note(&self, answers: Vec<(Arc<str>, Answer)>) -> Result<(Arc<Place>, Vec<Named>), StoreError> {
        let named = |answer: &(Arc<str>, Answer)| match &answer.1 {
            Answer::Named(named) => Some(named.clone()),
            _ => None,
        };
        let mut memory = self.memory();
        let mut all = answers.iter().filter_map(named).collect::<Vec<_>>();
        if all.is_empty() {
            return Err(error::no_master(&self.master, answers));
        }
        // What was known before stands for those who do not answer, if its epoch says how old it is. If all answer, it is out of date.
        if all.len() < self.sentinels.len() {
            all.splice(0..0, memory.newest.clone().filter(|known| known.epoch.is_some()));
        }
        let Some(best) = answers::choose(&all).cloned() else {
            return Err(error::no_master(&self.master, answers));
        };
        all.retain(|other| other.epoch == best.epoch);
        let place = Arc::new(self.place(&best));
        memory.newest = Some(best);
        Ok((place, all))
    }

    fn place(&self, named: &Named) -> Place {
        let at = address::at(self.like.addr(), named.host.clone(), named.port);
        let address = address::name(&at, self.like.redis_settings().db());
        Place { at, name: format!("{address} (master `{}`)", self.master).into() }
    }

    /// The server at `place` is of no use now: the sentinels may know a better one.
    pub(super) fn is_useless(&self, place: &Place) {
        let mut memory = self.memory();
        if memory.newest.as_ref().is_some_and(|named| self.place(named).at == place.at) {
            memory.newest = None;
        }
    }

    /// Asks the server at the other end whether it is a master. Who may not know believes it: a replica refuses to write.
    ///
    /// # Errors
    /// What became of the connection; or that it is none, or not yet.
    pub(super) async fn confirm(&self, place: &Arc<Place>, link: &mut Link) -> RedisResult<Result<(), StoreError>> {
        let role = match link.send_packed_command(&redis::cmd("ROLE")).await? {
            Value::Array(parts) => {
                parts.into_iter().next().and_then(|role| redis::from_redis_value::<String>(role).ok())
            }
            _ => None,
        };
        match role {
            Some(role) if role != "master" => {
                let address = Arc::clone(&place.name);
                Ok(Err(StoreError::new(ErrorClass::Transient, NoMaster { address, role })))
            }
            _ => {
                self.arrive(place);
                Ok(Ok(()))
            }
        }
    }

    /// The master is at `place`.
    fn arrive(&self, place: &Arc<Place>) {
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|before| before.at == place.at) {
            return;
        }
        let before = current.replace(Arc::clone(place));
        drop(current);
        // The wakers are the program's, and may panic.
        caught(|| self.moves.notify_waiters());
        // Other connections may be where it was.
        self.news.notify_one();
        if let Some(before) = before {
            observe::moved(&before.name, &place.name);
        }
    }

    /// Whether the master is known to be elsewhere than at `place`.
    pub(super) fn is_elsewhere(&self, place: &Place) -> bool {
        self.current().is_some_and(|current| current.at != place.at)
    }

    /// Returns when the master moves to elsewhere than `place`. At first it may be there: who connects finds out.
    pub(super) async fn left(&self, place: &Place) -> StoreError {
        let mut moves = self.moves.notified();
        loop {
            moves.await;
            // Before the look, so that no move is missed.
            moves = self.moves.notified();
            if self.is_elsewhere(place) {
                break;
            }
        }
        StoreError::new(ErrorClass::Transient, Moved { from: Arc::clone(&place.name) })
    }

    /// Returns when the master moves the next time.
    pub(super) async fn moved(&self) {
        self.moves.notified().await;
    }

    fn current(&self) -> Option<Arc<Place>> {
        lock(&self.current).clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }
}

#[cfg(test)]
mod tests;
