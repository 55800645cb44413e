//! How slots get from one master of a cluster to another: at once, or key by key.

use crate::{
    cluster::{Move, Slots, slot},
    plan::{MILLISECOND, SECOND, Time},
    resp,
    sim::Sim,
    trace::Lane,
};

/// How far a move goes at most to both sides of the slot that it is about.
const WIDEST: u64 = 3_000;

/// For how long after a move not everything happens in time.
const UNREST: Time = SECOND;

impl Sim {
    /// The master, or one of several.
    pub(crate) fn some_master(&self) -> usize {
        if self.plan.masters == 0 {
            return self.with_servers(|servers| servers.master);
        }
        let shard = self.below(self.plan.masters as u64) as usize;
        self.with_servers(|servers| servers.shard(shard).into_iter().find(|node| servers.is_master(*node)))
            .unwrap_or(shard)
    }

    /// Whether slots are on their way.
    pub(crate) fn is_resharding(&self) -> bool {
        self.plan.masters > 0 && self.with_slots(|slots| slots.under_way.is_some())
    }

    fn with_slots<T>(&self, work: impl FnOnce(&mut Slots) -> T) -> T {
        let slots = self.with_servers(|servers| servers.slots.clone()).expect("a cluster");
        work(&mut slots.borrow_mut())
    }

    /// Slots begin to move, those of a lock among them.
    pub(crate) fn slots_move(&self) {
        let masters = self.with_servers(|servers| servers.masters());
        let hop = 1 + self.below(masters.len() as u64 - 1) as usize;
        let (sides, key) = ([self.below(WIDEST), self.below(WIDEST)], self.below(self.plan.keys as u64));
        let sides = if self.chance(5_000) { [0, 0] } else { sides };
        let is_at_once = self.chance(3_000);
        let moved = self.with_slots(|slots| {
            let slot = slot(format!("sim:k{key}").as_bytes());
            let from = slots.owners[slot];
            let at = masters.iter().position(|node| *node == from).unwrap_or(0);
            let to = masters[(at + hop) % masters.len()];
            let moved = Move { slots: slots.around(slot, sides), from, to };
            let keeps_some = slots.owners.iter().filter(|owner| **owner == from).count() > moved.slots.len();
            (slots.under_way.is_none() && keeps_some).then(|| slots.under_way.insert(moved).clone())
        });
        let Some(Move { slots, from, to }) = moved else { return };
        self.note(self.now(), Lane::World, None, || format!("slots {slots:?} move from server{from} to server{to}"));
        self.unrest();
        if is_at_once {
            while self.next_key_moves() {}
            self.slots_have_moved();
        } else {
            self.keys_move();
        }
    }

    /// One key after another goes over.
    fn keys_move(&self) {
        let pause = self.spread(20 * MILLISECOND);
        self.push(self.now() + pause, |sim| {
            sim.unrest();
            if sim.next_key_moves() { sim.keys_move() } else { sim.slots_have_moved() }
        });
    }

    fn next_key_moves(&self) -> bool {
        let Some(Move { slots, from, to }) = self.with_slots(|slots| slots.under_way.clone()) else { return false };
        let now = self.now();
        self.with_servers(|servers| servers.tick(from, now));
        let mut keys = self.server(from).all();
        keys.retain(|key| slots.contains(&slot(key)));
        let Some(key) = self.one_of(keys) else { return false };
        self.note(now, Lane::World, None, || format!("{} goes to server{to}", String::from_utf8_lossy(&key)));
        let entry = self.server(from).keys.remove(&key);
        self.server(to).replace(key.clone(), entry);
        for node in [from, to] {
            self.server(node).written.push(key.clone());
            self.spread_effects(node);
        }
        true
    }

    fn slots_have_moved(&self) {
        let late = self.spread(300 * MILLISECOND);
        let moved = self.with_slots(|slots| {
            let moved = slots.under_way.take()?;
            // One that is down yet grants nothing more, so that a quarantine from now on is enough.
            let opens = self.server(moved.from).opens.min(self.now() + self.plan.quarantine * MILLISECOND);
            slots.leave(moved.clone(), opens, self.now());
            slots.pass(moved.clone(), self.now() + late);
            Some(moved)
        });
        let Some(Move { slots, from, to }) = moved else { return };
        self.note(self.now(), Lane::World, None, || format!("slots {slots:?} have moved to server{to}"));
        // To their fence clocks another server is another life.
        self.with_servers(|servers| servers.life += 1);
        if self.with_servers(|servers| servers.come_back_behind(to)) {
            self.judge.borrow_mut().forget_fences(self.now());
        }
        for id in self.open(|conn| conn.node == from && conn.is_served) {
            let is_gone = |channel: &Vec<u8>| channel.contains(&b'{') && slots.contains(&slot(channel));
            let (gone, rest) = self.conn(id).channels.drain(..).partition::<Vec<_>, _>(is_gone);
            self.conn(id).channels = rest;
            for channel in gone {
                self.server(from).listen(&channel, id, false);
                self.send(id, true, resp::message(true, &[b"sunsubscribe", &channel], Some(0)));
            }
        }
    }

    /// Not everything happens in time for a while.
    fn unrest(&self) {
        let until = self.now() + UNREST;
        self.disturb_all(until);
        let judge = &mut *self.judge.borrow_mut();
        judge.lenient = judge.lenient.max(until);
    }
}
