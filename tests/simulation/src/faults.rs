//! What happens: messages arrive, and faults strike and end.

use crate::{
    life::Life,
    plan::{Fault, MICROSECOND, MILLISECOND, SECOND, Time},
    sentinels::Belief,
    server::EPOCH,
    sim::{Event, Sim},
    trace::Lane,
    users,
};

/// How a fault ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Resume(u32),
    Start(usize),
    Room,
    AddressBack,
    KeyMoves,
    Hears { sentinel: usize, belief: Belief },
    Demoted(usize),
}

impl Sim {
    pub(crate) fn happens(&self, event: Event) {
        let now = self.now();
        match event {
            Event::ToServer(id, bytes) => self.to_server(id, bytes),
            Event::ToClient(id, bytes) => self.to_client(id, bytes),
            Event::Reset(id) => self.breaks(id),
            Event::Late(id) => self.reset(id, Some(self.rng.borrow_mut().below(2 * SECOND))),
            Event::HungUp(id) => self.hung_up(id),
            Event::Wake(waker) => waker.wake(),
            Event::Copy { to, era, key, entry } if era == self.era(to) => {
                self.with_servers(|servers| {
                    servers.store(to, |store| match entry {
                        Some(entry) => store.keys.insert(key, entry),
                        None => store.keys.remove(&key),
                    })
                });
            }
            Event::News { to, era, channel, message } if era == self.era(to) => self.spread(to, &channel, &message),
            Event::Copy { .. } | Event::News { .. } => {}
            Event::Again { node, words } => {
                self.with_servers(|servers| servers.tick(node, now));
                drop(self.carry_out(node, None, 0, &words));
            }
            Event::Fault(fault) => {
                if !self.calm.get() {
                    self.strikes(fault);
                    self.plan_fault(fault);
                }
            }
            Event::End(end) => self.ends(end),
            Event::Look => {
                self.look();
                self.push(now + 50 * MILLISECOND, Event::Look);
            }
        }
    }

    fn era(&self, node: usize) -> u32 {
        self.with_servers(|servers| servers.nodes[node].era)
    }

    pub(crate) fn plan_fault(&self, fault: Fault) {
        let mean = self.plan.faults.iter().find(|(known, _)| *known == fault).map_or(0, |(_, mean)| *mean);
        if mean > 0 {
            let at = self.now() + self.rng.borrow_mut().spread(mean);
            self.push(at, Event::Fault(fault));
        }
    }

    fn span(&self, mean: Time) -> Time {
        self.rng.borrow_mut().spread(mean)
    }

