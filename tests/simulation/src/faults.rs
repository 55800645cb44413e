//! What befalls the world: how each fault strikes, and how it ends.

use crate::{
    life::Life,
    plan::{Fault, MICROSECOND, MILLISECOND, SECOND, Time},
    server::EPOCH,
    sim::Sim,
    trace::Lane,
    users,
};

impl Sim {
    /// A fault strikes every now and then, as long as things may go wrong.
    pub(crate) fn plan_fault(&self, fault: Fault, mean: Time) {
        let at = self.now() + self.spread(mean);
        self.push(at, move |sim| {
            if !sim.calm.get() {
                sim.strikes(fault);
                sim.plan_fault(fault, mean);
            }
        });
    }

    /// A process begins in a slot, unless the world ends.
    pub(crate) fn plan_start(&self, at: Time, slot: usize) {
        self.push(at, move |sim| {
            if !sim.ending.get() {
                users::start(slot);
            }
        });
    }

    pub(crate) fn strikes(&self, fault: Fault) {
        let now = self.now();
        self.note(now, Lane::World, None, || format!("{fault:?}"));
        self.count(|figures| figures.faults[fault as usize] += 1);
        match fault {
            Fault::Crash | Fault::Pause | Fault::Shutdown | Fault::Cut => {
                if let Some(life) = self.one_of(self.able()) {
                    self.befalls(fault, life);
                }
            }
            Fault::Reset | Fault::BlackHole => {
                let Some(id) = self.one_of(self.open(|conn| conn.is_served && !conn.is_hole)) else { return };
                self.disturb(self.conn(id).life, now);
                if fault == Fault::Reset {
                    return self.breaks(id);
                }
                self.conn(id).is_hole = true;
                self.push(now + self.spread(20 * SECOND), move |sim| sim.breaks(id));
            }
            Fault::Forgotten => {
                self.one_of(self.open(|conn| self.is_idle(conn))).into_iter().for_each(|id| self.hang_up(id));
            }
            Fault::Spoilt => self.spoils(),
            Fault::Stall => {
                let until = now + self.spread(SECOND);
                self.disturb_all(until);
                // One that begins during another does not end that: what came before is read first.
                let mut master = self.server(self.some_master());
                master.stalled = master.stalled.max(until);
            }
            Fault::Restart | Fault::DataLost => self.restart(fault == Fault::DataLost),
            Fault::ScriptsLost => self.server(self.some_master()).scripts.clear(),
            Fault::Full => {
                let until = now + self.spread(SECOND);
                self.disturb_all(until);
                self.with_servers(|servers| servers.master().is_full = true);
                self.push(until, |sim| sim.with_servers(|servers| servers.master().is_full = false));
            }
            Fault::Failover | Fault::WritesLost => self.fail_over(fault == Fault::WritesLost),
            Fault::AddressMoves => {
                let until = now + self.spread(2 * SECOND);
                self.disturb_all(until + 3 * SECOND);
                let count = self.with_servers(|servers| servers.nodes.len());
                let to = self.below(count as u64) as usize;
                self.with_servers(|servers| servers.address = to);
                // A connection that breaks meanwhile is made anew at a replica.
                for id in self.open(|conn| conn.is_served) {
                    if self.chance(3_000) {
                        self.breaks(id);
                    }
                }
                self.push(until, |sim| sim.with_servers(|servers| servers.address = servers.master));
            }
            Fault::SlotsMove => self.slots_move(),
            Fault::ClockStep => {
                let by = self.rng.borrow_mut().between((1_000, 2_000_000)) as i64;
                self.disaster(now);
                self.with_servers(|servers| servers.step += by);
            }
        }
    }

    /// The processes that are there and act.
    fn able(&self) -> Vec<u32> {
        let able = |life: &Life| !(life.is_dead || life.is_done || life.closes.is_some() || life.paused.is_some());
        (0..).zip(&*self.lives.borrow()).filter(|(_, life)| able(life)).map(|(number, _)| number).collect()
    }

    fn befalls(&self, fault: Fault, life: u32) {
        let now = self.now();
        self.note(now, Lane::Life(life), None, || format!("{fault:?}"));
        match fault {
            Fault::Crash => {
                let slot = self.life(life).slot;
                self.life(life).is_dead = true;
                self.judge.borrow_mut().died(life, now);
                self.abandon(life);
                self.plan_start(now + self.spread(SECOND), slot);
            }
            Fault::Pause => {
                let until = now + self.spread(self.plan.longest_ttl().min(3 * SECOND));
                self.disturb(life, until);
                self.life(life).paused = Some(now);
                self.push(until, move |sim| sim.resume(life));
            }
            Fault::Cut => {
                let until = now + self.spread(SECOND);
                self.disturb(life, until);
                self.life(life).link = until;
            }
            _ => self.life(life).closes = Some(now),
        }
    }

