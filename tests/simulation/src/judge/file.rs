//! What the judge knows about one key.

use std::{collections::HashMap, rc::Rc};

use super::{Gone, Rule};
use crate::{
    clock::{MILLISECOND, Time},
    plan::{LONGEST_DELAY, LONGEST_GHOST, Plan},
};

/// What is known about a key.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) beliefs: Vec<Belief>,
    pub(super) last_fence: u64,
    pub(super) lock: Option<Lock>,
    /// Since when it is free.
    pub(super) free: Time,
    pub(super) asking: Vec<(usize, Time)>,
    /// What is known about tokens that can still turn up.
    pub(super) tokens: HashMap<Rc<str>, Token>,
}

#[derive(Debug)]
pub(super) struct Belief {
    pub(super) token: Rc<str>,
    pub(super) ends: Time,
}

#[derive(Debug)]
pub(super) struct Lock {
    pub(super) token: Rc<str>,
    pub(super) since: Time,
    /// The last millisecond in which it exists.
    pub(super) expires: u64,
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) process: usize,
    /// When a request for it was carried out last.
    pub(super) asked: Time,
    /// When its process gave it up, and what became of it.
    pub(super) gone: Option<(Time, Gone)>,
    /// A copy of a request was carried out, that its process cannot know of.
    pub(super) copied: bool,
}

impl File {
    pub(super) fn expire(&mut self, now: Time) -> bool {
        let Some(lock) = self.lock.take_if(|lock| lock.expires < now / MILLISECOND) else { return false };
        self.free = (lock.expires + 1) * MILLISECOND;
        true
    }

    /// A belief that the store does not bear out to its end.
    pub(super) fn uncovered(&self, now: Time, key: usize) -> Option<(Rule, String)> {
        let belief = self.beliefs.iter().find(|belief| {
            let lock = self.lock.as_ref().filter(|lock| lock.token == belief.token);
            belief.ends > now && lock.is_none_or(|lock| belief.ends > (lock.expires + 1) * MILLISECOND)
        })?;
        let lock = self.lock.as_ref().map(|lock| (&lock.token, lock.expires));
        Some((
            Rule::Covered,
            format!("{} believes to hold key {key} until {}, but {lock:?}", belief.token, belief.ends),
        ))
    }

    /// A lock whose owner will not come back for it.
    pub(super) fn orphan(&self, now: Time, key: usize, plan: &Plan, disturbed: &[Time]) -> Option<(Rule, String)> {
        let lock = self.lock.as_ref()?;
        let token = self.tokens.get(&lock.token)?;
        let (when, how) = token.gone?;
        let limit = match how {
            // It can be handed the lock as long as the server takes it for a listener whose seat counts.
            Gone::Crashed => when + LONGEST_DELAY + LONGEST_GHOST + 1_100 * MILLISECOND + plan.longest_ttl(),
            Gone::Left if token.copied => return None,
            Gone::Left => when.max(lock.since).max(disturbed[token.process]) + plan.longest_repair(),
        };
        (now > limit).then(|| (Rule::Orphan, format!("key {key} is held by {}, {how:?} at {when}", lock.token)))
    }
}