    pub(crate) fn strikes(&self, fault: Fault) {
        let now = self.now();
        self.note(now, Lane::World, None, || format!("{fault:?}"));
        self.count(|figures| figures.faults[fault as usize] += 1);
        match fault {
            Fault::Crash | Fault::Pause | Fault::Shutdown | Fault::Cut => {
                if let Some(life) = self.some_life() {
                    self.befalls(fault, life);
                }
            }
            Fault::Reset | Fault::BlackHole => {
                let open = self.open(|conn| conn.is_served && !conn.is_hole);
                let Some(&id) = open.get(self.rng.borrow_mut().below(open.len() as u64) as usize) else { return };
                self.disturb(self.conns.borrow()[id].life, now);
                if fault == Fault::Reset {
                    return self.breaks(id);
                }
                self.conns.borrow_mut()[id].is_hole = true;
                let until = now + self.span(20 * SECOND);
                self.push(until, Event::Reset(id));
            }
            Fault::Forgotten => {
                let idle = self.open(|conn| self.is_idle(conn));
                if let Some(&id) = idle.get(self.rng.borrow_mut().below(idle.len() as u64) as usize) {
                    self.forget(id);
                }
            }
            Fault::Spoilt => {
                self.disturb_all(now);
                let lock = self.rng.borrow_mut().below(self.plan.keys as u64);
                let [queue, seen] = ["queue", "seen"].map(|helper| format!("{{sim:k{lock}}}:{helper}"));
                let (clock, text) = ("dlock:fence-clock".to_owned(), ["SET", "x", "PX", "5000"]);
                // Each life of a server puts the fences ahead of the time, which alone is left if their clock is lost (mint.lua).
                let first = self.with_servers(|servers| servers.life) == 1;
                let (key, spoil) = match self.rng.borrow_mut().below(4) {
                    0 if first => (clock, &["ZADD", "1", "x"][..]),
                    1 => (seen, &text[..]),
                    2 => (queue, &["ZADD", "-1", "x"][..]),
                    _ => (queue, &text[..]),
                };
                self.with_servers(|servers| {
                    servers.store(servers.master, |store| {
                        store.command(&[b"DEL", key.as_bytes()]);
                        let words = [&[spoil[0], &key], &spoil[1..]].concat();
                        store.command(&words.into_iter().map(str::as_bytes).collect::<Vec<_>>());
                    });
                });
                self.spread_effects(self.with_servers(|servers| servers.master));
            }
            Fault::Stall => {
                let until = now + self.span(SECOND);
                self.disturb_all(until);
                let master = self.some_master();
                // One that begins during another does not end that: what came before is read first.
                self.with_servers(|servers| {
                    let stalled = &mut servers.nodes[master].stalled;
                    *stalled = until.max(*stalled);
                });
            }
            Fault::Restart | Fault::DataLost => self.restart(fault == Fault::DataLost),
            Fault::ScriptsLost => {
                let master = self.some_master();
                self.with_servers(|servers| servers.forget_scripts(master));
            }
            Fault::Full => {
                let until = now + self.span(SECOND);
                self.disturb_all(until);
                self.with_servers(|servers| servers.store(servers.master, |store| store.is_full = true));
                self.push(until, Event::End(End::Room));
            }
            Fault::Failover | Fault::WritesLost => self.fail_over(fault == Fault::WritesLost),
            Fault::AddressMoves => {
                let until = now + self.span(2 * SECOND);
                self.disturb_all(until + 3 * SECOND);
                let count = self.with_servers(|servers| servers.nodes.len());
                let to = self.rng.borrow_mut().below(count as u64) as usize;
                self.with_servers(|servers| servers.address = to);
                // A connection that breaks meanwhile is made anew at a replica.
                for id in self.open(|conn| conn.is_served) {
                    if self.rng.borrow_mut().chance(3_000) {
                        self.breaks(id);
                    }
                }
                self.push(until, Event::End(End::AddressBack));
            }
            Fault::SlotsMove => self.slots_move(),
            Fault::ClockStep => {
                let by = self.rng.borrow_mut().between((1_000, 2_000_000)) as i64;
                self.disaster(now);
                self.with_servers(|servers| servers.step(by));
            }
        }
    }

    fn some_life(&self) -> Option<u32> {
        let lives = self.lives.borrow();
        let able = |life: &Life| !(life.is_dead || life.is_done || life.is_closing || life.paused.is_some());
        let able = (0..lives.len()).filter(|life| able(&lives[*life])).collect::<Vec<_>>();
        let at = self.rng.borrow_mut().below(able.len() as u64) as usize;
        able.get(at).map(|life| *life as u32)
    }

    fn befalls(&self, fault: Fault, life: u32) {
        let now = self.now();
        let slot = self.lives.borrow()[life as usize].slot;
        self.note(now, Lane::Life(life), None, || format!("{fault:?}"));
        match fault {
            Fault::Crash => {
                self.lives.borrow_mut()[life as usize].is_dead = true;
                self.judge.borrow_mut().died(life, now);
                self.abandon(life);
                let again = now + self.span(SECOND);
                self.push(again, Event::End(End::Start(slot)));
            }
            Fault::Pause => {
                let until = now + self.span(self.plan.longest_ttl().min(3 * SECOND));
                self.disturb(life, until);
                self.lives.borrow_mut()[life as usize].paused = Some(now);
                self.push(until, Event::End(End::Resume(life)));
            }
            Fault::Cut => {
                let until = now + self.span(SECOND);
                self.disturb(life, until);
                self.lives.borrow_mut()[life as usize].link = until;
            }
            _ => self.lives.borrow_mut()[life as usize].is_closing = true,
        }
    }

