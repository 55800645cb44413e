//! Sees everything that users and the master see, and knows what must never be.

use std::{collections::BTreeMap, sync::Weak, time::Duration};

use dlock_runtime::{
    Guard, LockError,
    simulated::{Place, within},
};

use crate::{
    plan::{LONGEST_GHOST, MICROSECOND, MILLISECOND, NAP, SEAT_COUNTS, SECOND, Time},
    redis::Reply,
    server::{EPOCH, Seat},
    sim::Sim,
    trace::Lane,
    weakness::Weakness,
};

/// From 1970 until 2018, when the numbering of fences begins, in microseconds.
const UNTIL_2018: u64 = 1_514_764_800_000_000;

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Two hold the lock by their own clocks.
    Exclusion,
    /// Somebody holds the lock by its own clock that the store gave to another, or gives up earlier.
    Covered,
    /// The fence of a turn is not above the one before.
    Fences,
    /// A lock says less than a fence that was used.
    Returned,
    /// A lock was ended or renewed by somebody else's hand.
    OwnToken,
    /// The lock was handed to somebody who cannot hear of it.
    Listening,
    /// The lock was given past somebody who waited for it longer, and listens.
    Order,
    /// A task got the lock before another of its process that waited for it longer.
    LocalOrder,
    /// A lock outlived its use for longer than a repair takes.
    Orphan,
    /// Somebody who looks at a lock is told something that is not so.
    Inspected,
    /// The lock is free, and somebody waits for it.
    Free,
    /// Somebody waits for ever.
    Starved,
    /// The last fence runs away from the time.
    Ahead,
    /// A process does not come to rest.
    Rest,
    /// Something is left behind at the end.
    Residue,
    /// A process does not listen, though nothing keeps it from that.
    Deaf,
    /// One request asks too often.
    Commands,
    /// A user was told of a failure, and nothing had failed.
    Failure,
    /// A script failed.
    Script,
    /// Something panicked.
    Panic,
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
    keys: Vec<Key>,
    number: u64,
    /// Which process a token belongs to, by the identity in it.
    identities: BTreeMap<String, u32>,
    /// When a token asked first, and how often it did since.
    asked: BTreeMap<String, (Time, u64)>,
    died: BTreeMap<u32, Time>,
    /// Since when a process does not listen; until now if it does.
    deaf: BTreeMap<u32, Time>,
    /// When data was lost or a clock stepped: until then all leases are void, and some time after that hardly anything is promised.
    disaster: Option<Time>,
    lenient: Time,
    only: Option<Rule>,
    pub(crate) violation: Option<Violation>,
}

#[derive(Debug, Default)]
struct Key {
    lock: Option<Lock>,
    /// Since when it is free.
    free: Time,
    holders: Vec<Holder>,
    waits: Vec<Wait>,
    /// When a process stopped to use it.
    left: BTreeMap<u32, Time>,
    last_fence: u64,
}

#[derive(Clone, Debug)]
struct Lock {
    token: String,
    life: Option<u32>,
    since: Time,
    /// When its process hears that it was handed over.
    told: Time,
    /// What it takes its process longer to give it back, as it was taken by a command that was late.
    late: Time,
    /// Whether it has fences. One without may be taken for the one before, if a late command gets it once more.
    is_fenced: bool,
    /// The last millisecond of the server's clock in which it exists.
    expires: u64,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    /// The request that it began for.
    wait: u64,
    life: u32,
    guard: Option<Weak<Guard>>,
    /// Until when a foreign client holds it. A call of an annotated function has no guard to be asked, and speaks for itself alone.
    ends: Time,
    is_foreign: bool,
    is_excused: bool,
}

#[derive(Debug)]
struct Wait {
    number: u64,
    life: u32,
    since: Time,
    until: Time,
    queues: bool,
    /// Another of its process that asked later got the lock.
    overtaken: Option<Time>,
}

