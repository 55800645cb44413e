//! The world: its time, what is going to happen, and what the runtime finds where the machine would be.

use std::{
    cell::{Cell, RefCell, RefMut},
    collections::BTreeMap,
    hash::Hash,
    rc::Rc,
    task::Waker,
    time::Duration,
};

use dlock_runtime::simulated::{Connecting, Place, World};
use tokio::{sync::Notify, time::Instant};

use crate::{
    Options,
    figures::Figures,
    judge::{Judge, Rule},
    life::Life,
    net::Conn,
    plan::{MILLISECOND, Plan, SECOND, Time},
    redis::Redis,
    rng::Rng,
    server::Servers,
    trace::{Lane, Trace},
    weakness::Weakness,
};

/// How often a process looks at the clock at most, without doing anything.
const MOST_LOOKS: u64 = 100_000;

/// What one look at a clock takes: a process that never waits takes time, too.
const STEP: Time = 250;

thread_local! {
    static SIM: RefCell<Option<Rc<Sim>>> = const { RefCell::new(None) };
}

/// The world of this thread.
pub(crate) fn sim() -> Rc<Sim> {
    SIM.with_borrow(|sim| sim.clone()).expect("there is a world")
}

/// What is going to happen, and whether it is a copy that is under way to a replica.
struct Event {
    is_copy: bool,
    happens: Box<dyn FnOnce(&Sim)>,
}

pub(crate) struct Sim {
    pub(crate) plan: Plan,
    pub(crate) weakness: Option<Weakness>,
    pub(crate) rng: RefCell<Rng>,
    pub(crate) lives: RefCell<Vec<Life>>,
    pub(crate) conns: RefCell<Vec<Conn>>,
    servers: RefCell<Servers>,
    pub(crate) judge: RefCell<Judge>,
    pub(crate) trace: RefCell<Trace>,
    figures: RefCell<Figures>,
    events: RefCell<BTreeMap<(Time, u64), Event>>,
    number: Cell<u64>,
    start: Instant,
    /// What tokio's clock shows. To ask it is dear, and it stands still while tasks run.
    timers: Cell<Time>,
    time: Cell<Time>,
    wake: Notify,
    /// Nothing goes wrong any more; nobody wants anything new; nothing happens any more.
    pub(crate) calm: Cell<bool>,
    pub(crate) ending: Cell<bool>,
    pub(crate) over: Cell<bool>,
}

impl Sim {
    /// Begins a world on this thread, in the tokio runtime that this is called in.
    pub(crate) fn begin(options: &Options) -> Rc<Self> {
        let mut rng = Rng::new(options.seed);
        let plan = Plan::draw(&mut rng, options.kind);
        let sim = Rc::new(Self {
            servers: RefCell::new(Servers::new(&plan, options.weakness)),
            judge: RefCell::new(Judge::new(plan.keys, options.only)),
            plan,
            weakness: options.weakness,
            rng: RefCell::new(rng),
            lives: RefCell::default(),
            conns: RefCell::default(),
            trace: RefCell::new(Trace::new(options.trace)),
            figures: RefCell::default(),
            events: RefCell::default(),
            number: Cell::default(),
            start: Instant::now(),
            timers: Cell::default(),
            time: Cell::default(),
            wake: Notify::new(),
            calm: Cell::default(),
            ending: Cell::default(),
            over: Cell::default(),
        });
        SIM.set(Some(Rc::clone(&sim)));
        dlock_runtime::simulated::install(Rc::<Self>::clone(&sim));
        sim
    }

    /// Takes the world from this thread.
    pub(crate) fn take() {
        SIM.set(None);
    }

    /// True time since the world began.
    pub(crate) fn now(&self) -> Time {
        if !self.over.get() {
            self.time.set(self.time.get().max(self.timers.get()));
        }
        self.time.get()
    }

    /// Something runs: tokio's clock may have moved on before that.
    fn look_at_timers(&self) {
        self.timers.set(self.start.elapsed().as_nanos() as Time);
    }

    pub(crate) fn below(&self, end: u64) -> u64 {
        self.rng.borrow_mut().below(end)
    }

    pub(crate) fn chance(&self, parts: u32) -> bool {
        self.rng.borrow_mut().chance(parts)
    }

    pub(crate) fn spread(&self, mean: u64) -> u64 {
        self.rng.borrow_mut().spread(mean)
    }

    /// One of several, if there is any.
    pub(crate) fn one_of<T>(&self, several: Vec<T>) -> Option<T> {
        let at = self.below(several.len() as u64) as usize;
        several.into_iter().nth(at)
    }

