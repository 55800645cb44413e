//! Sees everything, the store and the minds of all processes, and knows what must never be.

mod file;

use std::rc::Rc;

use self::file::{Belief, File, Lock, Token};
use crate::{
    clock::{MICROSECOND, MILLISECOND, Time},
    plan::{LONGEST_DELAY, LONGEST_GHOST, Plan, SEAT_COUNTS_MS},
    store::EPOCH,
};

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Two believe that they have the lock.
    Exclusion,
    /// Somebody believes to have the lock that the store gave to another, or gave up.
    Covered,
    /// The fence of a turn is not above the one before.
    Fences,
    /// A record says less than a fence that was used.
    Returned,
    /// A lock was ended or renewed by somebody else's hand.
    OwnToken,
    /// The lock was handed to somebody who cannot hear of it.
    Listening,
    /// The lock was given past somebody who waited for it longer, and listens.
    Order,
    /// A lock or a seat outlived its owner for longer than a repair takes.
    Orphan,
    /// The lock is free, and somebody waits for it.
    Free,
    /// Somebody waits for ever.
    Starved,
    /// The last fence runs away from the time.
    Ahead,
    /// It does not come to rest, or leaves something behind.
    Rest,
    /// A waiter does not believe that it was handed the lock, though it has it.
    Disbelief,
    /// A script failed.
    Script,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which rule was broken.
    pub rule: Rule,
    /// When, in nanoseconds of true time.
    pub at: u64,
    /// How.
    pub text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    keys: Vec<File>,
    /// Until when something kept each process from acting as it should.
    disturbed: Vec<Time>,
    only: Option<Rule>,
    pub(crate) violation: Option<Violation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Left,
    Crashed,
}

/// One run of a script on one key, as the world saw it.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    pub(crate) key: usize,
    pub(crate) by: &'a Rc<str>,
    /// Whether it may end the lock of its own token.
    pub(crate) releases: bool,
    pub(crate) after: Option<(Rc<str>, u64)>,
    /// Who stood in the queue before, and how many heard messages for them.
    pub(crate) seats: &'a [(Rc<str>, i64)],
    /// The last fence of the record, counted from the world's first microsecond; 0 if there is none.
    pub(crate) last: u64,
}

impl Judge {
    pub(crate) fn new(keys: usize, processes: usize, only: Option<Rule>) -> Self {
        let keys = (0..keys).map(|_| File::default()).collect();
        Self { keys, disturbed: vec![0; processes], only, violation: None }
    }

    /// Only the first one counts: what comes after may follow from it.
    pub(crate) fn accuse(&mut self, rule: Rule, at: Time, text: String) {
        if self.only.is_none_or(|only| only == rule) {
            self.violation.get_or_insert(Violation { rule, at, text });
        }
    }

    pub(crate) fn disturbed(&mut self, process: usize, until: Time) {
        self.disturbed[process] = self.disturbed[process].max(until);
    }

    /// `token` is believed to hold the lock from now on, or the end of that belief moves.
    pub(crate) fn believes(&mut self, now: Time, key: usize, token: &Rc<str>, ends: Time) {
        let file = &mut self.keys[key];
        let other = file.beliefs.iter().find(|belief| belief.token != *token && belief.ends > now);
        let fault =
            other.map(|other| (Rule::Exclusion, format!("{token} and {} believe to hold key {key}", other.token)));
        match file.beliefs.iter_mut().find(|belief| belief.token == *token) {
            Some(belief) => belief.ends = ends,
            None => {
                file.beliefs.retain(|belief| belief.ends > now);
                file.beliefs.push(Belief { token: Rc::clone(token), ends });
            }
        }
        let fault = fault.or_else(|| file.uncovered(now, key));
        if let Some((rule, text)) = fault {
            self.accuse(rule, now, text);
        }
    }

    /// A waiter takes a message for too old that it was handed the lock at `since`, in microseconds.
    pub(crate) fn disbelieves(&mut self, now: Time, key: usize, token: &Rc<str>, since: u64) {
        let lock = self.keys[key].lock.as_ref().filter(|lock| lock.expires > now / MILLISECOND);
        if lock.is_some_and(|lock| lock.token == *token && lock.since / MICROSECOND == since) {
            self.accuse(Rule::Disbelief, now, format!("{token} has key {key} and does not believe it"));
        }
    }

    pub(crate) fn gave_up(&mut self, key: usize, token: &Rc<str>) {
        self.keys[key].beliefs.retain(|belief| belief.token != *token);
    }

    pub(crate) fn turn(&mut self, now: Time, key: usize, token: &Rc<str>, fence: u64) {
        let file = &mut self.keys[key];
        let last = std::mem::replace(&mut file.last_fence, fence);
        let held = file.beliefs.iter().any(|belief| belief.token == *token && belief.ends > now);
        if fence <= last {
            self.accuse(Rule::Fences, now, format!("a turn on key {key} has fence {fence} after {last}"));
        } else if !held {
            self.accuse(Rule::Exclusion, now, format!("a turn on key {key} without a lease"));
        }
    }

    pub(crate) fn asks(&mut self, now: Time, key: usize, process: usize) {
        self.keys[key].asking.push((process, now));
    }

    pub(crate) fn asks_no_more(&mut self, key: usize, process: usize) {
        self.keys[key].asking.retain(|(other, _)| *other != process);
    }

    /// A process wants nothing of the token any more.
    pub(crate) fn gone(&mut self, now: Time, key: usize, token: &Rc<str>, how: Gone) {
        if let Some(known) = self.keys[key].tokens.get_mut(token) {
            known.gone.get_or_insert((now, how));
        }
    }

