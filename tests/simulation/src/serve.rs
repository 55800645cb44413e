//! The servers at work: requests arrive and are carried out before the eyes of the judge, and replies and messages leave.

use crate::{
    about::{About, ScriptKind, keys_of},
    judge::Ran,
    plan::{MILLISECOND, SECOND, Time},
    redis::Reply,
    resp,
    sim::{Event, Sim},
    trace::Lane,
    weakness::Weakness,
};

impl Sim {
    /// Bytes reach a server.
    pub(crate) fn to_server(&self, id: usize, bytes: Vec<u8>) {
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
                b"HELLO" => {
                    self.conns.borrow_mut()[id].is_resp3 = true;
                    resp::write(&mut reply, &Reply::List(Vec::new()));
                }
                b"ASKING" => {
                    self.conns.borrow_mut()[id].is_asking = true;
                    resp::write(&mut reply, &Reply::Status("OK".to_owned()));
                }
                b"SSUBSCRIBE" => match self.with_servers(|servers| servers.refusal(node, &words, now)) {
                    Some(refusal) => resp::write(&mut reply, &refusal),
                    None => {
                        self.with_servers(|servers| servers.listen(node, &words[1], id, true));
                        self.conns.borrow_mut()[id].channels.push(words[1].clone());
                        reply = resp::push(&[b"ssubscribe", &words[1]], Some(1));
                    }
                },
                b"PING" if self.conns.borrow()[id].listens_only() => {
                    resp::write(&mut reply, &Reply::List(vec![Reply::Text("pong".into()), Reply::Text(Vec::new())]));
                }
                _ => {
                    let late = ended.map_or(0, |ended| now - ended);
                    self.count(|figures| figures.late += u64::from(late > 0));
                    let is_asking = std::mem::take(&mut self.conns.borrow_mut()[id].is_asking);
                    self.with_servers(|servers| servers.is_asked(is_asking));
                    resp::write(&mut reply, &self.carry_out(node, Some(life), late, &words));
                }
            }
            self.send(id, true, reply);
        }
    }

    /// Carries out a request, before the eyes of the judge.
    pub(crate) fn carry_out(&self, node: usize, life: Option<u32>, late: Time, words: &[Vec<u8>]) -> Reply {
        let now = self.now();
        let kind = self.with_servers(|servers| servers.kind(words));
        let is_master = self.with_servers(|servers| servers.is_master(node));
        let about = self.with_servers(|servers| servers.about(words, kind));
        if kind == Some(ScriptKind::Release)
            && self.weakness == Some(Weakness::ReleaseSwallowed)
            && self.rng.borrow_mut().chance(2_000)
        {
            return Reply::Int(1);
        }
        let is_plain = &*words[0] == b"SET";
        let reply = self.with_servers(|servers| servers.run(node, words, now));
        self.count(|figures| figures.scripts += u64::from(kind.is_some()));
        // What it says no to it leaves as it is.
        let is_compared = &*words[0] == b"DELIFEQ" && reply == Reply::Int(1);
        self.count(|figures| figures.compared += u64::from(is_compared));
        let kind = if is_compared { Some(ScriptKind::Release) } else { kind };
        self.mix_reply(&reply);
        self.note(now, Lane::Server(node), None, || {
            let what = kind.map_or_else(|| String::from_utf8_lossy(&words[0]).into_owned(), |kind| format!("{kind:?}"));
            let locks = about.iter().map(|about| format!("{} {}", about.lock, about.by)).collect::<Vec<_>>().join(", ");
            format!("{what} {locks}: {reply:?}").chars().take(200).collect()
        });
        if kind == Some(ScriptKind::Shorten) && self.weakness == Some(Weakness::ShorteningResent) && life.is_some() {
            let late = self.rng.borrow_mut().below(600 * MILLISECOND);
            self.push(now + late, Event::Again { node, words: words.to_vec() });
        }
        let is_of_many = matches!(kind, Some(ScriptKind::AcquireMany | ScriptKind::ReleaseMany));
        self.count(|figures| figures.of_many += if is_of_many { about.len() as u64 } else { 0 });
        let each = if is_of_many { replies_of_many(&reply, keys_of(words) == Some(0)) } else { Vec::new() };
        if let Reply::Error(error) = &reply
            && self.is_elsewhere(error)
        {
            // Nothing was done.
            return reply;
        }
        let reply_to = |place: usize| each.get(place).unwrap_or(&reply);
        // Of several that are about one lock, what happened to it is the work of the one that was not left alone.
        let mut places = (0..about.len()).collect::<Vec<_>>();
        places.sort_by_key(|place| matches!(reply_to(*place), Reply::Int(0)));
        for place in places {
            let (About { lock, by, seats }, reply) = (&about[place], reply_to(place));
            let Some(key) = about[place].key().filter(|_| is_master) else { continue };
            let (after, last) = self.with_servers(|servers| (servers.owner(lock), servers.last_fence(lock)));
            self.ran(&Ran { key, life, by, late, kind, is_plain, reply, after, seats, last });
        }
        self.spread_effects(node);
        reply
    }

    /// Whether an error says that a key is at another server of a cluster, or on its way.
    fn is_elsewhere(&self, error: &str) -> bool {
        let (is_moved, is_put_off) = (error.starts_with("MOVED "), error.starts_with("TRYAGAIN "));
        let is_asked = error.starts_with("ASK ");
        self.count(|figures| {
            figures.moved += u64::from(is_moved);
            figures.asked += u64::from(is_asked);
            figures.put_off += u64::from(is_put_off);
        });
        is_moved || is_asked || is_put_off || error.contains("non local key")
    }

    fn mix_reply(&self, reply: &Reply) {
        match reply {
            Reply::Int(number) => self.mix(*number as u64),
            Reply::List(parts) => parts.iter().for_each(|part| self.mix_reply(part)),
            Reply::Text(text) => text.iter().for_each(|byte| self.mix(u64::from(*byte))),
            _ => self.mix(1),
        }
    }

    pub(crate) fn spread_effects(&self, node: usize) {
        let (copies, published) = self.with_servers(|servers| servers.effects(node));
        let now = self.now();
        for to in self.with_servers(|servers| servers.replicas(node)) {
            let era = self.with_servers(|servers| servers.nodes[to].era);
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
    pub(crate) fn spread(&self, node: usize, channel: &[u8], message: &[u8]) {
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
            if self.conns.borrow()[id].is_resp3 {
                bytes = resp::push(&[b"smessage", channel, message], None);
            } else {
                resp::write(&mut bytes, &Reply::List(vec![part(b"message"), part(channel), part(message)]));
            }
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
}

/// What a script for many locks replied for each of them: the fence, or whether it was released; zero if it was left alone. Nothing
/// for an error, which is about all of them.
fn replies_of_many(reply: &Reply, is_of_slots: bool) -> Vec<Reply> {
    let numbers = |digits: &[u8], first: i64, step: i64| {
        let numbers =
            digits.iter().zip(0..).map(|(digit, place)| if *digit == b'1' { first + step * place } else { 0 });
        numbers.map(Reply::Int).collect()
    };
    match reply {
        Reply::Text(released) => numbers(released, 1, 0),
        Reply::List(parts) => match &parts[..] {
            // Of locks of any slots each has a fence of its own.
            [Reply::Text(fences), ..] if is_of_slots => {
                let fences = String::from_utf8_lossy(fences).into_owned();
                fences.split(' ').map(|fence| Reply::Int(fence.parse().unwrap_or(0))).collect()
            }
            [Reply::Text(granted), Reply::Int(first), ..] => numbers(granted, *first, 1),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
