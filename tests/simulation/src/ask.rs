//! Getting a lease: one request per process and key, asked again and again, until it is granted or cancelled.

use std::{rc::Rc, time::Duration};

use crate::{
    clock::BootTime,
    env::{Env, millis},
    events::{Line, Open, Timer, What},
    hand_over::HandOverValidity,
    leave::Leaving,
    plan::{JITTER, NAP},
    process::{Process, Stage, short},
    redis::Reply,
    store::EPOCH,
    weakness::Weakness,
};

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) number: u64,
    pub(crate) token: Rc<str>,
    pub(crate) ttl: u64,
    pub(crate) count: u32,
    waits: bool,
    pub(crate) validity: HandOverValidity,
    /// The question that is not answered yet.
    pub(crate) open: Option<Open>,
    asked: bool,
    attempt: u8,
    /// A question was given up: it can be carried out at any time.
    pub(crate) strays: bool,
    nap: u32,
    /// Told that somebody waits, before it knew that it holds the lock.
    pub(crate) wanted: bool,
}

impl Ask {
    pub(crate) fn seat(&self, process: usize) -> Rc<str> {
        seat(&self.token, self.ttl, self.count, process).into()
    }
}

impl Process {
    pub(crate) fn begins_to_ask(&mut self, env: &mut Env, key: usize) {
        self.ask(env, key, true);
    }

    pub(crate) fn tries_once(&mut self, env: &mut Env, key: usize) {
        self.ask(env, key, false);
    }

    fn ask(&mut self, env: &mut Env, key: usize, waits: bool) {
        let line = &self.spots[key].line;
        let Some(first) = line.front() else { return };
        let ttl = self.tasks[usize::from(*first)].wish.ttl;
        let count = if line.len() > 1 { env.plan.block } else { env.rng.between((1, 4)) as u32 };
        let number = self.number();
        let token: Rc<str> = format!("{}-{number:x}", self.identity).into();
        env.judge.made(key, self.index, &token);
        if waits {
            env.judge.asks(env.now, key, self.index);
        }
        self.spots[key].stage = Stage::Asking(Ask {
            number,
            token,
            ttl,
            count,
            waits,
            validity: HandOverValidity::default(),
            open: None,
            asked: false,
            attempt: 0,
            strays: false,
            nap: 0,
            wanted: false,
        });
        self.question(env, key);
    }

    fn question(&mut self, env: &mut Env, key: usize) {
        let now = self.now(env);
        let Stage::Asking(ask) = &mut self.spots[key].stage else { return };
        if ask.open.is_some() {
            return;
        }
        ask.validity.request_sent(now);
        let what = What::Acquire { ttl: ask.ttl, count: ask.count, waits: ask.waits, again: ask.asked };
        ask.asked = true;
        let (token, attempt) = (Rc::clone(&ask.token), ask.attempt);
        let open = self.send(env, key, &token, Line::Asking, attempt, what);
        if let Stage::Asking(ask) = &mut self.spots[key].stage {
            ask.open = Some(open);
        }
    }

    pub(crate) fn asks_again(&mut self, env: &mut Env, key: usize, nap: u32) {
        if matches!(&self.spots[key].stage, Stage::Asking(ask) if ask.nap == nap) {
            self.question(env, key);
        }
    }

    pub(crate) fn ask_answered(&mut self, env: &mut Env, key: usize, reply: &Reply) {
        let now = self.now(env);
        let Stage::Asking(ask) = &mut self.spots[key].stage else { return };
        let Some(open) = ask.open.take() else { return };
        ask.attempt = 0;
        match reply {
            Reply::List(parts) => match &parts[..] {
                [Reply::Int(1), Reply::Int(first), Reply::Int(waiting)] => {
                    let from = if env.weakness == Some(Weakness::DeadlineFromReply) { now } else { open.sent };
                    self.granted(env, key, from, *first as u64, *waiting as u64);
                }
                [Reply::Int(0), Reply::Int(ttl), _, Reply::Text(record), _] if ask.waits => {
                    let unknown = u64::from(env.weakness == Some(Weakness::UnknownFloor));
                    ask.validity.answered_busy(open.sent, given_away_at(record).max(unknown));
                    let rest = u64::try_from(*ttl).map_or(NAP, |ttl| NAP.min(millis(ttl.max(1))));
                    self.nap(env, key, rest);
                }
                _ => {
                    env.figures.busy += 1;
                    self.one_try_is_over(env, key);
                }
            },
            other => panic!("acquire answered {other:?}"),
        }
    }