/// One request to the master about one lock.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    pub(crate) key: usize,
    /// Who sent it, and its token.
    pub(crate) life: Option<u32>,
    pub(crate) by: &'a str,
    /// For how long it was under way after its connection had ended.
    pub(crate) late: Time,
    pub(crate) asks: bool,
    /// By the plain command, which does not look at the queue.
    pub(crate) is_plain: bool,
    pub(crate) inspects: bool,
    /// Whether it may end the lock of its own token.
    pub(crate) releases: bool,
    pub(crate) reply: &'a Reply,
    pub(crate) after: Option<(String, u64)>,
    pub(crate) seats: &'a [Seat],
    pub(crate) last: u64,
}

impl Judge {
    pub(crate) fn new(keys: usize, only: Option<Rule>) -> Self {
        Self { keys: (0..keys).map(|_| Key::default()).collect(), only, ..Self::default() }
    }

    /// Only the first one counts: what comes after may follow from it.
    pub(crate) fn accuse(&mut self, rule: Rule, at: Time, text: String) {
        if self.only.is_none_or(|only| only == rule) {
            self.violation.get_or_insert(Violation { rule, at, text });
        }
    }

    /// Fences may begin anew.
    pub(crate) fn forget_fences(&mut self) {
        self.keys.iter_mut().for_each(|key| key.last_fence = 0);
    }

    pub(crate) fn died(&mut self, life: u32, now: Time) {
        self.died.insert(life, now);
        for key in &mut self.keys {
            key.holders.retain(|holder| holder.life != life);
            key.waits.retain(|wait| wait.life != life);
        }
    }
}

impl Key {
    fn expire(&mut self, now: Time, step: i64) {
        if let Some(gone) = self.lock.as_ref().map(|lock| true_end(lock.expires, step)).filter(|gone| *gone <= now) {
            self.lock = None;
            self.free = gone;
        }
    }
}

/// When a key that exists to the end of that millisecond is gone, in true time.
fn true_end(expires: u64, step: i64) -> Time {
    let since_epoch = expires.saturating_add(1).saturating_mul(1_000).saturating_sub(EPOCH.saturating_add_signed(step));
    since_epoch.saturating_mul(MICROSECOND)
}

impl Sim {
    fn judged<T>(&self, key: usize, work: impl FnOnce(&mut Key, &mut u64) -> T) -> T {
        let judge = &mut *self.judge.borrow_mut();
        work(&mut judge.keys[key], &mut judge.number)
    }

    /// A task begins to ask, and waits until `until`.
    pub(crate) fn asks(&self, key: usize, life: u32, wait: Option<Duration>) -> u64 {
        let since = self.now();
        let until = wait.map_or(Time::MAX, |wait| since + wait.as_nanos() as Time * 98 / 100);
        self.lives.borrow()[life as usize].looks.set(0);
        self.note(since, Lane::Life(life), None, || format!("asks for k{key}, waits {wait:?}"));
        self.judged(key, |key, number| {
            *number += 1;
            let queues = wait != Some(Duration::ZERO);
            key.waits.push(Wait { number: *number, life, since, until, queues, overtaken: None });
            *number
        })
    }

    /// A task asks no more, whatever came of it.
    pub(crate) fn asks_no_more(&self, key: usize, number: u64) {
        let (now, lingers) = (self.now(), self.plan.linger > 0);
        self.judged(key, |key, _| {
            // It may have had the baton, with a lease that is kept for a while from now on.
            let gone = key.waits.iter().find(|wait| wait.number == number).filter(|_| lingers);
            gone.map(|wait| wait.life).map(|life| key.left.insert(life, now));
            key.waits.retain(|wait| wait.number != number);
        });
    }

    /// A user was told of an error.
    pub(crate) fn failed(&self, key: usize, life: u32, since: Time, may_be_lost: bool, error: &LockError) {
        let disturbed = self.disturbed(life).max(self.judge.borrow().lenient);
        self.note(self.now(), Lane::Life(life), None, || format!("k{key}: {error}"));
        self.count(|figures| match error {
            LockError::Busy { .. } => figures.busy += 1,
            LockError::Lost { .. } => figures.lost_turns += 1,
            _ => figures.unavailable += 1,
        });
        let is_expected = match error {
            LockError::Busy { .. } | LockError::ShutDown => true,
            // What is late for long ends in doubt, or after the lease.
            LockError::Lost { .. } => may_be_lost || self.plan.delayed > 0,
            LockError::Unavailable { .. } => self.plan.delayed > 0,
            _ => false,
        };
        if !is_expected && disturbed < since {
            self.accuse(Rule::Failure, format!("p{life} is told of k{key}: {error:?}"));
        }
    }