    fn restart(&self, loses: bool) {
        let now = self.now();
        let down = now + 60 * MILLISECOND + self.span(500 * MILLISECOND);
        let loaded = down + self.span(300 * MILLISECOND);
        self.disturb_all(loaded + 2 * SECOND);
        // Each life of a server puts the fences ahead of the time, which alone is left if their clock is lost then (mint.lua).
        if loses && self.with_servers(|servers| servers.life) > 1 {
            self.judge.borrow_mut().forget_fences(now);
        }
        let master = self.some_master();
        self.with_servers(|servers| {
            servers.forget_scripts(master);
            servers.begin_run(master, EPOCH.saturating_add_signed(servers.step) + down / MICROSECOND);
            if loses {
                servers.begin_life(master)
            } else {
                servers.goes_on(master)
            }
            (servers.nodes[master].down, servers.nodes[master].loading) = (down, loaded);
            if loses {
                servers.store(master, |store| store.keys.clear());
            }
        });
        if loses {
            self.disaster(now);
        }
        self.takes_over(loaded);
        self.open(|conn| conn.node == master).into_iter().for_each(|id| self.reset(id, None));
    }

    /// Another server takes over.
    fn fail_over(&self, loses: bool) {
        if self.is_resharding() {
            // Whoever moves slots would have to begin again.
            return;
        }
        let now = self.now();
        let down = now + 60 * MILLISECOND + self.span(500 * MILLISECOND);
        self.disturb_all(down + 4 * SECOND);
        if loses {
            self.disaster(now);
        } else {
            // What is under way to it arrives first.
            let copies = self.take_copies();
            copies.into_iter().for_each(|event| self.happens(event));
        }
        let old = self.some_master();
        // One that was replaced before and has not heard of it yet.
        self.with_servers(|servers| servers.shard(old)).into_iter().for_each(|node| self.is_demoted(node));
        let stays = self.plan.sentinels > 0 && self.rng.borrow_mut().chance(5_000);
        let (new, loses_clock) = self.with_servers(|servers| {
            let shard = servers.shard(old);
            let at = shard.iter().position(|node| *node == old).unwrap_or(0);
            let new = shard[(at + 1) % shard.len()];
            (servers.address, servers.nodes[new].down) = (new, down);
            let life = servers.store(old, |store| store.life());
            servers.promote(new);
            servers.takes_slots(old, new, down);
            let keys = servers.store(new, |store| store.keys.clone());
            // That of slots of a cluster which came just before.
            let is_lost = |key: &Vec<u8>| key.starts_with(b"dlock:fence-clock") && !keys.contains_key(key);
            let loses_clock = servers.slots.is_some() && servers.store(old, |store| store.keys.keys().any(is_lost));
            for node in shard {
                servers.nodes[node].era += 1;
                servers.store(node, |store| match stays && node == old {
                    true => store.remains_master(life),
                    false => store.keys.clone_from(&keys),
                });
            }
            (new, loses_clock)
        });
        if loses_clock {
            self.judge.borrow_mut().forget_fences(now);
        }
        self.master_moved(new);
        if stays {
            self.stays_for_a_while(old);
        }
        self.takes_over(down);
        self.note(now, Lane::World, None, || format!("server{new} is the master in place of server{old}"));
        // Some managed servers cut the connections of the old master, others do not.
        if self.rng.borrow_mut().chance(5_000) {
            self.open(|conn| conn.node == old).into_iter().for_each(|id| self.reset(id, None));
        }
    }

    fn ends(&self, end: End) {
        match end {
            End::Resume(life) => self.resume(life),
            End::Start(slot) if !self.ending.get() => users::start(slot),
            End::Start(_) => {}
            End::Room => self.with_servers(|servers| servers.store(servers.master, |store| store.is_full = false)),
            End::Hears { sentinel, belief } => self.sentinel_hears(sentinel, belief),
            End::Demoted(node) => self.is_demoted(node),
            End::KeyMoves => self.key_moves(),
            End::AddressBack => self.with_servers(|servers| servers.address = servers.master),
        }
    }

    /// Everything that was broken works again.
    pub(crate) fn calm_down(&self) {
        self.calm.set(true);
        let now = self.now();
        self.note(now, Lane::World, None, || "nothing goes wrong any more".to_owned());
        self.disturb_all(now + 4 * SECOND);
        self.with_servers(|servers| {
            servers.address = servers.master;
            servers.store(servers.master, |store| store.is_full = false);
        });
    }

    fn look(&self) {
        let count = self.lives.borrow().len() as u32;
        let deaf = |life: &u32| {
            let lives = self.lives.borrow();
            let life = &lives[*life as usize];
            !(life.is_dead || life.is_done || life.is_closing || life.paused.is_some())
        };
        let able = (0..count).filter(deaf).collect::<Vec<_>>();
        self.judged_look(&able);
    }
}
