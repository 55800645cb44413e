//! Keeping a lease: at most one renewal is under way, and only a definite "yes" moves the deadline.

use crate::{
    env::{Env, millis},
    events::{Open, Timer, What},
    fences::Fences,
    grant::{Grant, margin},
    process::Process,
    redis::Reply,
    weakness::Weakness,
};

#[derive(Debug)]
pub(crate) struct Renewal {
    pub(crate) open: Open,
    ttl: u64,
    shorten: bool,
    count: u32,
}

impl Process {
    /// Asks to start the lease anew, for shorter if so wished, and for more fences.
    pub(crate) fn renew(&mut self, env: &mut Env, key: usize, ttl: u64, shorten: bool, count: u32) {
        let now = self.now(env);
        let Some(lease) = self.lease(key) else { return };
        let token = lease.token.clone();
        if shorten && env.weakness != Some(Weakness::ShortenWithoutCap) {
            // It can be carried out at any time from now on.
            lease.deadline = lease.deadline.min(now.after(millis(ttl).saturating_sub(margin(millis(ttl)))));
            lease.cap = Some(ttl);
            let (deadline, number) = (lease.deadline, lease.number);
            let ends = self.clock.time_of(deadline);
            env.judge.believes(env.now, key, &token, ends);
            self.timer(env, deadline, Timer::LeaseEnds { key: key as u16, number });
        }
        env.figures.renewals += 1;
        env.figures.refilled += u64::from(count > 0);
        let attempt = self.lease(key).map_or(0, |lease| lease.attempt);
        let Some(open) = self.send_renewal(env, key, What::Renew { ttl, shorten, count }, attempt) else { return };
        if let Some(lease) = self.lease(key) {
            lease.renewal = Some(Renewal { open, ttl, shorten, count });
        }
    }

    pub(crate) fn renewed(&mut self, env: &mut Env, key: usize, reply: &Reply) {
        let now = self.now(env);
        let Some(lease) = self.lease(key) else { return };
        let Some(renewal) = lease.renewal.take() else { return };
        lease.attempt = 0;
        let Reply::Int(answer) = *reply else { panic!("renew answered {reply:?}") };
        if answer == 0 || now >= lease.deadline {
            return self.lose(env, key);
        }
        if renewal.count > 0 {
            lease.fences = Fences::new(answer as u64, renewal.count);
        }
        let asked = if env.weakness == Some(Weakness::DeadlineFromReply) { now } else { renewal.open.sent };
        if renewal.shorten {
            lease.cap = None;
            lease.ttl = renewal.ttl;
            lease.fresh = (asked, renewal.ttl);
        } else {
            let cap = lease.caps_for_good.unwrap_or(u64::MAX).min(lease.cap.unwrap_or(u64::MAX));
            let ttl = renewal.ttl.min(cap);
            lease.ttl = lease.ttl.max(renewal.ttl);
            lease.fresh = (asked, ttl);
            lease.deadline = lease.deadline.max(Grant { asked, ttl: millis(ttl) }.deadline());
            let (deadline, token) = (lease.deadline, lease.token.clone());
            let ends = self.clock.time_of(deadline);
            env.judge.believes(env.now, key, &token, ends);
        }
        self.next_turn(env, key);
    }

    pub(crate) fn not_renewed(&mut self, env: &mut Env, key: usize) {
        let Some(lease) = self.lease(key) else { return };
        let Some(renewal) = lease.renewal.take() else { return };
        lease.attempt = lease.attempt.saturating_add(1);
        if renewal.shorten && lease.cap.take().is_some() {
            // It may be carried out at any time, for as long as the lease lasts.
            lease.caps_for_good = Some(lease.caps_for_good.unwrap_or(u64::MAX).min(renewal.ttl));
        }
        self.next_turn(env, key);
        let again = self.lease(key).filter(|lease| lease.renewal.is_none());
        if let Some(number) = again.map(|lease| lease.number) {
            self.renewal_is_due(env, key, number);
        }
    }

    /// A third of the TTL has passed.
    pub(crate) fn renewal_is_due(&mut self, env: &mut Env, key: usize, number: u64) {
        let now = self.now(env);
        let Some(lease) = self.lease(key).filter(|lease| lease.number == number) else { return };
        let (asked, ttl) = lease.fresh;
        let due = asked.after(millis(ttl) / 3);
        if now < due {
            return self.timer(env, due, Timer::Renew { key: key as u16, number });
        }
        let wanted = lease.turn.as_ref().filter(|turn| turn.wish.renews).map(|turn| turn.wish.ttl);
        let deadline = lease.deadline;
        if let Some(ttl) = wanted.filter(|_| lease.renewal.is_none() && now < deadline) {
            self.renew(env, key, ttl, false, 0);
        }
        self.timer(env, now.after(millis(ttl) / 6), Timer::Renew { key: key as u16, number });
    }
}