    /// A turn begins.
    pub(crate) fn begins(
        &self,
        key: usize,
        life: u32,
        wait: u64,
        guard: Option<Weak<Guard>>,
        (fence, remaining): (u64, Duration),
    ) -> u64 {
        let (now, mut faults) = (self.now(), Vec::new());
        self.note(now, Lane::Life(life), None, || format!("holds k{key} with fence {fence} for {remaining:?}"));
        self.count(|figures| figures.acquisitions += 1);
        self.mix(fence);
        let (disaster, longest) = (self.judge.borrow().disaster, self.plan.longest_ttl() * 102 / 100);
        let is_foreign = fence == 0 && guard.is_none();
        let number = self.judged(key, |file, number| {
            let own = file.waits.iter().find(|other| other.number == wait).filter(|own| own.queues && now < own.until);
            if let Some(own) = own {
                if let Some(at) = own.overtaken {
                    let text = format!("k{key}: p{life} asked at {} and was overtaken at {at}", own.since);
                    faults.push((Rule::LocalOrder, text));
                }
                // It counts if it gets the lock later: it may be told of an error this moment.
                let before = |other: &&mut Wait| other.life == life && other.number < wait && other.queues;
                file.waits.iter_mut().filter(before).for_each(|other| other.overtaken = other.overtaken.or(Some(now)));
            }
            // Until then a lease from before the disaster may be believed.
            let is_excused = disaster.is_some_and(|disaster| now < disaster + longest + 100 * MILLISECOND);
            let last = file.last_fence;
            if !is_excused {
                file.last_fence = last.max(fence);
            }
            // A resource refuses the fences of a lease that the store does not know any more.
            if fence <= last && fence > 0 && !is_excused {
                faults.push((Rule::Fences, format!("a turn on k{key} has fence {fence} after {last}")));
            }
            *number += 1;
            file.holders.push(Holder { number: *number, wait, life, guard, ends: 0, is_foreign, is_excused });
            *number
        });
        faults.into_iter().for_each(|(rule, text)| self.accuse(rule, text));
        self.works(key, number, remaining);
        number
    }

    /// A turn without a fence was joined by who needs one.
    pub(crate) fn gets_fence(&self, key: usize, number: u64, fence: u64) {
        let last = self.judged(key, |file, _| {
            let is_excused = file.holders.iter().all(|holder| holder.number != number || holder.is_excused);
            let last = if is_excused { 0 } else { file.last_fence };
            file.last_fence = file.last_fence.max(fence);
            last
        });
        if fence <= last {
            self.accuse(Rule::Fences, format!("a hold on k{key} that was joined has fence {fence} after {last}"));
        }
    }

    /// A turn goes on: nobody else may have the lock, and the store must keep it for longer.
    pub(crate) fn works(&self, key: usize, number: u64, remaining: Duration) {
        if remaining.is_zero() {
            return;
        }
        let now = self.now();
        let Some((life, is_excused)) = self.judged(key, |file, _| {
            file.holders.iter().find(|holder| holder.number == number).map(|holder| (holder.life, holder.is_excused))
        }) else {
            return;
        };
        let ends = now + self.true_span(life, remaining);
        self.judged(key, |file, _| {
            if let Some(holder) = file.holders.iter_mut().find(|holder| holder.number == number && holder.is_foreign) {
                holder.ends = ends;
            }
        });
        if is_excused {
            return;
        }
        if let Some(other) = self.holders(key).into_iter().find(|other| other.0 != number) {
            self.accuse(Rule::Exclusion, format!("p{life} and p{} hold k{key}", other.1));
        }
        self.is_covered(key, life, ends);
    }

