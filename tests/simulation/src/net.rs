//! Connections: bytes that are under way, and what becomes of them.
//!
//! Each connection keeps its order, as TCP does. What goes wrong is what goes wrong with TCP: delays, resets in the middle of a
//! request or a reply, bytes that vanish until somebody notices, connections that are refused or never answered.

use std::{collections::VecDeque, io, task::Waker};

use dlock_runtime::simulated::{Connecting, Stream};

use crate::{
    plan::{LONGEST_DELAY, LONGEST_GHOST, MICROSECOND, MILLISECOND, PATIENCE, SECOND, Time},
    resp,
    sim::{Event, Sim},
    trace::Lane,
    wire::Wire,
};

/// How long a process may use a connection that swallows what is sent: requests of less patience do not blame it.
const NOTICED_WITHIN: Time = 3 * SECOND;

/// In how many of 10,000 cases a connection breaks under a request that the world aims at.
const AIMED: u32 = 2_000;

/// A connection of a process to a server.
#[derive(Debug, Default)]
pub(crate) struct Conn {
    pub(crate) life: u32,
    pub(crate) node: usize,
    /// What the client has not read yet, and what it reads after that.
    pub(crate) unread: VecDeque<u8>,
    pub(crate) reader: Option<Waker>,
    pub(crate) is_reset: bool,
    /// When the client found that it was broken, or left.
    pub(crate) ended: Option<Time>,
    /// Until when what the server has of it lies somewhere on the way.
    pub(crate) held: Time,
    /// Requests that have not come whole yet.
    pub(crate) arrived: Vec<u8>,
    /// Whether the server still reads from it.
    pub(crate) is_served: bool,
    /// What is sent vanishes; since when that was so for something.
    pub(crate) is_hole: bool,
    pub(crate) vain: Option<Time>,
    /// What was sent last ends in the middle, and nothing comes after it.
    is_cut: bool,
    /// It was idle and is gone, and who sends something is told so.
    is_forgotten: bool,
    pub(crate) channels: Vec<Vec<u8>>,
    /// Whether it speaks RESP 3; whether `ASKING` came last.
    pub(crate) is_resp3: bool,
    pub(crate) is_asking: bool,
    pub(crate) last: [Time; 2],
}

impl Conn {
    /// Whether nothing but messages comes over it, as RESP 2 has it.
    pub(crate) fn listens_only(&self) -> bool {
        !self.channels.is_empty() && !self.is_resp3
    }
}

impl Sim {
    /// What comes of connecting.
    pub(crate) fn dial(&self, life: u32, address: &str) -> Connecting {
        let now = self.now();
        let (node, rest) = self.with_servers(|servers| {
            let node = servers.at(address);
            (node, servers.nodes[node].down)
        });
        let calm = self.calm.get();
        let (refused, mute, wait) = {
            let mut rng = self.rng.borrow_mut();
            let refused = now < rest || !calm && rng.chance(self.plan.refused);
            (refused, !calm && rng.chance(self.plan.mute), rng.between(self.plan.latency) * MICROSECOND)
        };
        if refused {
            self.count(|figures| figures.refused += 1);
            self.note(now, Lane::Life(life), None, || "is refused a connection".to_owned());
            self.disturb(life, now);
            return Box::pin(async move {
                pass(wait).await;
                Err(io::Error::from(io::ErrorKind::ConnectionRefused))
            });
        }
        let conn = Conn { life, node, is_served: true, is_hole: mute, last: [now; 2], ..Conn::default() };
        let id = self.conns.borrow().len();
        self.conns.borrow_mut().push(conn);
        self.note(now, Lane::Life(life), None, || {
            format!("connection {id} to server{node} is open{}", if mute { " and will not be answered" } else { "" })
        });
        if mute {
            self.count(|figures| figures.mute += 1);
            self.disturb(life, now);
            self.push(now + self.rng.borrow_mut().spread(20_000) * MILLISECOND, Event::Reset(id));
        }
        Box::pin(async move {
            pass(wait).await;
            Ok(Box::new(Wire { id, life }) as Box<dyn Stream>)
        })
    }

