//! What befalls processes and the server: crashes, pauses, lost connections, missed messages, lost records.

use super::World;
use crate::{
    clock::{MILLISECOND, SECOND},
    events::{Event, Fault, Input},
    plan::LONGEST_GHOST,
    process::Process,
};

impl World {
    pub(super) fn starts_to_listen(&mut self, index: usize) {
        let process = &self.processes[index];
        let (identity, life) = (process.identity.to_string(), process.life);
        self.identities.insert(identity, index);
        let at = self.env.now + self.env.rng.below(2 * MILLISECOND);
        self.env.judge.disturbed(index, at);
        self.env.queue.push(at, Event::Fault(Fault::Hears { process: index, life }));
    }

    pub(super) fn plan_fault(&mut self, fault: Fault) {
        let plan = &self.env.plan;
        let mean = match fault {
            Fault::Crash(_) => plan.crashes,
            Fault::Pause(_) => plan.pauses,
            Fault::Cut(_) => plan.cuts,
            Fault::Deaf(_) => plan.deafness,
            _ => plan.failovers,
        };
        if mean > 0 && !self.env.ending {
            let at = self.env.now + self.env.rng.spread(mean);
            self.env.queue.push(at, Event::Fault(fault));
        }
    }

    pub(super) fn strikes(&mut self, fault: Fault) {
        let now = self.env.now;
        self.env.trace.note(now, || format!("{fault:?}"));
        match fault {
            Fault::Crash(index) | Fault::Pause(index) | Fault::Cut(index) | Fault::Deaf(index)
                if self.env.ending || self.stopped[index].is_some() || !self.processes[index].alive =>
            {
                self.plan_fault(fault);
            }
            Fault::Crash(index) => self.crash(index),
            Fault::Start(index) => {
                let process = &self.processes[index];
                self.processes[index] = Process::start(&mut self.env, index, process.life + 1, process.clock);
                self.starts_to_listen(index);
                self.plan_fault(Fault::Crash(index));
            }
            Fault::Pause(index) => {
                self.env.figures.pauses += 1;
                let until = now + self.env.rng.spread(self.env.plan.longest_ttl());
                self.stopped[index] = Some(Vec::new());
                self.env.judge.disturbed(index, until);
                self.env.queue.push(until, Event::Fault(Fault::Resume(index)));
            }
            Fault::Resume(index) => {
                self.resume(index);
                self.plan_fault(Fault::Pause(index));
            }
            Fault::Cut(index) => {
                self.env.figures.cuts += 1;
                let until = now + self.env.rng.spread(SECOND);
                self.env.network.cut(index, until);
                self.env.judge.disturbed(index, until + SECOND / 5);
                self.plan_fault(fault);
            }
            Fault::Deaf(index) => {
                if std::mem::take(&mut self.listening[index]) {
                    self.env.figures.deaf += 1;
                    self.store.listen(&self.processes[index].identity, -1);
                    let (until, life) = (now + self.env.rng.spread(300 * MILLISECOND), self.processes[index].life);
                    self.env.judge.disturbed(index, until);
                    self.env.queue.push(until, Event::Fault(Fault::Hears { process: index, life }));
                }
                self.plan_fault(fault);
            }
            Fault::Hears { process, life } => {
                if self.processes[process].life == life && self.processes[process].alive && !self.listening[process] {
                    self.listening[process] = true;
                    self.store.listen(&self.processes[process].identity, 1);
                }
            }
            Fault::Forgotten(identity) => self.store.listen(&identity, -1),
            Fault::RecordsLost => {
                self.env.figures.failovers += 1;
                // Nobody is served until another server has taken over: longer than fences can be ahead of the time.
                let until = now + 60 * MILLISECOND;
                self.store.lose_records(now);
                self.env.network.down(until);
                for index in 0..self.processes.len() {
                    self.env.judge.disturbed(index, until + SECOND / 5);
                }
                self.plan_fault(fault);
            }
        }
    }

    fn crash(&mut self, index: usize) {
        self.env.figures.crashes += 1;
        let identity = self.processes[index].identity.clone();
        self.processes[index].crash(&mut self.env);
        // A process that is killed is missed at once, one whose machine fails is not.
        let ghost = if self.env.rng.chance(7_000) {
            self.env.rng.below(MILLISECOND)
        } else {
            self.env.rng.below(LONGEST_GHOST)
        };
        if std::mem::take(&mut self.listening[index]) {
            self.env.queue.push(self.env.now + ghost, Event::Fault(Fault::Forgotten(identity)));
        }
        let again = self.env.now + self.env.rng.spread(SECOND);
        self.env.queue.push(again, Event::Fault(Fault::Start(index)));
    }

    /// All that came in the meantime is heard now: messages first, timers first, or as it came.
    fn resume(&mut self, index: usize) {
        let mut late = self.stopped[index].take().unwrap_or_default();
        let first = self.env.rng.below(3);
        late.sort_by_key(|what| match what {
            Input::Timer(_) => first == 1,
            _ => first == 2,
        });
        for what in late {
            self.processes[index].hear(&mut self.env, what);
        }
    }
}