    fn is_covered(&self, key: usize, life: u32, ends: Time) {
        let (now, step) = (self.now(), self.with_servers(|servers| servers.step));
        let lock = self.judged(key, |file, _| {
            file.expire(now, step);
            file.lock.clone()
        });
        let is_foreign = |lock: &Lock| lock.life.is_none() && lock.token.starts_with(&format!("foreign-{life}-"));
        let own = lock.as_ref().filter(|lock| lock.life == Some(life) || is_foreign(lock));
        if own.is_none_or(|lock| true_end(lock.expires, step) < ends) {
            let text = lock.map(|lock| format!("{} until {}", lock.token, true_end(lock.expires, step)));
            self.accuse(Rule::Covered, format!("p{life} holds k{key} until {ends}, in the store {text:?}"));
        }
    }

    /// Who holds a lock by its own clock.
    fn holders(&self, key: usize) -> Vec<(u64, u32, Time)> {
        let now = self.now();
        let known = self.judged(key, |file, _| {
            let live = file.holders.iter().filter(|holder| !holder.is_excused);
            live.map(|holder| (holder.number, holder.life, holder.ends, holder.guard.clone())).collect::<Vec<_>>()
        });
        let held = known.into_iter().filter_map(|(number, life, ends, guard)| match guard {
            Some(guard) => {
                let guard = guard.upgrade()?;
                let place = Place { process: life, lane: Place::TASKS };
                let (is_held, remaining) = within(place, || (guard.is_held(), guard.remaining()));
                is_held.then(|| (number, life, now + self.true_span(life, remaining)))
            }
            None => (now < ends).then_some((number, life, ends)),
        });
        held.collect()
    }

    /// The turn that began for a request, if there was one.
    pub(crate) fn last_turn(&self, key: usize, life: u32, wait: u64) -> u64 {
        self.judged(key, |file, _| {
            let own = file.holders.iter().find(|holder| holder.life == life && holder.wait == wait);
            own.map_or(0, |holder| holder.number)
        })
    }

    /// A turn ends, or its lock is given up.
    pub(crate) fn stops(&self, key: usize, number: u64) {
        let now = self.now();
        self.judged(key, |file, _| {
            if let Some(at) = file.holders.iter().position(|holder| holder.number == number) {
                let holder = file.holders.swap_remove(at);
                file.left.insert(holder.life, now);
            }
        });
    }

    /// Data was lost, or a clock stepped.
    pub(crate) fn disaster(&self, now: Time) {
        let judge = &mut *self.judge.borrow_mut();
        if self.weakness == Some(Weakness::DisasterDenied) {
            return;
        }
        judge.disaster = Some(now);
        judge.lenient = now + 6 * SECOND;
        judge.keys.iter_mut().for_each(|key| {
            key.holders.iter_mut().for_each(|holder| holder.is_excused = true);
            key.lock = None;
            key.free = now;
        });
    }

    /// The message of a hand-over, `token fence waiting name`, will arrive.
    pub(crate) fn is_told(&self, grant: &str, at: Time) {
        let mut words = grant.split(' ');
        let (token, key) = (words.next(), words.next_back().and_then(|name| name.strip_prefix("sim:k")?.parse().ok()));
        let judge = &mut *self.judge.borrow_mut();
        let lock = key.and_then(|key: usize| judge.keys[key].lock.as_mut());
        if let Some(lock) = lock.filter(|lock| Some(&*lock.token) == token) {
            lock.told = at;
        }
    }

