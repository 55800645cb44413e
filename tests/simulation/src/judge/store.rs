//! What the master does.

use super::{Lock, Rule};
use crate::{
    about::{ScriptKind, Seat, identity},
    plan::{MICROSECOND, MILLISECOND, SECOND, Time},
    redis::Reply,
    server::EPOCH,
    sim::Sim,
    weakness::Weakness,
};

/// From 1970 until 2018, when the numbering of fences begins, in microseconds.
const UNTIL_2018: u64 = 1_514_764_800_000_000;

/// One request to the master about one lock.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    pub(crate) key: usize,
    /// Who sent it, and its token.
    pub(crate) life: Option<u32>,
    pub(crate) by: &'a str,
    /// For how long it was under way after its connection had ended.
    pub(crate) late: Time,
    pub(crate) kind: Option<ScriptKind>,
    /// By the plain command, which does not look at the queue.
    pub(crate) is_plain: bool,
    pub(crate) reply: &'a Reply,
    pub(crate) after: Option<(String, u64)>,
    pub(crate) seats: &'a [Seat],
    pub(crate) last: u64,
}

impl Ran<'_> {
    fn asks(&self) -> bool {
        let is_ours = self.by.contains('-') && !self.by.starts_with("foreign");
        matches!(self.kind, Some(ScriptKind::Acquire | ScriptKind::AcquireMany)) || self.is_plain && is_ours
    }

    /// Whether it may end the lock of its own token.
    fn releases(&self) -> bool {
        matches!(self.kind, Some(ScriptKind::Release | ScriptKind::ReleaseMany | ScriptKind::Other))
    }
}

impl Sim {
    /// Data was lost, or a clock stepped.
    pub(crate) fn disaster(&self, now: Time) {
        let judge = &mut *self.judge.borrow_mut();
        // With a failover guard a loss is no excuse.
        if self.weakness == Some(Weakness::DisasterDenied) || self.plan.quarantine > 0 {
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

    /// Another server is the master from now on, or the same with what it has yet, and runs from `from` on. With a failover guard nobody
    /// who holds a lock may notice: only the store lacks it for a while, and what must happen in time has to wait.
    pub(crate) fn takes_over(&self, from: Time) {
        if self.plan.quarantine == 0 {
            return;
        }
        let (now, opens) = (self.now(), from + self.plan.quarantine * MILLISECOND);
        self.disturb_all(opens + 4 * SECOND);
        let judge = &mut *self.judge.borrow_mut();
        judge.lenient = judge.lenient.max(opens + 6 * SECOND);
        for (key, file) in judge.keys.iter_mut().enumerate() {
            let name = format!("sim:k{key}");
            let (owner, last) = self.with_servers(|servers| (servers.owner(&name), servers.last_fence(&name)));
            file.lock = owner.map(|(token, expires)| {
                let life = judge.identities.get(&identity(&token)).copied();
                Lock { token, life, since: now, told: 0, late: 0, is_fenced: true, last, expires }
            });
            file.free = now;
        }
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
        let mut handed = None;
        let lenient = {
            let judge = &mut *self.judge.borrow_mut();
            if let Some(life) = ran.life.filter(|_| ran.asks()) {
                judge.identities.insert(identity(ran.by), life);
                // What it sent is carried out yet.
                judge.died.entry(life).and_modify(|died| *died = now);
                let disturbed = self.disturbed(life).max(judge.lenient);
                let asked = judge.asked.entry(ran.by.to_owned()).or_insert((now, 0, 0));
                (asked.1, asked.2) = (asked.1 + 1, asked.2.max(ran.late));
                if disturbed > asked.0 {
                    (asked.0, asked.1) = (now, 0);
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
                let late = judge.asked.get(token).map_or(0, |asked| asked.2).max(ran.late);
                let (since, told, late) = same.map_or((now, 0, late), |lock| (lock.since, lock.told, lock.late));
                let life = judge.identities.get(&identity(token)).copied();
                Lock {
                    token: token.clone(),
                    life,
                    since,
                    told,
                    late,
                    is_fenced: ran.last > 0,
                    last: ran.last,
                    expires: *expires,
                }
            });
            let (was, is) = (before.as_ref().map(|lock| &*lock.token), file.lock.as_ref().map(|lock| &*lock.token));
            if was.is_some() && is.is_none() {
                file.free = now;
            }
            // After a failover a renewal takes the place of a hold that is older.
            let is_older = before.as_ref().is_some_and(|lock| 0 < lock.last && lock.last < ran.last);
            let comes_back = ran.kind == Some(ScriptKind::Renew) && is == Some(ran.by) && is_older;
            let comes_back = comes_back && self.plan.quarantine > 0 && now < judge.lenient;
            let is_own = |was: &str| ran.releases() && was == ran.by || comes_back;
            if let Some(was) = was.filter(|was| Some(*was) != is && !is_own(was)) {
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
            if ran.kind == Some(ScriptKind::Inspect) {
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
}
