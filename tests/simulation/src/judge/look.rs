//! What can be seen without anybody doing anything.

use super::Rule;
use crate::{
    plan::{LONGEST_GHOST, MILLISECOND, NAP, SEAT_COUNTS, SECOND},
    sim::Sim,
};

impl Sim {
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
                let hears = self.with_servers(|servers| servers.hears(identity));
                // A message that is late for long has it subscribe anew.
                let since = judge.deaf.entry(*life).or_insert(now);
                if hears {
                    *since = now;
                } else if (*since).max(self.disturbed(*life)) + 6 * SECOND < now {
                    faults.push((Rule::Deaf, format!("p{life} does not listen")));
                }
            }
        }
        faults.into_iter().for_each(|(rule, text)| judge.accuse(rule, now, text));
    }
}
