//! A world: processes, foreign clients, a network and a server, from the first event to the last.

mod faults;

use std::collections::HashMap;

use crate::{
    Options,
    clock::{Clock, MICROSECOND, MILLISECOND, SECOND, Time},
    env::Env,
    events::{Event, Fault, Input, Line, Queue, Request, What},
    figures::Figures,
    foreign::Foreigner,
    judge::{Judge, Ran, Rule},
    network::Network,
    plan::{LONGEST_GHOST, Plan},
    process::Process,
    redis::Reply,
    report::Report,
    rng::Rng,
    store::Store,
    trace::Trace,
};

#[derive(Debug)]
pub(crate) struct World {
    env: Env,
    store: Store,
    processes: Vec<Process>,
    foreigners: Vec<Foreigner>,
    /// What has come for a process that is stopped, and until when it is.
    stopped: Vec<Option<Vec<Input>>>,
    /// Whether the server counts a process as a listener.
    listening: Vec<bool>,
    identities: HashMap<String, usize>,
    /// When nobody wanted anything new any more.
    ended: Time,
    /// It goes on for too long after that.
    restless: bool,
    /// When the server ran a script last.
    served: Time,
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let Options { seed, acquisitions, weakness, only, trace } = options;
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng, acquisitions);
        let ends = plan.processes + plan.foreigners;
        let mut env = Env {
            now: 0,
            queue: Queue::default(),
            rng,
            judge: Judge::new(plan.keys, plan.processes, only),
            network: Network::new(ends),
            figures: Figures::default(),
            plan: plan.clone(),
            weakness,
            trace: Trace::new(trace),
            ending: false,
        };
        env.trace.note(0, || format!("seed {seed}: {plan:?}"));
        let mut clocks: Vec<Clock> = Vec::new();
        for _ in 0..ends {
            let drift = if env.rng.chance(5_000) {
                env.rng.pick(&[-10_000, 10_000])
            } else {
                env.rng.below(20_001) as i64 - 10_000
            };
            clocks.push(Clock::new(drift, env.rng.below(1_000 * SECOND)));
        }
        let (ours, theirs) = clocks.split_at(plan.processes);
        let processes: Vec<_> =
            ours.iter().enumerate().map(|(index, clock)| Process::start(&mut env, index, 1, *clock)).collect();
        let foreigners =
            theirs.iter().enumerate().map(|(at, clock)| Foreigner::new(plan.processes + at, *clock)).collect();
        for client in 0..plan.foreigners {
            env.queue.push(env.rng.below(MILLISECOND), Event::Foreign { client: client as u16, step: 0, answer: None });
        }
        let mut world = Self {
            store: Store::new(plan.keys, weakness),
            stopped: processes.iter().map(|_| None).collect(),
            listening: vec![false; plan.processes],
            identities: HashMap::new(),
            processes,
            foreigners,
            ended: 0,
            restless: false,
            served: 0,
            env,
        };
        for index in 0..plan.processes {
            world.starts_to_listen(index);
            for fault in [Fault::Crash(index), Fault::Pause(index), Fault::Cut(index), Fault::Deaf(index)] {
                world.plan_fault(fault);
            }
        }
        world.plan_fault(Fault::RecordsLost);
        world.env.queue.push(0, Event::Look);
        world
    }

    /// Runs it to its end, or to the first violation.
    pub(crate) fn run(mut self) -> Report {
        while let Some((at, event)) = self.env.queue.pop() {
            self.env.now = at;
            self.env.figures.events += 1;
            self.happens(event);
            if self.env.judge.violation.is_some() || self.restless {
                break;
            }
            let done = at > self.env.plan.duration
                || self.env.figures.acquisitions >= self.env.plan.acquisitions
                || self.env.figures.scripts >= self.env.plan.scripts;
            if done && !self.env.ending {
                self.env.trace.note(at, || "nobody wants anything new".to_owned());
                self.env.ending = true;
                self.env.network.calm_down();
                self.ended = at;
            }
        }
        if self.env.judge.violation.is_none() {
            self.rests();
        }
        let mut figures = self.env.figures;
        figures.virtual_ms = self.env.now / MILLISECOND;
        Report {
            figures,
            violation: self.env.judge.violation.take(),
            hash: self.env.trace.hash(),
            plan: format!("{:?}", self.env.plan),
            lines: self.env.trace.lines(),
        }
    }

    /// Everybody has come to rest: what is left?
    fn rests(&mut self) {
        let now = self.env.now;
        self.env.judge.rest(now);
        for process in self.processes.iter().filter(|process| process.alive && !process.is_at_rest()) {
            self.env.judge.accuse(Rule::Rest, now, format!("process {} does not come to rest", process.index));
        }
        // A process that died can be handed the lock until its seat does not count any more, and has it for one TTL.
        let later = now + self.env.plan.longest_ttl() + LONGEST_GHOST + 2 * SECOND;
        let left = self.store.left_behind(later);
        if !left.is_empty() {
            self.env.judge.accuse(Rule::Rest, later, format!("{left:?} are left behind"));
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            // No two scripts run in the same microsecond: none is that quick.
            Event::Request(request) if self.served / MICROSECOND == self.env.now / MICROSECOND => {
                self.env.queue.push((self.served / MICROSECOND + 1) * MICROSECOND, Event::Request(request));
            }
            // What was under way when the server failed reaches nobody either.
            Event::Request(_) if self.env.network.is_down(self.env.now) => self.env.figures.lost += 1,
            Event::Request(request) => self.arrives(&request),
            Event::To { process, life, what } => {
                let index = usize::from(process);
                let process = &mut self.processes[index];
                if process.life != life || !process.alive {
                    return;
                }
                match &mut self.stopped[index] {
                    Some(late) => late.push(what),
                    None => process.hear(&mut self.env, what),
                }
            }
            Event::Foreign { client, step, answer } => {
                self.foreigners[usize::from(client)].step(&mut self.env, client, step, answer);
            }
            Event::Fault(fault) => self.strikes(fault),
            Event::Look => self.looks(),
        }
    }

    fn looks(&mut self) {
        let now = self.env.now;
        self.env.judge.look(now, &self.env.plan);
        // The last look is the one after which nothing is left to happen.
        let limit = self.ended + 30 * self.env.plan.longest_ttl() + 60 * SECOND;
        if self.env.ending && now > limit {
            self.restless = true;
            return self.env.judge.accuse(Rule::Rest, now, "it does not come to rest".to_owned());
        }
        if !self.env.ending || self.env.queue.len() > 0 {
            self.env.queue.push(now + 50 * MILLISECOND, Event::Look);
        }
    }

    /// A request has reached the server.
    fn arrives(&mut self, request: &Request) {
        let env = &mut self.env;
        let (now, key) = (env.now, usize::from(request.key));
        self.store.tick(now);
        self.served = now;
        if matches!(request.what, What::Acquire { .. }) {
            env.judge.carries_out(now, key, &request.token, request.copy);
        }
        let releases = matches!(request.what, What::Release { .. } | What::ForeignDelete { .. });
        let seats = self.store.seats(key);
        let reply = self.store.run(request);
        env.figures.scripts += 1;
        mix(env, &reply);
        env.trace.note(now, || format!("{:?} {:?} of {} runs: {reply:?}", request.id, request.what, request.from));
        if let Reply::Error(message) = &reply {
            env.judge.accuse(Rule::Script, now, format!("{:?}: {message}", request.what));
        }
        let (after, last) = (self.store.owner(key), self.store.last_fence(key));
        let ran = Ran { key, by: &request.token, releases, after, seats: &seats, last };
        let handed = env.judge.ran(now, &env.plan, &mut env.figures.expired, &ran);
        env.figures.handed += u64::from(handed);
        self.answer(request, reply);
        for (identity, message) in self.store.published() {
            let Some(&index) = self.identities.get(&identity) else { continue };
            let env = &mut self.env;
            if *self.processes[index].identity != *identity || !self.listening[index] {
                continue;
            }
            let life = self.processes[index].life;
            for at in env.back(index, Line::Hearing, 0).into_iter().flatten() {
                let what = Input::News(message.clone());
                env.queue.push(at, Event::To { process: index as u16, life, what });
            }
        }
    }

    fn answer(&mut self, request: &Request, reply: Reply) {
        let env = &mut self.env;
        // A copy that the network made is answered to nobody.
        if request.copy {
            return;
        }
        for at in env.back(request.from.into(), request.line, request.attempt).into_iter().flatten() {
            let event = match request.what {
                What::ForeignSet { step, .. } | What::ForeignDelete { step } => {
                    let client = request.from - env.plan.processes as u16;
                    let yes = matches!(reply, Reply::Status(_) | Reply::Int(1));
                    Event::Foreign { client, step, answer: Some(yes) }
                }
                _ => {
                    let what = Input::Answer { key: request.key, request: request.id, reply: Box::new(reply.clone()) };
                    Event::To { process: request.from, life: request.life, what }
                }
            };
            env.queue.push(at, event);
        }
    }
}

fn mix(env: &mut Env, reply: &Reply) {
    env.trace.mix(env.now);
    match reply {
        Reply::Int(number) => env.trace.mix(*number as u64),
        Reply::List(parts) => parts.iter().for_each(|part| mix(env, part)),
        Reply::Text(text) => text.iter().for_each(|byte| env.trace.mix(u64::from(*byte))),
        _ => env.trace.mix(1),
    }
}