    /// Sends bytes, to the server or back. Returns when they arrive, if they do.
    pub(crate) fn send(&self, id: usize, back: bool, bytes: Vec<u8>) -> Option<Time> {
        let now = self.now();
        let calm = self.calm.get();
        let (life, node, is_news) = {
            let conn = &mut self.conns.borrow_mut()[id];
            if conn.is_forgotten && !back {
                self.push(now + self.plan.latency.1 * MICROSECOND, Event::Reset(id));
                return None;
            }
            if conn.is_hole || conn.is_reset || conn.is_cut {
                self.count(|figures| figures.lost += 1);
                self.note(now, Lane::Life(conn.life), None, || format!("[{id}] lost: {}", readable(back, &bytes)));
                // Only now it can notice, and it must.
                let noticed = *conn.vain.get_or_insert(now) + NOTICED_WITHIN;
                self.disturb(conn.life, now.min(noticed) + PATIENCE);
                return None;
            }
            (conn.life, conn.node, back && !conn.channels.is_empty())
        };
        self.lives.borrow()[life as usize].looks.set(0);
        let link = self.lives.borrow()[life as usize].link;
        let cut = if !back && self.is_aimed_at(&bytes) { AIMED } else { self.plan.cut };
        let (mut at, cut, split) = {
            let mut rng = self.rng.borrow_mut();
            let mut at = now.max(link) + rng.between(self.plan.latency) * MICROSECOND;
            if !calm && rng.chance(self.plan.delayed) {
                self.count(|figures| figures.delayed += 1);
                at += rng.below(LONGEST_DELAY);
            }
            if !calm && is_news && rng.chance(self.plan.late_news) {
                self.count(|figures| figures.late_news += 1);
                at += rng.below(2 * LONGEST_DELAY);
            }
            let inside = rng.below(bytes.len() as u64 + 1) as usize;
            let cut = (!calm && rng.chance(cut)).then_some(inside);
            (at, cut, (!calm && rng.chance(self.plan.split)).then_some(inside))
        };
        {
            let mut conns = self.conns.borrow_mut();
            let last = &mut conns[id].last[usize::from(back)];
            at = at.max(*last + 1);
            *last = at;
        }
        let (from, to) = (Lane::Life(life), Lane::Server(node));
        let (from, to) = if back { (to, from) } else { (from, to) };
        self.note(now, from, Some((at, to)), || format!("[{id}] {}", readable(back, &bytes)));
        let push =
            |at, bytes| self.push(at, if back { Event::ToClient(id, bytes) } else { Event::ToServer(id, bytes) });
        if cut.is_some() && !back && self.rng.borrow_mut().chance(5_000) {
            // It is carried out late, and the client does not know.
            self.count(|figures| figures.cut_off += 1);
            self.disturb(life, now);
            self.push(now + 1, Event::Late(id));
            push(at, bytes);
            return Some(at);
        }
        if let Some(inside) = cut {
            self.count(|figures| figures.cut_short += 1);
            self.disturb(life, at);
            push(at, bytes[..inside].to_vec());
            self.conns.borrow_mut()[id].is_cut = true;
            self.push(at + 1, Event::Reset(id));
            return None;
        }
        if let Some(inside) = split {
            self.count(|figures| figures.split += 1);
            let (first, second) = bytes.split_at(inside);
            push(at, first.to_vec());
            at += self.rng.borrow_mut().below(5 * MILLISECOND);
            self.conns.borrow_mut()[id].last[usize::from(back)] = at;
            push(at, second.to_vec());
            return Some(at);
        }
        push(at, bytes);
        Some(at)
    }

    /// Whether a request is among these that connections break under above all.
    fn is_aimed_at(&self, bytes: &[u8]) -> bool {
        let mut bytes = if self.plan.aim.is_some() { bytes.to_vec() } else { return false };
        let mut requests = std::iter::from_fn(|| resp::take_request(&mut bytes));
        requests.any(|words| self.with_servers(|servers| servers.kind(&words)) == self.plan.aim)
    }

