//! The tasks of a process: each wants a lock again and again.

use crate::{
    clock::{MILLISECOND, Time},
    env::Env,
    events::Timer,
    process::{Process, Stage},
};

#[derive(Debug, Default)]
pub(crate) struct Task {
    pub(crate) wish: Wish,
    /// Counts the wishes, so that a timer of an old one says nothing.
    number: u32,
    waits: bool,
}

/// What a task asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) ttl: u64,
    pub(crate) renews: bool,
    pub(crate) body: Time,
    pub(crate) max_hold: Time,
}

impl Process {
    /// The task rests before it wants something again.
    pub(crate) fn rest(&mut self, env: &mut Env, task: u16) {
        self.tasks[usize::from(task)].waits = false;
        if !env.ending {
            let rest = env.rng.between(env.plan.rest);
            env.timer(self.index, self.life, env.now + rest, Timer::Wake { task });
        }
    }

    pub(crate) fn wishes(&mut self, env: &mut Env, task: u16) {
        if env.ending {
            return;
        }
        let key = env.rng.below(self.spots.len() as u64) as usize;
        self.wants(env, task, key);
        self.advance(env, key);
    }

    /// The task stands in line for a key.
    pub(crate) fn wants(&mut self, env: &mut Env, task: u16, key: usize) {
        let rng = &mut env.rng;
        let long = rng.chance(env.plan.long_bodies);
        let body = if long { rng.spread(env.plan.long) } else { rng.between(env.plan.body) };
        let wish = Wish {
            ttl: rng.pick(env.plan.ttls),
            renews: !rng.chance(env.plan.without_renewal),
            body: body.max(1_000),
            max_hold: env.plan.long * 2,
        };
        let once = rng.chance(env.plan.tries_once);
        let patience = if rng.chance(7_000) { MILLISECOND } else { 300 * MILLISECOND };
        let cancelled = rng.chance(env.plan.cancels).then(|| rng.spread(patience));
        let slot = &mut self.tasks[usize::from(task)];
        slot.wish = wish;
        slot.number = slot.number.wrapping_add(1);
        slot.waits = true;
        let wish = slot.number;
        let spot = &mut self.spots[key];
        if once {
            if spot.line.is_empty() && matches!(spot.stage, Stage::Idle) {
                spot.line.push_back(task);
                self.tries_once(env, key);
            } else {
                env.figures.busy += 1;
                self.rest(env, task);
            }
            return;
        }
        spot.line.push_back(task);
        if let Some(after) = cancelled {
            env.timer(self.index, self.life, env.now + after, Timer::GiveUp { task, wish });
        }
    }

    /// The task is cancelled, or has waited long enough.
    pub(crate) fn gives_up(&mut self, env: &mut Env, task: u16, wish: u32) {
        let slot = &self.tasks[usize::from(task)];
        if !slot.waits || slot.number != wish {
            return;
        }
        let Some(key) = self.spots.iter().position(|spot| spot.line.contains(&task)) else { return };
        env.figures.cancelled += 1;
        let was_first = self.spots[key].line.front() == Some(&task);
        self.spots[key].line.retain(|other| *other != task);
        // The request goes on for the next in line, or that one starts anew: both are allowed.
        let goes_on = !self.spots[key].line.is_empty() && env.rng.chance(5_000);
        if was_first && !goes_on && matches!(self.spots[key].stage, Stage::Asking(_)) {
            self.cancel(env, key);
        }
        self.rest(env, task);
        self.advance(env, key);
    }

    /// The first in line takes its turn: it waits no more.
    pub(crate) fn takes_turn(&mut self, key: usize) -> Option<(u16, Wish)> {
        let task = self.spots[key].line.pop_front()?;
        let slot = &mut self.tasks[usize::from(task)];
        slot.waits = false;
        Some((task, slot.wish))
    }
}
