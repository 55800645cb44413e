//! What can be seen without anybody doing anything.

use super::{Judge, Rule};
use crate::{
    plan::{LONGEST_GHOST, MILLISECOND, NAP, SEAT_COUNTS, SECOND},
    sim::Sim,
};

impl Sim {
    /// What can be seen without anybody doing anything.
    pub(crate) fn judged_look(&self, able: &[u32]) {
        let (now, step) = (self.now(), self.with_servers(|servers| servers.step));
        let lives = self.lives.borrow();
        let Judge { keys, identities, died, deaf, verdict, lenient, .. } = &mut *self.judge.borrow_mut();
        let lenient = *lenient;
        if now <= lenient {
            return;
        }
        let mut accuse = |rule: Rule, text: String| verdict.accuse(rule, now, text);
        for (name, file) in keys.iter_mut().enumerate() {
            file.expire(now, step);
            let waits =
                file.waits.iter().filter(|wait| able.contains(&wait.turn.life) && now < wait.until && wait.queues);
            for turn in waits.map(|wait| wait.turn) {
                let able = turn.since.max(self.disturbed(turn.life)).max(lenient);
                let free = if file.lock.is_none() { now.saturating_sub(able.max(file.free)) } else { 0 };
                if free > self.plan.longest_free() {
                    accuse(Rule::Free, format!("k{name} is free since {}, and p{} waits", file.free, turn.life));
                }
                if now.saturating_sub(able) > self.plan.longest_wait() {
                    accuse(Rule::Starved, format!("p{} waits for k{name} since {}", turn.life, turn.since));
                }
            }
            let Some((lock, life)) = file.lock.as_ref().and_then(|lock| Some((lock, lock.life?))) else { continue };
            let known = &lives[life as usize];
            let left = lock.since.max(lock.told).max(file.left.get(&life).copied().unwrap_or(0)).max(lenient);
            let limit = match died.get(&life) {
                Some(died) => *died + LONGEST_GHOST + SEAT_COUNTS + SECOND + self.plan.longest_ttl(),
                None if known.paused.is_some() => continue,
                // Nobody gives back what a late copy takes while its process is shut down.
                None if known.closes.is_some_and(|closes| closes < lock.since) => continue,
                // Nothing kept it from giving the lock back at once; or something did, or the lock was taken late.
                None => {
                    let is_calm = known.troubled < left && lock.late == 0;
                    let able = if is_calm { left } else { left.max(self.disturbed(life)) + 2 * lock.late };
                    able + self.plan.linger * MILLISECOND + 2 * self.plan.longest_way() + 100 * MILLISECOND
                }
            };
            // Who was granted it too late asks again.
            let asks = file.waits.iter().any(|wait| wait.turn.life == life && wait.turn.since < lock.since);
            let is_used = file.holders.iter().any(|holder| holder.turn.life == life);
            if !is_used && now > limit + if asks { NAP } else { 0 } {
                accuse(Rule::Orphan, format!("k{name} is held by {}, which nobody uses since {left}", lock.token));
            }
        }
        for (identity, life) in identities.iter().filter(|(_, life)| able.contains(life)) {
            // A message that is late for long has it subscribe anew.
            let since = deaf.entry(*life).or_insert(now);
            if self.with_servers(|servers| servers.hears(identity)) {
                *since = now;
            } else if (*since).max(self.disturbed(*life)) + 6 * SECOND < now {
                accuse(Rule::Deaf, format!("p{life} does not listen"));
            }
        }
    }
}