    /// Bytes reach the client.
    pub(crate) fn to_client(&self, id: usize, bytes: Vec<u8>) {
        let waker = {
            let conn = &mut self.conns.borrow_mut()[id];
            if conn.is_hole {
                return;
            }
            conn.unread.extend(bytes);
            conn.reader.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection breaks. Both ends find that; or the server carries out what is under way later, and finds it after that.
    pub(crate) fn breaks(&self, id: usize) {
        let rng = &mut *self.rng.borrow_mut();
        let longest = rng.pick(&[LONGEST_DELAY, 2 * SECOND]);
        let late = (rng.chance(5_000) && !self.calm.get()).then(|| rng.below(longest));
        self.reset(id, late);
    }

    pub(crate) fn reset(&self, id: usize, late: Option<Time>) {
        let (now, waker) = (self.now(), {
            let conn = &mut self.conns.borrow_mut()[id];
            if std::mem::replace(&mut conn.is_reset, true) {
                return;
            }
            (conn.ended, conn.held) = (Some(self.now()), self.now() + late.unwrap_or(0));
            conn.reader.take()
        });
        self.note(now, Lane::World, None, || format!("connection {id} is reset, for the server {late:?} later"));
        match late {
            None => self.hang_up(id),
            Some(late) => self.push((now + late).max(self.conns.borrow()[id].last[0]) + 1, Event::HungUp(id)),
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// An idle connection of a process vanishes without a word.
    pub(crate) fn forget(&self, id: usize) {
        self.conns.borrow_mut()[id].is_forgotten = true;
        self.hang_up(id);
    }

    /// The end of a connection reaches the server, after all that was sent before.
    pub(crate) fn hung_up(&self, id: usize) {
        let node = self.conns.borrow()[id].node;
        let stalled = self.with_servers(|servers| servers.nodes[node].stalled);
        if self.now() < stalled { self.push(stalled, Event::HungUp(id)) } else { self.hang_up(id) }
    }

    /// The server finds that the client has gone.
    pub(crate) fn hang_up(&self, id: usize) {
        let (node, channels) = {
            let conn = &mut self.conns.borrow_mut()[id];
            conn.is_served = false;
            (conn.node, std::mem::take(&mut conn.channels))
        };
        self.with_servers(|servers| channels.iter().for_each(|channel| servers.listen(node, channel, id, false)));
    }

    /// Whether nothing is under way on it.
    pub(crate) fn is_idle(&self, conn: &Conn) -> bool {
        let latest = conn.last[0].max(conn.last[1]).max(conn.held);
        latest < self.now() && conn.arrived.is_empty() && conn.channels.is_empty() && conn.is_served && !conn.is_hole
    }

    /// The connections of a process, or of all of them, that are not broken.
    pub(crate) fn open(&self, of: impl Fn(&Conn) -> bool) -> Vec<usize> {
        let conns = self.conns.borrow();
        (0..conns.len()).filter(|id| !conns[*id].is_reset && of(&conns[*id])).collect()
    }

    /// A process died: its connections end without a word, some later than others.
    pub(crate) fn abandon(&self, life: u32) {
        for id in self.open(|conn| conn.life == life) {
            let mut rng = self.rng.borrow_mut();
            // A process that is killed is missed at once, one whose machine fails is not.
            let ghost = if rng.chance(7_000) { rng.below(MILLISECOND) } else { rng.below(LONGEST_GHOST) };
            self.push(self.now() + ghost, Event::HungUp(id));
        }
    }
}

/// Time passes. Timers count in milliseconds.
pub(crate) async fn pass(time: Time) {
    match time / MILLISECOND {
        0 => tokio::task::yield_now().await,
        millis => tokio::time::sleep(std::time::Duration::from_millis(millis)).await,
    }
}

/// Bytes for readers: a script by its kind, and nothing of its text.
fn readable(back: bool, bytes: &[u8]) -> String {
    let words = if back { None } else { resp::take_request(&mut bytes.to_vec()) };
    match words {
        Some(words) => {
            let short = |word: &Vec<u8>| {
                let text = String::from_utf8_lossy(word);
                let line = text.lines().next().unwrap_or_default();
                line.chars().take(60).collect::<String>()
            };
            words.iter().map(short).collect::<Vec<_>>().join(" ")
        }
        None => String::from_utf8_lossy(bytes).replace("\r\n", " ").chars().take(160).collect(),
    }
}