    /// A process has made a token.
    pub(crate) fn made(&mut self, key: usize, process: usize, token: &Rc<str>) {
        let new = Token { process, asked: 0, gone: None, copied: false };
        self.keys[key].tokens.insert(Rc::clone(token), new);
    }

    pub(crate) fn crashed(&mut self, now: Time, process: usize, identity: &str) {
        for file in &mut self.keys {
            file.beliefs.retain(|belief| !belief.token.starts_with(identity));
            file.asking.retain(|(other, _)| *other != process);
            for token in file.tokens.values_mut().filter(|token| token.process == process) {
                // Now nobody goes on giving back what it left.
                token.gone = Some((now, Gone::Crashed));
            }
        }
    }

    /// A request for the lock is about to be carried out.
    pub(crate) fn carries_out(&mut self, now: Time, key: usize, token: &Rc<str>, copy: bool) {
        if let Some(known) = self.keys[key].tokens.get_mut(token) {
            known.asked = now;
            known.copied |= copy;
        }
    }

    /// A script has run. Returns whether the lock was handed to somebody else.
    pub(crate) fn ran(&mut self, now: Time, plan: &Plan, expired: &mut u64, ran: &Ran<'_>) -> bool {
        let file = &mut self.keys[ran.key];
        *expired += u64::from(file.expire(now));
        let before = file.lock.take();
        file.lock = ran.after.as_ref().map(|(token, expires)| {
            let since = before.as_ref().filter(|lock| lock.token == *token).map_or(now, |lock| lock.since);
            Lock { token: Rc::clone(token), since, expires: *expires }
        });
        let (was, is) = (before.as_ref().map(|lock| &lock.token), file.lock.as_ref().map(|lock| &lock.token));
        if was.is_some() && is.is_none() {
            file.free = now;
        }
        let mut faults = Vec::new();
        let mut handed = false;
        if let Some(was) = was.filter(|was| Some(*was) != is && !(ran.releases && *was == ran.by)) {
            faults.push((Rule::OwnToken, format!("{} ended the lock of {was}", ran.by)));
        }
        if let (Some(before), Some(after)) = (&before, &file.lock)
            && before.token == after.token
            && before.token != *ran.by
            && before.expires != after.expires
        {
            faults.push((Rule::OwnToken, format!("{} changed the lease of {}", ran.by, before.token)));
        }
        if let Some(is) = is.filter(|is| Some(*is) != was) {
            handed = is != ran.by;
            let lives = |token: &Rc<str>, listeners: i64| {
                let asked = file.tokens.get(token).map_or(0, |known| known.asked / MILLISECOND);
                listeners > 0 && (asked + SEAT_COUNTS_MS) * 1_000 >= now / MICROSECOND
            };
            let seat = ran.seats.iter().position(|(token, _)| token == is);
            if handed && !seat.is_some_and(|at| lives(is, ran.seats[at].1)) {
                faults.push((Rule::Listening, format!("key {} was handed to {is}, who is not there", ran.key)));
            }
            let before = &ran.seats[..seat.unwrap_or(ran.seats.len())];
            let foreign = !file.tokens.contains_key(is);
            if let Some((other, _)) = before.iter().find(|(token, listeners)| !foreign && lives(token, *listeners)) {
                faults.push((Rule::Order, format!("key {} went to {is}, and {other} was first", ran.key)));
            }
        }
        faults.extend(file.uncovered(now, ran.key));
        faults.extend(file.orphan(now, ran.key, plan, &self.disturbed));
        let used = file.last_fence.saturating_sub(EPOCH);
        if ran.last > 0 && ran.last < used {
            faults
                .push((Rule::Returned, format!("the record of key {} went back {} fences", ran.key, used - ran.last)));
        }
        let time = now / 1_000;
        if ran.last > time + plan.longest_lead() {
            faults.push((Rule::Ahead, format!("the last fence of key {} is {} ahead", ran.key, ran.last - time)));
        }
        for (rule, text) in faults {
            self.accuse(rule, now, text);
        }
        handed
    }

    /// What can be seen without anybody doing anything.
    pub(crate) fn look(&mut self, now: Time, plan: &Plan) {
        let mut faults = Vec::new();
        for (key, file) in self.keys.iter_mut().enumerate() {
            let _ = file.expire(now);
            faults.extend(file.orphan(now, key, plan, &self.disturbed));
            for (process, since) in &file.asking {
                let able = (*since).max(self.disturbed[*process]);
                let free = if file.lock.is_none() { now.saturating_sub(able.max(file.free)) } else { 0 };
                if free > plan.longest_free() {
                    faults.push((Rule::Free, format!("key {key} is free, and process {process} waits")));
                }
                if now.saturating_sub(able) > plan.longest_wait() {
                    faults.push((Rule::Starved, format!("process {process} waits for key {key} since {since}")));
                }
            }
            // What nobody asked about for so long has left the network and the store.
            let past = LONGEST_DELAY * 2 + plan.longest_ttl() * 2 + LONGEST_GHOST + 2_000 * MILLISECOND;
            file.tokens.retain(|_, token| token.gone.is_none_or(|(when, _)| when.max(token.asked) + past > now));
        }
        for (rule, text) in faults {
            self.accuse(rule, now, text);
        }
    }

    /// Everybody has stopped wanting anything.
    pub(crate) fn rest(&mut self, now: Time) {
        let waiting = self.keys.iter().position(|file| !file.asking.is_empty());
        if let Some(key) = waiting {
            self.accuse(Rule::Rest, now, format!("somebody still waits for key {key}"));
        }
    }
}
