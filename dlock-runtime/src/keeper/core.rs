//! What the parts of a runtime share: the keeper, the namespace, the defaults, and who it is.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{
    keeper::thread::Keeper,
    key::Namespace,
    local::{
        lease::Lease,
        turn::{Host, Obligor},
    },
    observe::Observer,
    protocol::token::{Identity, LockId, Token},
    system,
    types::{
        boot_time::BootTime,
        error::LockError,
        holder::{Holder, Record},
        options::{Defaults, Overrides, Terms},
    },
};

/// One runtime, without its public face.
pub(crate) struct Core {
    pub(crate) keeper: Keeper,
    pub(crate) namespace: Namespace,
    pub(crate) defaults: Defaults,
    /// What holds for a request that says nothing else.
    pub(crate) usual: Terms,
    pub(crate) identity: Identity,
    /// Host and process id.
    pub(crate) process: String,
    pub(crate) tokens: AtomicU64,
    pub(crate) shut_down: AtomicBool,
}

impl Core {
    /// The runtime that is the host of a turn. Turns stand floors below, and know it as their host alone; to keep it beside
    /// that would cost each turn two more counts on one word that all tasks share.
    pub(crate) fn of(host: &dyn Host) -> &Self {
        let host: &dyn Any = host;
        let Some(core) = host.downcast_ref() else { unreachable!("a runtime is the host of all its turns") };
        core
    }

    /// What holds for a request.
    ///
    /// # Errors
    /// As [`Overrides::resolve`].
    #[inline]
    pub(crate) fn terms(&self, overrides: &Overrides) -> Result<Terms, LockError> {
        // Most requests leave the times to the runtime.
        match overrides.apply_to(&self.usual) {
            Some(terms) => Ok(terms),
            None => overrides.resolve(&self.defaults),
        }
    }

    /// An id for the lock `name` that nobody else has or will have.
    pub(crate) fn next_lock_id(&self, name: &Arc<str>) -> LockId {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        let token = Token { tag: self.keeper.state().store.tag(name), ..Token::new(self.identity, number) };
        LockId { name: Arc::clone(name), token }
    }

    /// Who asks for a lock, for an operator: host, process, and the function or the template.
    pub(crate) fn who(&self, purpose: &str, label: &str) -> String {
        let space = if purpose.is_empty() { "" } else { " " };
        [&self.process, " ", purpose, space, label].concat()
    }

    /// Who holds a lock that this process has, as the store would say it.
    pub(crate) fn holder_of(&self, lease: &Lease) -> Holder {
        let (now, turn) = (BootTime::now(), lease.turn());
        let (purpose, label, fence, began) = match &turn {
            Some(turn) => (turn.purpose, turn.key.label(), turn.fence(), turn.began),
            None => ("", lease.label, 0, lease.taken),
        };
        let since = system::wall_time().checked_sub(now.since(began)).unwrap_or(SystemTime::UNIX_EPOCH);
        let record = Record { fence, since, who: self.who(purpose, label) };
        Holder::new(Some(record), Some(lease.deadline().since(now)), 0)
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// # Errors
    /// [`LockError::ShutDown`] after a shutdown.
    pub(crate) fn ensure_open(&self) -> Result<(), LockError> {
        if self.is_shut_down() { Err(LockError::ShutDown) } else { Ok(()) }
    }
}

impl Host for Core {
    fn observer(&self) -> &Observer {
        &self.keeper.state().observer
    }

    fn schedule(&self, lease: &Arc<Lease>, due: BootTime) {
        self.keeper.state().schedule.add(lease, due);
    }
}

impl Obligor for Core {
    fn count_obligation(&self) {
        self.keeper.state().count_obligation();
    }

    fn count_fulfilment(&self) {
        self.keeper.state().count_fulfilment();
    }
}