    /// Somebody writes nonsense to a helper key.
    fn spoils(&self) {
        self.disturb_all(self.now());
        let (lock, what) = {
            let mut rng = self.rng.borrow_mut();
            (rng.below(self.plan.keys as u64), rng.below(4))
        };
        let [queue, seen] = ["queue", "seen"].map(|helper| format!("{{sim:k{lock}}}:{helper}"));
        let text = ["x", "PX", "5000"];
        let master = self.with_servers(|servers| {
            let (key, verb, args) = match what {
                // Each life of a server puts the fences ahead of the time, which alone is left if their clock is lost (mint.lua).
                0 if servers.life == 1 => ("dlock:fence-clock", "ZADD", &["1", "x"][..]),
                1 => (&*seen, "SET", &text[..]),
                2 => (&*queue, "ZADD", &["-1", "x"][..]),
                _ => (&*queue, "SET", &text[..]),
            };
            servers.master().command(&[b"DEL", key.as_bytes()]);
            let words = [&[verb, key], args].concat();
            servers.master().command(&words.into_iter().map(str::as_bytes).collect::<Vec<_>>());
            servers.master
        });
        self.spread_effects(master);
    }

    fn restart(&self, loses: bool) {
        let now = self.now();
        let down = now + 60 * MILLISECOND + self.spread(500 * MILLISECOND);
        let loaded = down + self.spread(300 * MILLISECOND);
        self.disturb_all(loaded + 2 * SECOND);
        // Each life of a server puts the fences ahead of the time, which alone is left if their clock is lost then (mint.lua).
        if loses && self.with_servers(|servers| servers.life) > 1 {
            self.judge.borrow_mut().forget_fences(now);
        }
        let node = self.some_master();
        self.with_servers(|servers| {
            servers.begin_run(node, EPOCH.saturating_add_signed(servers.step) + down / MICROSECOND);
            servers.begin_life(node, !loses);
            let master = &mut servers.nodes[node];
            master.scripts.clear();
            (master.down, master.loading, master.opens) = (down, loaded, down + self.plan.quarantine * MILLISECOND);
            if loses {
                master.keys.clear();
            }
        });
        if loses {
            self.disaster(now);
        }
        self.takes_over(loaded);
        let count = self.conns.borrow().len();
        for id in (0..count).filter(|id| self.conn(*id).node == node) {
            self.reset(id, None);
            // Nor does the next process get what is under way yet on one that broke before.
            self.hang_up(id);
        }
    }

    /// Another server takes over.
    fn fail_over(&self, loses: bool) {
        if self.is_resharding() {
            // Whoever moves slots would have to begin again.
            return;
        }
        let now = self.now();
        let down = now + 60 * MILLISECOND + self.spread(500 * MILLISECOND);
        self.disturb_all(down + 4 * SECOND);
        if loses {
            self.disaster(now);
        } else {
            self.copies_arrive();
        }
        let old = self.some_master();
        let shard = self.with_servers(|servers| servers.shard(old));
        let are_watched = self.plan.sentinels > 0;
        // One that was replaced before and has not heard of it yet. Of a cluster there are other masters, which are none of these.
        shard.iter().filter(|_| are_watched).for_each(|node| self.is_demoted(*node));
        let stays = are_watched && self.chance(5_000);
        let (new, loses_clock) = self.with_servers(|servers| {
            let at = shard.iter().position(|node| *node == old).unwrap_or(0);
            let new = shard[(at + 1) % shard.len()];
            let life = servers.nodes[old].life;
            (servers.address, servers.nodes[new].down) = (new, down);
            servers.nodes[new].opens = down + self.plan.quarantine * MILLISECOND;
            let loses_clock = servers.lose_clocks(old, new);
            servers.take_over(old, new, down);
            let keys = servers.nodes[new].keys.clone();
            for node in shard {
                let server = &mut servers.nodes[node];
                server.era += 1;
                if stays && node == old {
                    (server.life, server.before, server.is_replica) = (life, 0, false);
                } else {
                    server.keys.clone_from(&keys);
                }
            }
            (new, loses_clock)
        });
        if loses_clock {
            self.judge.borrow_mut().forget_fences(now);
        }
        self.master_moved(new, stays.then_some(old));
        self.takes_over(down);
        self.note(now, Lane::World, None, || format!("server{new} is the master in place of server{old}"));
        // Operators seldom wait until it grants again.
        if self.plan.quarantine > 0 && self.plan.masters > 0 && self.chance(4_000) {
            self.push(down, |sim| {
                if !sim.calm.get() {
                    sim.slots_move();
                }
            });
        }
        // Some managed servers cut the connections of the old master, others do not.
        if self.chance(5_000) {
            self.open(|conn| conn.node == old).into_iter().for_each(|id| self.reset(id, None));
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
            servers.master().is_full = false;
        });
    }

    /// The judge looks at the world every 50 ms.
    pub(crate) fn look(&self) {
        self.judged_look(&self.able());
        self.push(self.now() + 50 * MILLISECOND, Self::look);
    }
}