    /// The master has carried out a request.
    pub(crate) fn ran(&self, ran: &Ran<'_>) {
        let (now, (step, lives)) = (self.now(), self.with_servers(|servers| (servers.step, servers.life)));
        let mut faults = Vec::new();
        if let Reply::Error(message) = ran.reply
            && !["READONLY", "OOM", "LOADING", "NOSCRIPT"].iter().any(|code| message.contains(code))
        {
            faults.push((Rule::Script, message.clone()));
        }
        let identity = |token: &str| token.split('-').next().unwrap_or_default().to_owned();
        let mut handed = None;
        let lenient = {
            let judge = &mut *self.judge.borrow_mut();
            if let (true, Some(life)) = (ran.asks, ran.life) {
                judge.identities.insert(identity(ran.by), life);
                let disturbed = self.disturbed(life).max(judge.lenient);
                let asked = judge.asked.entry(ran.by.to_owned()).or_insert((now, 0));
                asked.1 += 1;
                if disturbed > asked.0 {
                    *asked = (now, 0);
                }
                if asked.1 > 60 + (now - asked.0) / (50 * MILLISECOND) {
                    faults.push((Rule::Commands, format!("{} asked {} times since {}", ran.by, asked.1, asked.0)));
                }
            }
            let file = &mut judge.keys[ran.key];
            file.expire(now, step);
            let before = file.lock.take();
            file.lock = ran.after.as_ref().map(|(token, expires)| {
                let same = before.as_ref().filter(|lock| lock.token == *token);
                let (since, told, late) = same.map_or((now, 0, ran.late), |lock| (lock.since, lock.told, lock.late));
                let life = judge.identities.get(&identity(token)).copied();
                Lock { token: token.clone(), life, since, told, late, is_fenced: ran.last > 0, expires: *expires }
            });
            let (was, is) = (before.as_ref().map(|lock| &*lock.token), file.lock.as_ref().map(|lock| &*lock.token));
            if was.is_some() && is.is_none() {
                file.free = now;
            }
            if let Some(was) = was.filter(|was| Some(*was) != is && !(ran.releases && *was == ran.by)) {
                faults.push((Rule::OwnToken, format!("{} ended the lock of {was} on k{}", ran.by, ran.key)));
            }
            if let (Some(before), Some(after)) = (&before, &file.lock)
                && before.token == after.token
                && before.token != ran.by
                && before.expires != after.expires
            {
                faults.push((Rule::OwnToken, format!("{} changed the lease of {}", ran.by, before.token)));
            }
            if let Some(is) = is.filter(|is| Some(*is) != was) {
                let life = file.lock.as_ref().and_then(|lock| lock.life);
                let millis = (EPOCH.saturating_add_signed(step) + now / MICROSECOND) / 1_000;
                let seat = ran.seats.iter().position(|seat| seat.token == is);
                if is != ran.by {
                    handed = life;
                    if !seat.is_some_and(|at| ran.seats[at].may_live(millis)) {
                        faults.push((Rule::Listening, format!("k{} was handed to {is}, who is not there", ran.key)));
                    }
                }
                let first = ran.seats[..seat.unwrap_or(ran.seats.len())].iter().find(|seat| seat.lives(millis));
                if let Some(first) = first.filter(|_| life.is_some() && !ran.is_plain) {
                    faults.push((Rule::Order, format!("k{} went to {is}, and {} was first", ran.key, first.token)));
                }
            }
            if ran.inspects {
                let millis = (EPOCH.saturating_add_signed(step) + now / MICROSECOND) / 1_000;
                let waiting = ran.seats.iter().filter(|seat| seat.counts(millis)).count() as i64;
                let is_so = match (ran.reply, is) {
                    (Reply::Nil, None) => true,
                    (Reply::List(parts), Some(is)) => match &parts[..] {
                        // Who was forgotten by the queue alone is counted until it asks again.
                        [Reply::Int(_), Reply::Text(value), Reply::Int(count)] => {
                            value.starts_with(is.as_bytes()) && *count >= waiting
                        }
                        _ => false,
                    },
                    _ => matches!(ran.reply, Reply::Error(_)),
                };
                if !is_so {
                    faults
                        .push((Rule::Inspected, format!("{is:?} holds k{}, {waiting} wait: {:?}", ran.key, ran.reply)));
                }
            }
            if ran.last > 0 && ran.last < file.last_fence {
                let text = format!("k{} goes to fence {} only, and {} was used", ran.key, ran.last, file.last_fence);
                faults.push((Rule::Returned, text));
            }
            // In eighths of a microsecond since 2018; and each life of the server begins ten seconds ahead, at most.
            let time = (EPOCH.saturating_add_signed(step) + now / MICROSECOND - UNTIL_2018) * 8;
            let ahead = ran.last.saturating_sub(time);
            if ahead > 1_600_000 + lives * 160_000_000 {
                faults.push((Rule::Ahead, format!("the last fence of k{} is {ahead} eighths ahead", ran.key)));
            }
            now < judge.lenient
        };
        if handed.is_some() {
            self.count(|figures| figures.handed += 1);
        }
        let strict = |rule: Rule| matches!(rule, Rule::Script | Rule::OwnToken);
        faults.retain(|(rule, _)| !lenient || strict(*rule));
        faults.into_iter().for_each(|(rule, text)| self.accuse(rule, text));
        // An end of a belief is compared only where a change of the store could end it.
        let has_holders = self.judged(ran.key, |file, _| file.holders.iter().any(|holder| !holder.is_excused));
        if has_holders {
            self.holders(ran.key).into_iter().for_each(|(_, life, ends)| self.is_covered(ran.key, life, ends));
        }
    }

