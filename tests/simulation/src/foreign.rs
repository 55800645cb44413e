//! Clients of another kind: `SET NX PX`, and compare-and-delete. They know nothing of queues, and try again and again.

use std::rc::Rc;

use crate::{
    clock::{BootTime, Clock, MICROSECOND, MILLISECOND},
    env::{Env, millis},
    events::{Event, Line, Request, What},
    grant::Grant,
};

#[derive(Debug)]
pub(crate) struct Foreigner {
    /// Its number among the ends of the network.
    index: usize,
    key: usize,
    clock: Clock,
    token: Rc<str>,
    ttl: u64,
    sent: BootTime,
    step: u32,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Resting,
    Asking,
    Holding,
    Leaving,
}

impl Foreigner {
    pub(crate) fn new(index: usize, clock: Clock) -> Self {
        let sent = clock.at(0);
        Self { index, key: 0, clock, token: "".into(), ttl: 300, sent, step: 0, stage: Stage::Resting }
    }

    fn next(&mut self, env: &mut Env, client: u16, stage: Stage, after: u64) {
        self.stage = stage;
        self.step += 1;
        env.queue.push(env.now + after, Event::Foreign { client, step: self.step, answer: None });
    }

    fn send(&self, env: &mut Env, what: What) {
        env.send(Request {
            from: self.index as u16,
            life: 0,
            id: 0,
            key: self.key as u16,
            token: Rc::clone(&self.token),
            what,
            attempt: 0,
            line: Line::Asking,
            copy: false,
        });
    }

    /// The time for the next step has come, or an answer.
    pub(crate) fn step(&mut self, env: &mut Env, client: u16, step: u32, answer: Option<bool>) {
        if step != self.step {
            return;
        }
        let now = self.clock.at(env.now);
        match (&self.stage, answer) {
            (Stage::Resting, _) if env.ending => {}
            (Stage::Resting, _) => {
                self.key = env.rng.below(env.plan.keys as u64) as usize;
                self.token = format!("foreign-{client}-{step}").into();
                self.ttl = env.rng.pick(&[200, 400]);
                self.sent = now;
                // Its answer is awaited for so long.
                self.next(env, client, Stage::Asking, 100 * MILLISECOND);
                self.send(env, What::ForeignSet { ttl: self.ttl, step: self.step });
            }
            (Stage::Asking, Some(true)) => {
                let deadline = Grant { asked: self.sent, ttl: millis(self.ttl) }.deadline();
                let ends = self.clock.time_of(deadline);
                if env.now >= ends {
                    return self.next(env, client, Stage::Leaving, 0);
                }
                env.figures.foreign += 1;
                env.judge.believes(env.now, self.key, &self.token, ends);
                // It works as long as it may: now and then until its lease ends.
                let body = env.rng.between((20 * MICROSECOND, 20 * MILLISECOND));
                let body = if env.rng.chance(200) { ends - env.now } else { body.min(ends - env.now) };
                self.next(env, client, Stage::Holding, body);
            }
            (Stage::Asking, Some(false)) => self.next(env, client, Stage::Resting, 2 * MILLISECOND),
            (Stage::Asking, None) => self.next(env, client, Stage::Leaving, 0),
            (Stage::Holding, _) => {
                env.judge.gave_up(self.key, &self.token);
                self.next(env, client, Stage::Leaving, 0);
            }
            (Stage::Leaving, _) => {
                let rest = env.rng.between((MILLISECOND, 60 * MILLISECOND));
                self.next(env, client, Stage::Resting, rest);
                self.send(env, What::ForeignDelete { step: self.step });
            }
        }
    }
}
