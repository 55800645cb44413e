//! The servers at work: requests arrive and are carried out before the eyes of the judge, and replies and messages leave.

use std::mem;

use crate::{
    about::{About, ScriptKind, keys_of},
    judge::{Ran, Rule},
    plan::{MILLISECOND, SECOND, Time},
    redis::Reply,
    resp,
    sim::Sim,
    trace::Lane,
    weakness::Weakness,
};

impl Sim {
    pub(crate) fn to_server(&self, id: usize, bytes: Vec<u8>) {
        let now = self.now();
        let conn = self.conn(id);
        if conn.is_hole || !conn.is_served {
            return;
        }
        let (node, life, late) = (conn.node, conn.life, conn.ended.map_or(0, |ended| now - ended));
        let stalled = self.server(node).stalled.max(conn.held);
        drop(conn);
        if now < self.server(node).down {
            return self.reset(id, None);
        }
        self.conn(id).arrived.extend(bytes);
        if now < stalled {
            // What came is read later, in its order.
            return self.push(stalled, move |sim| sim.to_server(id, Vec::new()));
        }
        loop {
            let request = resp::take_request(&mut self.conn(id).arrived);
            let Some(words) = request else { return };
            self.with_servers(|servers| servers.tick(node, now));
            let reply = match &*words[0] {
                b"SUBSCRIBE" if self.weakness == Some(Weakness::SubscribeSwallowed) => continue,
                b"SUBSCRIBE" | b"SSUBSCRIBE" => self.subscribe(id, node, &words),
                b"HELLO" => {
                    self.conn(id).is_resp3 = true;
                    resp::written(&Reply::List(Vec::new()))
                }
                b"ASKING" => {
                    self.conn(id).is_asking = true;
                    resp::written(&Reply::ok())
                }
                b"PING" if self.conn(id).listens_only() => resp::message(false, &[b"pong", b""], None),
                _ => {
                    self.count(|figures| figures.late += u64::from(late > 0));
                    let is_asking = mem::take(&mut self.conn(id).is_asking);
                    self.with_servers(|servers| {
                        servers.slots.iter().for_each(|slots| slots.borrow_mut().is_asking = is_asking);
                    });
                    resp::written(&self.carry_out(node, Some(life), late, &words))
                }
            };
            self.send(id, true, reply);
        }
    }

    fn subscribe(&self, id: usize, node: usize, words: &[Vec<u8>]) -> Vec<u8> {
        if let Some(refusal) = self.with_servers(|servers| servers.refusal(node, words, self.now())) {
            return resp::written(&refusal);
        }
        let (kind, mut conn) = (words[0].to_ascii_lowercase(), self.conn(id));
        let told = words[1..].iter().zip(1..).map(|(channel, count)| {
            self.server(node).listen(channel, id, true);
            conn.channels.push(channel.clone());
            resp::message(conn.is_resp3, &[&kind, channel], Some(count))
        });
        told.collect::<Vec<_>>().concat()
    }

    /// Carries out a request, before the eyes of the judge.
    pub(crate) fn carry_out(&self, node: usize, life: Option<u32>, late: Time, words: &[Vec<u8>]) -> Reply {
        let now = self.now();
        let (kind, is_master, about) = self.with_servers(|servers| {
            let kind = servers.kind(words);
            (kind, servers.is_master(node), servers.about(words, kind))
        });
        if kind == Some(ScriptKind::Release) && self.weakness == Some(Weakness::ReleaseSwallowed) && self.chance(2_000)
        {
            return Reply::Int(1);
        }
        let reply = self.with_servers(|servers| servers.run(node, words, now));
        // What it says no to it leaves as it is.
        let is_compared = &*words[0] == b"DELIFEQ" && reply == Reply::Int(1);
        let is_of_many = matches!(kind, Some(ScriptKind::AcquireMany | ScriptKind::ReleaseMany));
        self.count(|figures| {
            figures.scripts += u64::from(kind.is_some());
            figures.compared += u64::from(is_compared);
            figures.of_many += if is_of_many { about.len() as u64 } else { 0 };
        });
        let kind = if is_compared { Some(ScriptKind::Release) } else { kind };
        self.note(now, Lane::Server(node), None, || {
            let what = kind.map_or_else(|| String::from_utf8_lossy(&words[0]).into_owned(), |kind| format!("{kind:?}"));
            let locks = about.iter().map(|about| format!("{} {}", about.lock, about.by)).collect::<Vec<_>>().join(", ");
            format!("{what} {locks}: {reply:?}").chars().take(200).collect()
        });
        if kind == Some(ScriptKind::Shorten) && self.weakness == Some(Weakness::ShorteningResent) && life.is_some() {
            let (words, late) = (words.to_vec(), self.below(600 * MILLISECOND));
            self.push(now + late, move |sim| {
                sim.with_servers(|servers| servers.tick(node, sim.now()));
                sim.carry_out(node, None, 0, &words);
            });
        }
        if let Reply::Error(error) = &reply {
            if self.is_elsewhere(error) {
                // Nothing was done.
                return reply;
            }
            // A key that is on its way stops a script in the middle.
            if !["READONLY", "OOM", "LOADING", "NOSCRIPT", "non local key"].iter().any(|code| error.contains(code)) {
                self.accuse(Rule::Script, error.clone());
            }
        }
        let each = if is_of_many { replies_of_many(&reply, keys_of(words) == Some(0)) } else { Vec::new() };
        let replies = (0..about.len()).map(|place| each.get(place).unwrap_or(&reply));
        let mut about = about.iter().zip(replies).collect::<Vec<_>>();
        // Of several that are about one lock, what happened to it is the work of the one that was not left alone.
        about.sort_by_key(|(_, reply)| matches!(reply, Reply::Int(0)));
        for (about @ About { lock, by, seats }, reply) in about {
            let Some(key) = about.key().filter(|_| is_master) else { continue };
            let (after, last) = self.with_servers(|servers| servers.owner(lock));
            let is_plain = &*words[0] == b"SET";
            let opens = self.with_servers(|servers| servers.opens(node, lock));
            self.ran(&Ran { key, life, by, late, kind, is_plain, reply, after, seats, last, opens });
        }
        self.spread_effects(node);
        reply
    }