    pub(crate) fn ask_unanswered(&mut self, env: &mut Env, key: usize) {
        let Stage::Asking(ask) = &mut self.spots[key].stage else { return };
        ask.open = None;
        ask.strays = true;
        ask.attempt = ask.attempt.saturating_add(1);
        if ask.waits { self.question(env, key) } else { self.one_try_is_over(env, key) }
    }

    fn one_try_is_over(&mut self, env: &mut Env, key: usize) {
        let task = self.spots[key].line.pop_front();
        self.cancel(env, key);
        if let Some(task) = task {
            self.rest(env, task);
        }
        self.advance(env, key);
    }

    /// No sleep is without an end: a message can get lost.
    fn nap(&mut self, env: &mut Env, key: usize, span: Duration) {
        if env.is(Weakness::SleeperWithoutDeadline) {
            return;
        }
        let span = span + Duration::from_nanos(env.rng.below(JITTER.as_nanos() as u64));
        self.wake_after(env, key, span);
    }

    fn wake_after(&mut self, env: &mut Env, key: usize, span: Duration) {
        let (nap, at) = (self.number() as u32, self.now(env).after(span));
        if let Stage::Asking(ask) = &mut self.spots[key].stage {
            ask.nap = nap;
        }
        self.timer(env, at, Timer::AskAgain { key: key as u16, nap });
    }

    pub(crate) fn told_free(&mut self, env: &mut Env, key: usize) {
        if matches!(self.spots[key].stage, Stage::Asking(_)) {
            self.wake_after(env, key, millis(1));
        }
    }

    /// A message says that the lock was handed over to this request.
    pub(crate) fn told_granted(&mut self, env: &mut Env, key: usize, [first, waiting, since]: [u64; 3]) {
        let now = self.now(env);
        let Stage::Asking(ask) = &mut self.spots[key].stage else { return };
        let since = if env.weakness == Some(Weakness::StaleHandOver) { u64::MAX } else { since };
        let Some(from) = ask.validity.lease_start(since) else {
            env.figures.stale += 1;
            return env.judge.disbelieves(env.now, key, &ask.token, since.saturating_sub(EPOCH));
        };
        env.figures.told += 1;
        let from = if env.weakness == Some(Weakness::HandedFromMessage) { now } else { from };
        self.granted(env, key, from, first, waiting);
    }

    /// The lock is ours, and the lease counts from a moment before that.
    fn granted(&mut self, env: &mut Env, key: usize, from: BootTime, first: u64, waiting: u64) {
        let Stage::Asking(ask) = std::mem::take(&mut self.spots[key].stage) else { return };
        env.judge.asks_no_more(key, self.index);
        let about = || {
            format!("process {} has key {key}, {}, from fence {first}, {waiting} wait", self.index, short(&ask.token))
        };
        env.trace.note(env.now, about);
        self.takes_lease(env, key, ask, from, first, waiting);
    }

    /// Nobody wants what was asked for any more. What was asked may have been carried out, or may be yet.
    pub(crate) fn cancel(&mut self, env: &mut Env, key: usize) {
        let now = self.now(env);
        let Stage::Asking(ask) = std::mem::take(&mut self.spots[key].stage) else { return };
        env.judge.asks_no_more(key, self.index);
        self.gone(env, key, &ask.token);
        if env.is(Weakness::CancelledNotCleanedUp) {
            return;
        }
        let seat = ask.waits.then(|| ask.seat(self.index));
        // A single try that was answered "no" left nothing behind.
        if ask.waits || ask.strays || ask.open.is_some() {
            let question = ask.open.map(|open| open.id);
            let until = now.after(millis(ask.ttl));
            let leaving = Leaving::new(key, ask.token, until).with_seat(seat).with_questions(question, ask.strays);
            self.leave(env, ask.number, leaving);
        }
    }
}

/// The member of the queue that the script makes of a request.
pub(crate) fn seat(token: &str, ttl: u64, count: u32, process: usize) -> String {
    format!("{token} {ttl} {count} {}", who(process))
}

/// The second number of a record, 0 if there is none.
fn given_away_at(record: &[u8]) -> u64 {
    let word = record.split(|byte| *byte == b' ').nth(1).and_then(|word| std::str::from_utf8(word).ok());
    word.and_then(|word| word.split(':').next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn who(process: usize) -> String {
    format!("host {process} task")
}
