//! Giving back whatever a token has: a lease, a seat, or what a request that was given up may still get.

use std::{rc::Rc, time::Duration};

use crate::{
    clock::BootTime,
    env::Env,
    events::{Line, Timer, What},
    plan::NAP,
    process::Process,
};

/// A token that is of no use any more, until the store has said so.
#[derive(Debug)]
pub(crate) struct Leaving {
    key: usize,
    token: Rc<str>,
    used: Option<[u64; 2]>,
    seat: Option<Rc<str>>,
    /// A question for it that may be answered yet.
    question: Option<u64>,
    /// A question was never answered: it can be carried out at any time, so once is not enough.
    strays: bool,
    /// By then the TTL has ended what is left.
    until: BootTime,
    /// The release that is not answered yet.
    open: Option<u64>,
    attempt: u8,
}

impl Leaving {
    pub(crate) fn new(key: usize, token: Rc<str>, until: BootTime) -> Self {
        Self { key, token, used: None, seat: None, question: None, strays: false, until, open: None, attempt: 0 }
    }

    /// The store speaks of a token that this process does not use.
    pub(crate) fn unknown(key: usize, token: Rc<str>, until: BootTime) -> Self {
        Self::new(key, token, until)
    }

    pub(crate) fn with_seat(self, seat: Option<Rc<str>>) -> Self {
        Self { seat, ..self }
    }

    pub(crate) fn with_used(self, used: Option<[u64; 2]>) -> Self {
        Self { used, ..self }
    }

    pub(crate) fn with_questions(self, question: Option<u64>, strays: bool) -> Self {
        Self { question, strays, ..self }
    }
}

impl Process {
    pub(crate) fn leave(&mut self, env: &mut Env, number: u64, leaving: Leaving) {
        self.gone(env, leaving.key, &leaving.token);
        self.leavings.insert(number, leaving);
        self.release(env, number);
    }

    fn release(&mut self, env: &mut Env, number: u64) {
        let Some(leaving) = self.leavings.get(&number) else { return };
        let what = What::Release { used: leaving.used, seat: leaving.seat.clone() };
        let (key, token, attempt) = (leaving.key, Rc::clone(&leaving.token), leaving.attempt);
        // In order behind the questions, or from the keeper's connection, which knows no order.
        let line = if env.rng.chance(5_000) { Line::Asking } else { Line::Keeping };
        let open = self.send(env, key, &token, line, attempt, what);
        if let Some(leaving) = self.leavings.get_mut(&number) {
            leaving.open = Some(open.id);
        }
    }

    pub(crate) fn leaving_answered(&mut self, env: &mut Env, request: u64) {
        let by = |leaving: &Leaving| leaving.open == Some(request) || leaving.question == Some(request);
        let Some((&number, leaving)) = self.leavings.iter_mut().find(|(_, leaving)| by(leaving)) else { return };
        if leaving.question == Some(request) {
            // Now it is known to be over: one release after it is enough.
            leaving.question = None;
            leaving.attempt = 0;
            return self.release(env, number);
        }
        leaving.open = None;
        leaving.attempt = 0;
        if leaving.strays {
            self.leave_later(env, number, NAP);
        } else if leaving.question.is_none() {
            self.leavings.remove(&number);
        }
    }

    pub(crate) fn leaving_unanswered(&mut self, env: &mut Env, request: u64) {
        let now = self.now(env);
        let by = |leaving: &Leaving| leaving.open == Some(request) || leaving.question == Some(request);
        let Some((&number, leaving)) = self.leavings.iter_mut().find(|(_, leaving)| by(leaving)) else { return };
        if leaving.question == Some(request) {
            leaving.question = None;
            leaving.strays = true;
            if leaving.open.is_none() {
                self.leave_later(env, number, NAP);
            }
            return;
        }
        leaving.open = None;
        leaving.attempt = leaving.attempt.saturating_add(1);
        if leaving.until < now {
            self.leavings.remove(&number);
        } else {
            self.release(env, number);
        }
    }

    fn leave_later(&mut self, env: &mut Env, number: u64, pause: Duration) {
        let now = self.now(env);
        if self.leavings.get(&number).is_some_and(|leaving| leaving.until < now) {
            self.leavings.remove(&number);
        } else {
            self.timer(env, now.after(pause), Timer::LeaveAgain { number });
        }
    }

    pub(crate) fn leave_again(&mut self, env: &mut Env, number: u64) {
        if self.leavings.get(&number).is_some_and(|leaving| leaving.open.is_none()) {
            self.release(env, number);
        }
    }
}