    pub(crate) fn life(&self, life: u32) -> RefMut<'_, Life> {
        RefMut::map(self.lives.borrow_mut(), |lives| &mut lives[life as usize])
    }

    pub(crate) fn conn(&self, id: usize) -> RefMut<'_, Conn> {
        RefMut::map(self.conns.borrow_mut(), |conns| &mut conns[id])
    }

    pub(crate) fn server(&self, node: usize) -> RefMut<'_, Redis> {
        RefMut::map(self.servers.borrow_mut(), |servers| &mut servers.nodes[node])
    }

    /// Something is going to happen.
    pub(crate) fn push(&self, at: Time, happens: impl FnOnce(&Self) + 'static) {
        self.push_event(at, Event { is_copy: false, happens: Box::new(happens) });
    }

    /// What was written, or published, reaches a replica, unless another server was promoted by then.
    pub(crate) fn push_copy(&self, at: Time, to: usize, arrives: impl FnOnce(&Self) + 'static) {
        let era = self.server(to).era;
        let arrives = move |sim: &Self| {
            if sim.server(to).era == era {
                arrives(sim)
            }
        };
        self.push_event(at, Event { is_copy: true, happens: Box::new(arrives) });
    }

    fn push_event(&self, at: Time, event: Event) {
        self.number.set(self.number.get() + 1);
        let key = (at, self.number.get());
        let mut events = self.events.borrow_mut();
        events.insert(key, event);
        if events.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.wake.notify_one();
        }
    }

    /// What is under way to the replicas arrives now.
    pub(crate) fn copies_arrive(&self) {
        let (copies, others): (BTreeMap<_, _>, _) = self.events.take().into_iter().partition(|event| event.1.is_copy);
        self.events.replace(others);
        copies.into_values().for_each(|copy| (copy.happens)(self));
    }

    pub(crate) fn with_servers<T>(&self, work: impl FnOnce(&mut Servers) -> T) -> T {
        work(&mut self.servers.borrow_mut())
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Figures)) {
        count(&mut self.figures.borrow_mut());
    }

    pub(crate) fn figures(&self) -> Figures {
        *self.figures.borrow()
    }

    pub(crate) fn note(&self, at: Time, lane: Lane, to: Option<(Time, Lane)>, text: impl FnOnce() -> String) {
        self.trace.borrow_mut().note(at, lane, to, text);
    }

    pub(crate) fn mix(&self, what: impl Hash) {
        self.trace.borrow_mut().mix(what);
    }

    pub(crate) fn accuse(&self, rule: Rule, text: String) {
        let now = self.now();
        self.judge.borrow_mut().accuse(rule, now, text);
    }

    /// Lets what is going to happen happen, until `done`.
    pub(crate) async fn go_on(&self, done: impl Fn() -> bool) {
        loop {
            self.look_at_timers();
            if done() {
                return;
            }
            // Who is busy takes time, and timers must hear of that.
            let ahead = self.now().saturating_sub(self.timers.get()) / MILLISECOND;
            if ahead > 0 {
                tokio::time::advance(Duration::from_millis(ahead)).await;
                self.look_at_timers();
            }
            let at = self.events.borrow().first_key_value().map_or(self.now() + SECOND, |(&(at, _), _)| at);
            if at > self.now() && at >= self.timers.get() + MILLISECOND {
                let until = self.start + Duration::from_millis(at / MILLISECOND);
                _ = tokio::time::timeout_at(until, self.wake.notified()).await;
                continue;
            }
            let (_, event) = self.events.borrow_mut().pop_first().expect("it is due");
            self.time.set(self.now().max(at));
            self.mix(at);
            self.count(|figures| figures.events += 1);
            (event.happens)(self);
            tokio::task::yield_now().await;
        }
    }
}

impl World for Sim {
    fn boot_nanos(&self, process: u32) -> u64 {
        let now = self.now() + STEP;
        self.time.set(now);
        if now.is_multiple_of(4 * STEP) && now > self.timers.get() + MILLISECOND && !self.over.get() {
            self.wake.notify_one();
        }
        let lives = self.lives.borrow();
        let life = &lives[process as usize];
        life.looks.set(life.looks.get() + 1);
        if life.looks.get() > MOST_LOOKS && !self.over.get() {
            self.accuse(Rule::Rest, format!("p{process} looks at the clock all the time"));
            // It may never come back by itself.
            panic!("p{process} looks at the clock all the time");
        }
        let mut passed = now;
        if self.weakness == Some(Weakness::ClockStops) {
            passed -= life.paused_for + life.paused.map_or(0, |since| now - since);
        }
        life.offset + (i128::from(passed) * i128::from(1_000_000 + life.fast) / 1_000_000) as u64
    }

    fn random(&self, _: u32) -> u64 {
        if self.weakness == Some(Weakness::SameIdentity) { 7 } else { self.rng.borrow_mut().next() }
    }

    fn is_held_up(&self, place: Place, waker: &Waker) -> bool {
        self.look_at_timers();
        !self.over.get() && self.hold_up(place, waker, true)
    }

    fn connect(&self, process: u32, address: &str) -> Connecting {
        self.dial(process, address)
    }

    fn is_weakened(&self, what: &str) -> bool {
        self.weakness.is_some_and(|weakness| format!("{weakness:?}") == what)
    }
}