    /// Whether an error says that a key is at another server of a cluster, or on its way.
    fn is_elsewhere(&self, error: &str) -> bool {
        let [is_moved, is_asked, is_put_off] = ["MOVED ", "ASK ", "TRYAGAIN "].map(|code| error.starts_with(code));
        self.count(|figures| {
            figures.moved += u64::from(is_moved);
            figures.asked += u64::from(is_asked);
            figures.put_off += u64::from(is_put_off);
        });
        is_moved || is_asked || is_put_off
    }

    /// What was written and published reaches the replicas, and those who listen.
    pub(crate) fn spread_effects(&self, node: usize) {
        let (replicas, written, published) = self.with_servers(|servers| {
            let server = &mut servers.nodes[node];
            let (written, published) = (mem::take(&mut server.written), mem::take(&mut server.published));
            (servers.replicas(node), written, published)
        });
        // In one order for each replica, since the lag changes slowly.
        let arrives = self.now() + (1 + self.now() / (300 * MILLISECOND) * 7_919 % 40) * MILLISECOND;
        for to in replicas {
            for key in written.clone() {
                let entry = self.server(node).keys.get(&key).cloned();
                self.push_copy(arrives, to, move |sim| sim.server(to).replace(key, entry));
            }
            for (channel, message) in published.clone() {
                self.push_copy(arrives, to, move |sim| sim.spread_message(to, &channel, &message));
            }
        }
        published.iter().for_each(|(channel, message)| self.spread_message(node, channel, message));
    }

    /// A server tells those who listen to it.
    pub(crate) fn spread_message(&self, node: usize, channel: &[u8], message: &[u8]) {
        let grant = message.strip_prefix(b"granted ").map(String::from_utf8_lossy);
        let again = grant.as_ref().and_then(|grant| match self.weakness? {
            Weakness::FloorUnknown => Some(format!("granted {grant}")),
            // An old message says of itself that it is new.
            Weakness::StaleHandOver => {
                let mut words = grant.splitn(3, ' ');
                let (token, fence) = (words.next()?, words.next()?.parse::<u64>().ok()?);
                Some(format!("granted {token} {} {}", fence + 1_000_000_000, words.next()?))
            }
            _ => None,
        });
        let listeners = self.server(node).listeners.get(channel).cloned();
        for id in listeners.unwrap_or_default() {
            let is_resp3 = self.conn(id).is_resp3;
            let kind: &[u8] = if is_resp3 { b"smessage" } else { b"message" };
            let at = self.send(id, true, resp::message(is_resp3, &[kind, channel, message], None));
            if let (Some(at), Some(grant)) = (at, &grant) {
                self.is_told(grant, at, 0);
                let (grant, longest) = (grant.to_string(), self.plan.longest_ttl());
                self.push(at, move |sim| {
                    let is_left = sim.conn(id).ended.is_some();
                    if is_left {
                        sim.is_told(&grant, at, longest);
                    }
                });
            }
            if let Some(again) = &again {
                let bytes = resp::message(false, &[b"message", channel, again.as_bytes()], None);
                self.push(self.now() + self.below(SECOND), move |sim| sim.to_client(id, bytes));
            }
        }
    }
}

/// What a script for many locks replied for each of them: the fence, or whether it was released; zero if it was left alone. Nothing
/// for an error, which is about all of them.
fn replies_of_many(reply: &Reply, is_of_slots: bool) -> Vec<Reply> {
    let numbers = |digits: &[u8], first: i64, step: i64| {
        let number = |(digit, place): (&u8, i64)| if *digit == b'1' { first + step * place } else { 0 };
        digits.iter().zip(0..).map(number).map(Reply::Int).collect()
    };
    match reply {
        Reply::Text(released) => numbers(released, 1, 0),
        Reply::List(parts) => match &parts[..] {
            // Of locks of any slots each has a fence of its own.
            [Reply::Text(fences), ..] if is_of_slots => {
                let fences = String::from_utf8_lossy(fences);
                fences.split(' ').map(|fence| Reply::Int(fence.parse().unwrap_or(0))).collect()
            }
            [Reply::Text(granted), Reply::Int(first), ..] => numbers(granted, *first, 1),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
