//! A process that uses dlock, as far as the protocol is concerned: what it knows, and what it hears.
//!
//! The rules themselves are split by what they are about: `ask` (getting a lease), `lease` (having one, taking turns on
//! it), `renewal` (keeping it), `leave` (giving back whatever there is), `task` (who wants all that).

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use crate::{
    ask::Ask,
    clock::{BootTime, Clock, SECOND, Time},
    env::Env,
    events::{Input, Line, Open, Request, Timer, What},
    judge::Gone,
    lease::Lease,
    leave::Leaving,
    plan::PATIENCE,
    redis::Reply,
    task::Task,
};

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) index: usize,
    /// Goes up with every start and crash: what was meant for an earlier life is not heard.
    pub(crate) life: u32,
    pub(crate) alive: bool,
    pub(crate) identity: Rc<str>,
    pub(crate) clock: Clock,
    pub(crate) spots: Vec<Spot>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) leavings: BTreeMap<u64, Leaving>,
    pub(crate) linger: Time,
    /// Numbers for tokens, requests, naps, turns: nothing is ever numbered twice.
    counter: u64,
}

/// What a process has to do with one key.
#[derive(Debug, Default)]
pub(crate) struct Spot {
    /// The tasks that want it, first come first served.
    pub(crate) line: VecDeque<u16>,
    pub(crate) stage: Stage,
}

/// Who waits for an answer.
enum Whose {
    Ask,
    /// Nobody any more, but it matters whether it will come.
    OldQuestion,
    Renewal,
    Nobody,
}

#[derive(Debug, Default)]
pub(crate) enum Stage {
    #[default]
    Idle,
    /// It lets others go first for a moment.
    Resting(u32),
    Asking(Ask),
    Holding(Lease),
}

impl Process {
    /// It starts, as somebody new.
    pub(crate) fn start(env: &mut Env, index: usize, life: u32, clock: Clock) -> Self {
        let identity = format!("{:016x}{:016x}", env.rng.next(), env.rng.next());
        let linger = if env.plan.lingers { env.rng.below(20 * crate::clock::MILLISECOND) } else { 0 };
        let mut process = Self {
            index,
            life,
            alive: true,
            identity: identity.into(),
            clock,
            spots: (0..env.plan.keys).map(|_| Spot::default()).collect(),
            tasks: (0..env.plan.tasks).map(|_| Task::default()).collect(),
            leavings: BTreeMap::new(),
            linger,
            counter: 0,
        };
        for task in 0..env.plan.tasks {
            process.rest(env, task as u16);
        }
        process
    }

    pub(crate) fn crash(&mut self, env: &mut Env) {
        env.judge.crashed(env.now, self.index, &self.identity);
        env.trace.note(env.now, || format!("process {} crashes", self.index));
        self.alive = false;
        self.life += 1;
    }