    /// What can be seen without anybody doing anything.
    pub(crate) fn judged_look(&self, able: &[u32]) {
        let (now, step) = (self.now(), self.with_servers(|servers| servers.step));
        let mut faults = Vec::new();
        let lives = self.lives.borrow();
        let judge = &mut *self.judge.borrow_mut();
        let lenient = judge.lenient;
        if now > lenient {
            for (name, file) in judge.keys.iter_mut().enumerate() {
                file.expire(now, step);
                for wait in
                    file.waits.iter().filter(|wait| able.contains(&wait.life) && now < wait.until && wait.queues)
                {
                    let able = wait.since.max(self.disturbed(wait.life)).max(lenient);
                    let free = if file.lock.is_none() { now.saturating_sub(able.max(file.free)) } else { 0 };
                    if free > self.plan.longest_free() {
                        faults.push((
                            Rule::Free,
                            format!("k{name} is free since {}, and p{} waits", file.free, wait.life),
                        ));
                    }
                    if now.saturating_sub(able) > self.plan.longest_wait() {
                        faults.push((Rule::Starved, format!("p{} waits for k{name} since {}", wait.life, wait.since)));
                    }
                }
                let Some((lock, life)) = file.lock.as_ref().and_then(|lock| Some((lock, lock.life?))) else { continue };
                let known = &lives[life as usize];
                let left = lock.since.max(lock.told).max(file.left.get(&life).copied().unwrap_or(0)).max(lenient);
                let limit = match judge.died.get(&life) {
                    Some(died) => *died + LONGEST_GHOST + SEAT_COUNTS + SECOND + self.plan.longest_ttl(),
                    None if known.paused.is_some() => continue,
                    // Nothing kept it from giving the lock back at once; or something did, or the lock was taken late.
                    None => {
                        let is_calm = known.troubled < left && lock.late == 0 && lock.is_fenced;
                        let able = if is_calm { left } else { left.max(self.disturbed(life)) + 2 * lock.late };
                        able + self.plan.linger * MILLISECOND + 2 * self.plan.longest_way() + 100 * MILLISECOND
                    }
                };
                // Who was granted it too late asks again.
                let asks = file.waits.iter().any(|wait| wait.life == life && wait.since < lock.since);
                let limit = if asks { limit + NAP } else { limit };
                let is_used = file.holders.iter().any(|holder| holder.life == life);
                if !is_used && now > limit {
                    faults.push((
                        Rule::Orphan,
                        format!("k{name} is held by {}, which nobody uses since {left}", lock.token),
                    ));
                }
            }
            for (identity, life) in judge.identities.iter().filter(|(_, life)| able.contains(life)) {
                let channel = format!("dlock:{identity}");
                let count = self.with_servers(|servers| servers.listeners(servers.master, channel.as_bytes()).len());
                // A message that is late for long has it subscribe anew.
                let since = judge.deaf.entry(*life).or_insert(now);
                if count > 0 {
                    *since = now;
                } else if (*since).max(self.disturbed(*life)) + 6 * SECOND < now {
                    faults.push((Rule::Deaf, format!("p{life} does not listen")));
                }
            }
        }
        faults.into_iter().for_each(|(rule, text)| judge.accuse(rule, now, text));
    }
}
