//! What the master does.

use super::{Judge, Lock, Rule};
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
    /// From when on the server that carried it out may grant anything.
    pub(crate) opens: Time,
}

impl Sim {
    /// Data was lost, or a clock stepped.
    pub(crate) fn disaster(&self, now: Time) {
        // With a failover guard a loss is no excuse.
        if self.weakness == Some(Weakness::DisasterDenied) || self.plan.quarantine > 0 {
            return;
        }
        let judge = &mut *self.judge.borrow_mut();
        (judge.disaster, judge.lenient) = (Some(now), now + 6 * SECOND);
        for file in &mut judge.keys {
            file.holders.iter_mut().for_each(|holder| holder.is_excused = true);
            (file.lock, file.free) = (None, now);
        }
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
            let (owner, last) = self.with_servers(|servers| servers.owner(&name));
            file.free = now;
            file.lock = owner.map(|(token, expires)| {
                let life = judge.identities.get(&identity(&token)).copied();
                Lock { token, life, since: now, told: 0, late: 0, last, expires }
            });
        }
    }

    /// The message of a hand-over, `token fence waiting name`, arrives at that time. Who has left the connection by then gives the lock
    /// back so `late`.
    pub(crate) fn is_told(&self, grant: &str, at: Time, late: Time) {
        let mut words = grant.split(' ');
        let (token, key) = (words.next(), words.next_back().and_then(|name| name.strip_prefix("sim:k")?.parse().ok()));
        let judge = &mut *self.judge.borrow_mut();
        let lock = key.and_then(|key: usize| judge.keys[key].lock.as_mut());
        if let Some(lock) = lock.filter(|lock| Some(&*lock.token) == token) {
            (lock.told, lock.late) = (at, lock.late.max(late));
        }
    }

    /// The master has carried out a request.
    pub(crate) fn ran(&self, ran: &Ran<'_>) {
        self.judge_script(ran);
        // An end of a belief is compared only where a change of the store could end it.
        self.holders(ran.key).into_iter().for_each(|(turn, ends)| self.is_covered(turn, ends));
    }

    fn judge_script(&self, ran: &Ran<'_>) {
        let (now, (step, lives)) = (self.now(), self.with_servers(|servers| (servers.step, servers.life)));
        let micros = EPOCH.saturating_add_signed(step) + now / MICROSECOND;
        let millis = micros / 1_000;
        let Judge { keys, identities, asked, died, verdict, lenient, .. } = &mut *self.judge.borrow_mut();
        let (lenient, is_lenient) = (*lenient, now < *lenient);
        let mut accuse = |rule: Rule, text: String| {
            if !is_lenient || matches!(rule, Rule::OwnToken | Rule::Closed) {
                verdict.accuse(rule, now, text);
            }
        };
        let is_ours = ran.by.contains('-') && !ran.by.starts_with("foreign");
        let asks = matches!(ran.kind, Some(ScriptKind::Acquire | ScriptKind::AcquireMany)) || ran.is_plain && is_ours;
        if let Some(life) = ran.life.filter(|_| asks) {
            identities.insert(identity(ran.by), life);
            // What it sent is carried out yet.
            died.entry(life).and_modify(|died| *died = now);
            let (first, count, late) = asked.entry(ran.by.to_owned()).or_insert((now, 0, 0));
            (*count, *late) = (*count + 1, ran.late.max(*late));
            if self.disturbed(life).max(lenient) > *first {
                (*first, *count) = (now, 0);
            }
            if *count > 60 + (now - *first) / (50 * MILLISECOND) {
                accuse(Rule::Commands, format!("{} asked {count} times since {first}", ran.by));
            }
        }
        let file = &mut keys[ran.key];
        file.expire(now, step);
        let before = file.lock.take();
        let (was, is) = (before.as_ref().map(|lock| &*lock.token), ran.after.as_ref().map(|(token, _)| &**token));
        let life = is.and_then(|is| identities.get(&identity(is)).copied());
        file.lock = ran.after.clone().map(|(token, expires)| {
            let same = before.as_ref().filter(|lock| lock.token == token);
            // Of a hand-over its process is told, however late the command was that queued.
            let late = asked.get(&token).map_or(0, |asked| asked.2).max(ran.late);
            let late = if token == ran.by { late } else { 0 };
            let (since, told, late) = same.map_or((now, 0, late), |lock| (lock.since, lock.told, lock.late));
            Lock { token, life, since, told, late, last: ran.last, expires }
        });
        if was.is_some() && is.is_none() {
            file.free = now;
        }
        let renews = matches!(ran.kind, Some(ScriptKind::Renew | ScriptKind::Shorten)) && is == Some(ran.by);
        if let Some(before) = &before {
            let was = &*before.token;
            // After a failover a renewal takes the place of a hold that is older.
            let is_older = 0 < before.last && before.last < ran.last;
            let comes_back = renews && is_older && self.plan.quarantine > 0 && is_lenient;
            let releases = matches!(ran.kind, Some(ScriptKind::Release | ScriptKind::ReleaseMany | ScriptKind::Other));
            let is_own = releases && was == ran.by || comes_back;
            if is != Some(was) && !is_own {
                accuse(Rule::OwnToken, format!("{} ended the lock of {was} on k{}", ran.by, ran.key));
            }
            let is_changed = file.lock.as_ref().is_some_and(|lock| lock.expires != before.expires);
            if is == Some(was) && was != ran.by && is_changed {
                accuse(Rule::OwnToken, format!("{} changed the lease of {was}", ran.by));
            }
        }
        if let Some(is) = is.filter(|is| Some(*is) != was) {
            // Only a renewal brings a hold back meanwhile. The server counts whole milliseconds.
            if now + MILLISECOND < ran.opens && !renews {
                accuse(Rule::Closed, format!("k{} went to {is}, and the server opens at {}", ran.key, ran.opens));
            }
            let seat = ran.seats.iter().position(|seat| seat.token == is);
            if is != ran.by {
                self.count(|figures| figures.handed += u64::from(life.is_some()));
                let may_live = |seat: &Seat| seat.is_heard && seat.counts(millis - 1);
                if !seat.is_some_and(|at| may_live(&ran.seats[at])) {
                    accuse(Rule::Listening, format!("k{} was handed to {is}, who is not there", ran.key));
                }
                if !self.with_servers(|servers| servers.tell(is)) {
                    accuse(Rule::Listening, format!("k{} was handed to {is}, who is told nothing", ran.key));
                }
            }
            // Whose waiter is there for certain.
            let is_there = |seat: &&Seat| seat.is_heard && seat.counts(millis + 1);
            let first = ran.seats[..seat.unwrap_or(ran.seats.len())].iter().find(is_there);
            if let Some(first) = first.filter(|_| life.is_some() && !ran.is_plain) {
                accuse(Rule::Order, format!("k{} went to {is}, and {} was first", ran.key, first.token));
            }
        }
        for seat in ran.seats {
            let Some(of) = identities.get(&identity(&seat.token)).copied() else { continue };
            let Some(first) = file.waits.iter_mut().find(|wait| wait.turn.life == of && wait.queues) else { continue };
            // Its process takes one place for it. What was given up before may have been under way until then, or come later yet.
            let begun = first.turn.since + self.plan.longest_way();
            if life == Some(of) || self.disturbed(of) > now || is_lenient {
                first.places.clear();
            } else if asked.get(&seat.token).is_none_or(|(first, _, late)| *late == 0 && *first > begun) {
                first.places.insert(seat.token.clone());
            }
            if first.places.len() > 2 {
                accuse(Rule::Order, format!("p{of} does not keep its place for k{}: {:?}", ran.key, first.places));
            }
        }
        if ran.kind == Some(ScriptKind::Inspect) {
            let waiting = ran.seats.iter().filter(|seat| seat.counts(millis)).count() as i64;
            let is_so = match (ran.reply, is) {
                (Reply::Nil, None) | (Reply::Error(_), _) => true,
                // Who was forgotten by the queue alone is counted until it asks again.
                (Reply::List(parts), Some(is)) => {
                    matches!(&parts[..], [Reply::Int(_), Reply::Text(value), Reply::Int(count)]
                    if value.starts_with(is.as_bytes()) && *count >= waiting)
                }
                _ => false,
            };
            if !is_so {
                accuse(Rule::Inspected, format!("{is:?} holds k{}, {waiting} wait: {:?}", ran.key, ran.reply));
            }
        }
        if ran.last > 0 && ran.last < file.last_fence {
            let text = format!("k{} goes to fence {} only, and {} was used", ran.key, ran.last, file.last_fence);
            accuse(Rule::Returned, text);
        }
        // In eighths of a microsecond since 2018; and each life of the server begins ten seconds ahead, at most.
        let ahead = ran.last.saturating_sub((micros - UNTIL_2018) * 8);
        if ahead > 1_600_000 + lives * 160_000_000 {
            accuse(Rule::Ahead, format!("the last fence of k{} is {ahead} eighths ahead", ran.key));
        }
    }
}
