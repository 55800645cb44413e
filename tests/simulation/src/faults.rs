//! What happens: messages arrive, the servers work, and faults strike and end.

use crate::{
    judge::Ran,
    plan::{Fault, MILLISECOND, SECOND, Time},
    redis::Reply,
    resp,
    server::ScriptKind,
    sim::{Event, Sim},
    trace::Lane,
    users,
    weakness::Weakness,
};

/// How a fault ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Resume(u32),
    Start(usize),
    Room,
    AddressBack,
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
            Event::Copy { to, era, key, entry } if era == self.era.get() => {
                self.with_servers(|servers| servers.paste(to, &key, entry));
            }
            Event::News { to, era, channel, message } if era == self.era.get() => self.spread(to, &channel, &message),
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

    /// Bytes reach a server.
    fn to_server(&self, id: usize, bytes: Vec<u8>) {
        let now = self.now();
        let (node, life, held, ended) = {
            let conn = &self.conns.borrow()[id];
            if conn.is_hole || !conn.is_served {
                return;
            }
            (conn.node, conn.life, conn.held, conn.ended)
        };
        let (down, stalled) =
            self.with_servers(|servers| (servers.nodes[node].down, servers.nodes[node].stalled.max(held)));
        if now < down {
            return self.reset(id, None);
        }
        self.conns.borrow_mut()[id].arrived.extend(bytes);
        if now < stalled {
            // What came is read later, in its order.
            return self.push(stalled, Event::ToServer(id, Vec::new()));
        }
        loop {
            let request = resp::take_request(&mut self.conns.borrow_mut()[id].arrived);
            let Some(words) = request else { return };
            self.with_servers(|servers| servers.tick(node, now));
            let mut reply = Vec::new();
            match &*words[0] {
                b"SUBSCRIBE" => {
                    if self.weakness == Some(Weakness::SubscribeSwallowed) {
                        continue;
                    }
                    for (count, channel) in words[1..].iter().enumerate() {
                        self.with_servers(|servers| servers.listen(node, channel, id, true));
                        self.conns.borrow_mut()[id].channels.push(channel.clone());
                        let parts = vec![Reply::Text("subscribe".into()), Reply::Text(channel.clone())];
                        let parts = [parts, vec![Reply::Int(count as i64 + 1)]].concat();
                        resp::write(&mut reply, &Reply::List(parts));
                    }
                }
                b"PING" if !self.conns.borrow()[id].channels.is_empty() => {
                    resp::write(&mut reply, &Reply::List(vec![Reply::Text("pong".into()), Reply::Text(Vec::new())]));
                }
                _ => {
                    let late = ended.map_or(0, |ended| now - ended);
                    self.count(|figures| figures.late += u64::from(late > 0));
                    resp::write(&mut reply, &self.carry_out(node, Some(life), late, &words));
                }
            }
            self.send(id, true, reply);
        }
    }

    /// Carries out a request, before the eyes of the judge.
    fn carry_out(&self, node: usize, life: Option<u32>, late: Time, words: &[Vec<u8>]) -> Reply {
        let now = self.now();
        let script = self.with_servers(|servers| servers.script(words));
        let kind = script.as_ref().map(|script| script.kind);
        let lock = match kind {
            Some(_) => words.get(3).cloned(),
            None => words.get(1).cloned(),
        };
        let lock = lock.and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
        let key = lock.strip_prefix("sim:k").and_then(|key| key.parse::<usize>().ok());
        let key = key.filter(|_| node == self.with_servers(|servers| servers.master));
        if kind == Some(ScriptKind::Release)
            && self.weakness == Some(Weakness::ReleaseSwallowed)
            && self.rng.borrow_mut().chance(2_000)
        {
            return Reply::Int(1);
        }
        let argument = |place: usize| {
            let keys = words.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok())?;
            words.get(2 + keys + place).map(|word| lossy(word))
        };
        let is_plain = &*words[0] == b"SET";
        let by = if kind.is_some() { argument(1) } else { words.get(2).map(|word| lossy(word)) };
        // What is set begins with a token.
        let by = by.unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        let seats = match key {
            Some(_) => self.with_servers(|servers| servers.seats(&lock)),
            None => Vec::new(),
        };
        let reply = self.with_servers(|servers| servers.run(node, words, now));
        self.count(|figures| figures.scripts += u64::from(kind.is_some()));
        self.mix_reply(&reply);
        self.note(now, Lane::Server(node), None, || {
            let what = kind.map_or_else(|| String::from_utf8_lossy(&words[0]).into_owned(), |kind| format!("{kind:?}"));
            format!("{what} {lock} {by}: {reply:?}").chars().take(200).collect()
        });
        if kind == Some(ScriptKind::Renew)
            && self.weakness == Some(Weakness::ShorteningResent)
            && argument(3).as_deref() == Some("1")
            && life.is_some()
        {
            let late = self.rng.borrow_mut().below(600 * MILLISECOND);
            self.push(now + late, Event::Again { node, words: words.to_vec() });
        }
        if let Some(key) = key {
            let (after, last) = self.with_servers(|servers| (servers.owner(&lock), servers.last_fence(&lock)));
            let releases = kind == Some(ScriptKind::Release) || kind == Some(ScriptKind::Other);
            let asks = kind == Some(ScriptKind::Acquire) || is_plain && by.contains('-') && !by.starts_with("foreign");
            let inspects = kind == Some(ScriptKind::Inspect);
            self.ran(&Ran {
                key,
                life,
                late,
                by: &by,
                asks,
                is_plain,
                releases,
                inspects,
                reply: &reply,
                after,
                seats: &seats,
                last,
            });
        }
        self.spread_effects(node);
        reply
    }

    fn mix_reply(&self, reply: &Reply) {
        match reply {
            Reply::Int(number) => self.mix(*number as u64),
            Reply::List(parts) => parts.iter().for_each(|part| self.mix_reply(part)),
            Reply::Text(text) => text.iter().for_each(|byte| self.mix(u64::from(*byte))),
            _ => self.mix(1),
        }
    }

    fn spread_effects(&self, node: usize) {
        let (copies, published) = self.with_servers(|servers| servers.effects(node));
        let count = self.with_servers(|servers| if node == servers.master { servers.nodes.len() } else { 0 });
        let (now, era) = (self.now(), self.era.get());
        for to in (0..count).filter(|to| *to != node) {
            // In one order for each replica, since the lag changes slowly.
            let lag = (1 + now / (300 * MILLISECOND) * 7_919 % 40) * MILLISECOND;
            for (key, entry) in &copies {
                self.push(now + lag, Event::Copy { to, era, key: key.clone(), entry: entry.clone() });
            }
            for (channel, message) in &published {
                self.push(now + lag, Event::News { to, era, channel: channel.clone(), message: message.clone() });
            }
        }
        published.iter().for_each(|(channel, message)| self.spread(node, channel, message));
    }

    /// A server tells those who listen to it.
    fn spread(&self, node: usize, channel: &[u8], message: &[u8]) {
        let mut text = message.to_vec();
        let is_late = matches!(self.weakness, Some(Weakness::StaleHandOver | Weakness::FloorUnknown));
        let comes_again = is_late && message.starts_with(b"granted");
        if comes_again && self.weakness == Some(Weakness::StaleHandOver) {
            // An old message says of itself that it is new.
            let words = String::from_utf8_lossy(message).into_owned();
            let mut words = words.split(' ').map(str::to_owned).collect::<Vec<_>>();
            words[2] = (words[2].parse::<u64>().unwrap_or(0) + 1_000_000_000).to_string();
            text = words.join(" ").into_bytes();
        }
        for id in self.with_servers(|servers| servers.listeners(node, channel)) {
            let part = |text: &[u8]| Reply::Text(text.to_vec());
            let mut bytes = Vec::new();
            resp::write(&mut bytes, &Reply::List(vec![part(b"message"), part(channel), part(message)]));
            if let (Some(at), Some(grant)) = (self.send(id, true, bytes), message.strip_prefix(b"granted ")) {
                self.is_told(&String::from_utf8_lossy(grant), at);
            }
            if comes_again {
                let mut bytes = Vec::new();
                resp::write(&mut bytes, &Reply::List(vec![part(b"message"), part(channel), part(&text)]));
                let late = self.rng.borrow_mut().below(SECOND);
                self.push(self.now() + late, Event::ToClient(id, bytes));
            }
        }
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
                let command = [&["DEL", &key], &[spoil[0], &key], &spoil[1..]].concat();
                self.with_servers(|servers| servers.spoil(&command[..2], &command[2..]));
                self.spread_effects(self.with_servers(|servers| servers.master));
            }
            Fault::Stall => {
                let until = now + self.span(SECOND);
                self.disturb_all(until);
                self.with_servers(|servers| servers.nodes[servers.master].stalled = until);
            }
            Fault::Restart | Fault::DataLost => self.restart(fault == Fault::DataLost),
            Fault::ScriptsLost => self.with_servers(|servers| servers.forget_scripts(servers.master)),
            Fault::Full => {
                let until = now + self.span(SECOND);
                self.disturb_all(until);
                self.with_servers(|servers| servers.fill(servers.master, true));
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
            Fault::ClockStep => {
                let by = self.rng.borrow_mut().between((1_000, 2_000_000)) as i64;
                self.disaster(now);
                self.with_servers(|servers| servers.step(by));
            }
        }
    }

    fn some_life(&self) -> Option<u32> {
        let lives = self.lives.borrow();
        let able =
            |life: &crate::sim::Life| !(life.is_dead || life.is_done || life.is_closing || life.paused.is_some());
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
            self.judge.borrow_mut().forget_fences();
        }
        let master = self.with_servers(|servers| {
            let master = servers.master;
            servers.forget_scripts(master);
            servers.begin_life();
            (servers.nodes[master].down, servers.nodes[master].loading) = (down, loaded);
            if loses {
                servers.forget_keys(master);
            }
            master
        });
        if loses {
            self.disaster(now);
        }
        self.open(|conn| conn.node == master).into_iter().for_each(|id| self.reset(id, None));
    }

    /// Another server takes over.
    fn fail_over(&self, loses: bool) {
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
        self.era.set(self.era.get() + 1);
        let (old, new) = self.with_servers(|servers| {
            let (old, new) = (servers.master, (servers.master + 1) % servers.nodes.len());
            (servers.address, servers.nodes[new].down) = (new, down);
            servers.promote(new);
            let keys = servers.copy_all(new);
            (0..servers.nodes.len()).filter(|node| *node != new).for_each(|node| {
                servers.forget_keys(node);
                keys.iter().for_each(|(key, entry)| servers.paste(node, key, Some(entry.clone())));
            });
            (old, new)
        });
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
            End::Room => self.with_servers(|servers| servers.fill(servers.master, false)),
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
            servers.fill(servers.master, false);
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

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
