//! What all inhabitants of a world share.

use std::time::Duration;

use crate::{
    clock::Time,
    events::{Event, Input, Line, Queue, Request, Timer, What},
    figures::Figures,
    judge::Judge,
    network::{Network, Parcel},
    plan::Plan,
    rng::Rng,
    trace::Trace,
    weakness::Weakness,
};

#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) now: Time,
    pub(crate) queue: Queue,
    pub(crate) rng: Rng,
    pub(crate) judge: Judge,
    pub(crate) network: Network,
    pub(crate) figures: Figures,
    pub(crate) plan: Plan,
    pub(crate) weakness: Option<Weakness>,
    pub(crate) trace: Trace,
    /// Nobody wants anything new any more.
    pub(crate) ending: bool,
}

impl Env {
    pub(crate) fn is(&self, weakness: Weakness) -> bool {
        self.weakness == Some(weakness)
    }

    pub(crate) fn timer(&mut self, process: usize, life: u32, at: Time, timer: Timer) {
        let at = at.max(self.now);
        self.queue.push(at, Event::To { process: process as u16, life, what: Input::Timer(timer) });
    }

    pub(crate) fn send(&mut self, request: Request) {
        // A shortening is never sent twice by the network: who was answered relies on its being over.
        let shortens = matches!(request.what, What::Renew { shorten: true, .. });
        let can_double = !shortens || self.is(Weakness::ShorteningResent);
        let (from, line, attempt) = (usize::from(request.from), request.line, request.attempt);
        let parcel = Parcel { from, line, back: false, attempt, can_double };
        let [first, second] = self.network.send(self.now, parcel, &mut self.rng, &self.plan, &mut self.figures);
        if let Some(at) = second {
            self.queue.push(at, Event::Request(Box::new(Request { copy: true, ..request.clone() })));
        }
        if let Some(at) = first {
            self.queue.push(at, Event::Request(Box::new(request)));
        }
    }

    /// When what is sent back to a process arrives.
    pub(crate) fn back(&mut self, process: usize, line: Line, attempt: u8) -> [Option<Time>; 2] {
        let parcel = Parcel { from: process, line, back: true, attempt, can_double: line == Line::Hearing };
        self.network.send(self.now, parcel, &mut self.rng, &self.plan, &mut self.figures)
    }
}

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