    pub(crate) fn now(&self, env: &Env) -> BootTime {
        self.clock.at(env.now)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A timer, at a moment of this process's own clock.
    pub(crate) fn timer(&self, env: &mut Env, at: BootTime, timer: Timer) {
        env.timer(self.index, self.life, self.clock.time_of(at), timer);
    }

    /// Sends a request, and remembers to ask what became of it.
    pub(crate) fn send(
        &mut self,
        env: &mut Env,
        key: usize,
        token: &Rc<str>,
        line: Line,
        attempt: u8,
        what: What,
    ) -> Open {
        let (id, sent) = (self.number(), self.now(env));
        let about = || format!("process {} sends {id} for key {key}, {}: {what:?}", self.index, short(token));
        env.trace.note(env.now, about);
        env.send(Request {
            from: self.index as u16,
            life: self.life,
            id,
            key: key as u16,
            token: Rc::clone(token),
            what,
            attempt,
            line,
            copy: false,
        });
        self.timer(env, sent.after(PATIENCE), Timer::Unanswered { key: key as u16, request: id });
        Open { id, sent }
    }

    pub(crate) fn hear(&mut self, env: &mut Env, what: Input) {
        match what {
            Input::Answer { key, request, reply } => self.answered(env, key.into(), request, &reply),
            Input::News(text) => self.news(env, &text),
            Input::Timer(timer) => self.timer_ends(env, timer),
        }
    }

    fn timer_ends(&mut self, env: &mut Env, timer: Timer) {
        match timer {
            Timer::Wake { task } => self.wishes(env, task),
            Timer::GiveUp { task, wish } => self.gives_up(env, task, wish),
            Timer::AskAgain { key, nap } => self.asks_again(env, key.into(), nap),
            Timer::Unanswered { key, request } => self.unanswered(env, key.into(), request),
            Timer::TurnEnds { key, turn } => self.turn_ends(env, key.into(), turn),
            Timer::LeaseEnds { key, number } => self.lease_ends(env, key.into(), number),
            Timer::Renew { key, number } => self.renewal_is_due(env, key.into(), number),
            Timer::LingerEnds { key, number, turns } => self.linger_ends(env, key.into(), number, turns),
            Timer::RestEnds { key, rest } => {
                if matches!(self.spots[usize::from(key)].stage, Stage::Resting(other) if other == rest) {
                    self.spots[usize::from(key)].stage = Stage::Idle;
                    self.advance(env, key.into());
                }
            }
            Timer::LeaveAgain { number } => self.leave_again(env, number),
        }
    }

    /// Does what there is to do about a key.
    pub(crate) fn advance(&mut self, env: &mut Env, key: usize) {
        match &self.spots[key].stage {
            Stage::Idle if !self.spots[key].line.is_empty() => self.begins_to_ask(env, key),
            Stage::Holding(_) => self.next_turn(env, key),
            _ => {}
        }
    }

    /// Answers are matched to whoever still waits for them; nobody waits for what took too long.
    fn answered(&mut self, env: &mut Env, key: usize, request: u64, reply: &Reply) {
        match self.whose(key, request) {
            Whose::Ask => self.ask_answered(env, key, reply),
            Whose::OldQuestion => {
                if let Some(lease) = self.lease(key) {
                    lease.question = None;
                }
            }
            Whose::Renewal => self.renewed(env, key, reply),
            Whose::Nobody => self.leaving_answered(env, request),
        }
    }

    fn unanswered(&mut self, env: &mut Env, key: usize, request: u64) {
        match self.whose(key, request) {
            Whose::Ask => self.ask_unanswered(env, key),
            Whose::OldQuestion => {
                if let Some(lease) = self.lease(key) {
                    lease.question = None;
                    lease.strays = true;
                }
            }
            Whose::Renewal => self.not_renewed(env, key),
            Whose::Nobody => self.leaving_unanswered(env, request),
        }
    }

    fn whose(&self, key: usize, request: u64) -> Whose {
        match &self.spots[key].stage {
            Stage::Asking(ask) if ask.open.is_some_and(|open| open.id == request) => Whose::Ask,
            Stage::Holding(lease) if lease.question == Some(request) => Whose::OldQuestion,
            Stage::Holding(lease) if lease.renewal.as_ref().is_some_and(|renewal| renewal.open.id == request) => {
                Whose::Renewal
            }
            _ => Whose::Nobody,
        }
    }

    /// A message: a word, a token of ours, and what belongs to it.
    fn news(&mut self, env: &mut Env, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let (&[word, token, ..], Some(key)) = (&words[..], words.last()) else { return };
        let key: usize = key.trim_start_matches("key").parse().unwrap_or(0);
        env.trace.note(env.now, || format!("process {} hears {word} {} key {key}", self.index, short(token)));
        let known = match &self.spots[key].stage {
            Stage::Asking(ask) => *ask.token == *token,
            Stage::Holding(lease) => *lease.token == *token,
            _ => false,
        };
        let number = token.rsplit('-').next().and_then(|number| u64::from_str_radix(number, 16).ok()).unwrap_or(0);
        match word {
            "granted" if known => {
                let numbers = [2, 3, 4].map(|at| words.get(at).and_then(|number| number.parse().ok()).unwrap_or(0));
                self.told_granted(env, key, numbers);
            }
            "wanted" if known => self.told_wanted(env, key),
            "free" if known => self.told_free(env, key),
            "granted" | "wanted" if self.leavings.contains_key(&number) => self.leave_again(env, number),
            // Nobody here knows about it: a request was carried out after its time.
            "granted" | "wanted" => {
                let leaving = Leaving::unknown(key, token.into(), self.now(env).after(env_ttl(env)));
                self.leave(env, number, leaving);
            }
            _ => {}
        }
    }

    /// What a crash leaves undone is undone when a process ends in peace.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.leavings.is_empty()
            && self
                .spots
                .iter()
                .all(|spot| spot.line.is_empty() && matches!(spot.stage, Stage::Idle | Stage::Resting(_)))
    }

    /// The token is of no use any more, and must be given back.
    pub(crate) fn gone(&self, env: &mut Env, key: usize, token: &Rc<str>) {
        env.judge.gone(env.now, key, token, Gone::Left);
    }
}

fn env_ttl(env: &Env) -> std::time::Duration {
    std::time::Duration::from_nanos(env.plan.longest_ttl().max(SECOND))
}

/// A token as people can read it.
pub(crate) fn short(token: &str) -> &str {
    token.get(26..).unwrap_or(token)
}
