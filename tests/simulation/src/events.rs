//! What happens when.

use std::{cmp::Ordering, collections::BinaryHeap, rc::Rc};

use crate::{
    clock::{BootTime, Time},
    redis::Reply,
};

/// Something that is due.
#[derive(Debug)]
pub(crate) enum Event {
    /// A request reaches the store.
    Request(Box<Request>),
    /// A process, in one of its lives, hears something.
    To {
        process: u16,
        life: u32,
        what: Input,
    },
    Fault(Fault),
    /// A foreign client does the next thing.
    Foreign {
        client: u16,
        step: u32,
        answer: Option<bool>,
    },
    /// The judge looks at everything.
    Look,
}

/// What a process hears.
#[derive(Debug)]
pub(crate) enum Input {
    Answer { key: u16, request: u64, reply: Box<Reply> },
    News(Rc<str>),
    Timer(Timer),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    Wake { task: u16 },
    GiveUp { task: u16, wish: u32 },
    AskAgain { key: u16, nap: u32 },
    Unanswered { key: u16, request: u64 },
    TurnEnds { key: u16, turn: u32 },
    LeaseEnds { key: u16, number: u64 },
    Renew { key: u16, number: u64 },
    LingerEnds { key: u16, number: u64, turns: u32 },
    RestEnds { key: u16, rest: u32 },
    LeaveAgain { number: u64 },
}

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Crash(usize),
    Start(usize),
    Pause(usize),
    Resume(usize),
    Cut(usize),
    Deaf(usize),
    Hears {
        process: usize,
        life: u32,
    },
    /// The server notices that a listener has gone.
    Forgotten(Rc<str>),
    RecordsLost,
}

/// A request on its way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which process (or, above them, which foreign client) sent it, in which of its lives.
    pub(crate) from: u16,
    pub(crate) life: u32,
    pub(crate) id: u64,
    pub(crate) key: u16,
    pub(crate) token: Rc<str>,
    pub(crate) what: What,
    /// How many times in a row this was in vain.
    pub(crate) attempt: u8,
    pub(crate) line: Line,
    /// A copy that the network made.
    pub(crate) copy: bool,
}

/// The connections of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Asking = 0,
    Keeping = 1,
    Hearing = 2,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Acquire {
        ttl: u64,
        count: u32,
        waits: bool,
        again: bool,
    },
    Renew {
        ttl: u64,
        shorten: bool,
        count: u32,
    },
    /// `used`: the last fence that was used, and the last of its block as the client knows it.
    Release {
        used: Option<[u64; 2]>,
        seat: Option<Rc<str>>,
    },
    ForeignSet {
        ttl: u64,
        step: u32,
    },
    ForeignDelete {
        step: u32,
    },
}

/// A question whose answer somebody waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) id: u64,
    pub(crate) sent: BootTime,
}

/// Events in the order of time; those of one time in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Due>,
    made: u64,
}

#[derive(Debug)]
struct Due {
    at: Time,
    order: u64,
    event: Event,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.made += 1;
        self.heap.push(Due { at, order: self.made, event });
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|due| (due.at, due.event))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl Ord for Due {
    /// The heap gives the greatest first: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
