//! Connections: bytes that are under way, and what becomes of them.
//!
//! Each connection keeps its order, as TCP does. What goes wrong is what goes wrong with TCP: delays, resets in the middle of a
//! request or a reply, bytes that vanish until somebody notices, connections that are refused or never answered.

use std::{io, task::Waker};

use dlock_runtime::simulated::{Connecting, Stream};

use crate::{
    plan::{LONGEST_DELAY, LONGEST_GHOST, MICROSECOND, MILLISECOND, PATIENCE, SECOND, Time},
    resp,
    sim::Sim,
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
    pub(crate) unread: Vec<u8>,
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
    /// Whether something goes wrong that does in `parts` of 10,000 cases.
    fn goes_wrong(&self, parts: u32) -> bool {
        !self.calm.get() && self.chance(parts)
    }

    /// What comes of connecting.
    pub(crate) fn dial(&self, life: u32, address: &str) -> Connecting {
        let now = self.now();
        let node = self.with_servers(|servers| servers.at(address));
        let is_refused = now < self.server(node).down || self.goes_wrong(self.plan.refused);
        let is_hole = self.goes_wrong(self.plan.mute);
        let wait = self.rng.borrow_mut().between(self.plan.latency) * MICROSECOND;
        if is_refused || is_hole {
            self.disturb(life, now);
        }
        if is_refused {
            self.count(|figures| figures.refused += 1);
            self.note(now, Lane::Life(life), None, || "is refused a connection".to_owned());
            return Box::pin(async move {
                pass(wait).await;
                Err(io::ErrorKind::ConnectionRefused.into())
            });
        }
        let conn = Conn { life, node, is_served: true, is_hole, last: [now; 2], ..Conn::default() };
        let id = self.conns.borrow().len();
        self.conns.borrow_mut().push(conn);
        let fate = if is_hole { " and will not be answered" } else { "" };
        self.note(now, Lane::Life(life), None, || format!("connection {id} to server{node} is open{fate}"));
        if is_hole {
            self.count(|figures| figures.mute += 1);
            self.push(now + self.spread(20_000) * MILLISECOND, move |sim| sim.breaks(id));
        }
        Box::pin(async move {
            pass(wait).await;
            Ok(Box::new(Wire { id, life }) as Box<dyn Stream>)
        })
    }

    /// Sends bytes, to the server or back. Returns when they arrive, if they do.
    pub(crate) fn send(&self, id: usize, back: bool, bytes: Vec<u8>) -> Option<Time> {
        let now = self.now();
        let (life, node, is_news) = {
            let mut conn = self.conn(id);
            if !conn.is_served && !back {
                // It is gone, and who sends something is told so.
                self.push(now + self.plan.latency.1 * MICROSECOND, move |sim| sim.breaks(id));
                return None;
            }
            if conn.is_hole || conn.is_reset || conn.is_cut {
                self.count(|figures| figures.lost += 1);
                self.note(now, Lane::Life(conn.life), None, || format!("[{id}] lost: {}", readable(&bytes)));
                // Only now it can notice, and it must.
                let noticed = *conn.vain.get_or_insert(now) + NOTICED_WITHIN;
                self.disturb(conn.life, now.min(noticed) + PATIENCE);
                return None;
            }
            (conn.life, conn.node, back && !conn.channels.is_empty())
        };
        self.life(life).looks.set(0);
        let mut at = now.max(self.life(life).link) + self.rng.borrow_mut().between(self.plan.latency) * MICROSECOND;
        if self.goes_wrong(self.plan.delayed) {
            self.count(|figures| figures.delayed += 1);
            at += self.below(LONGEST_DELAY);
        }
        if is_news && self.goes_wrong(self.plan.late_news) {
            self.count(|figures| figures.late_news += 1);
            at += self.below(2 * LONGEST_DELAY);
        }
        let inside = self.below(bytes.len() as u64 + 1) as usize;
        let is_cut = self.goes_wrong(if !back && self.is_aimed_at(&bytes) { AIMED } else { self.plan.cut });
        let is_split = self.goes_wrong(self.plan.split);
        at = at.max(self.conn(id).last[usize::from(back)] + 1);
        let (from, to) = (Lane::Life(life), Lane::Server(node));
        let (from, to) = if back { (to, from) } else { (from, to) };
        self.note(now, from, Some((at, to)), || format!("[{id}] {}", readable(&bytes)));
        self.mix(&bytes);
        let push = |at, bytes| {
            self.conn(id).last[usize::from(back)] = at;
            self.push(at, move |sim| if back { sim.to_client(id, bytes) } else { sim.to_server(id, bytes) });
        };
        if is_cut && !back && self.chance(5_000) {
            // It is carried out late, and the client does not know.
            self.count(|figures| figures.cut_off += 1);
            self.disturb(life, now);
            self.push(now + 1, move |sim| sim.reset(id, Some(sim.below(2 * SECOND))));
        } else if is_cut {
            self.count(|figures| figures.cut_short += 1);
            self.disturb(life, at);
            push(at, bytes[..inside].to_vec());
            self.conn(id).is_cut = true;
            self.push(at + 1, move |sim| sim.breaks(id));
            return None;
        } else if is_split {
            self.count(|figures| figures.split += 1);
            push(at, bytes[..inside].to_vec());
            at += self.below(5 * MILLISECOND);
            push(at, bytes[inside..].to_vec());
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

    pub(crate) fn to_client(&self, id: usize, bytes: Vec<u8>) {
        let mut conn = self.conn(id);
        if !conn.is_hole {
            conn.unread.extend(bytes);
            if let Some(reader) = conn.reader.take() {
                reader.wake();
            }
        }
    }

    /// The connection breaks. Both ends find that; or the server carries out what is under way later, and finds it after that.
    pub(crate) fn breaks(&self, id: usize) {
        let longest = self.rng.borrow_mut().pick(&[LONGEST_DELAY, 2 * SECOND]);
        let late = (self.chance(5_000) && !self.calm.get()).then(|| self.below(longest));
        self.reset(id, late);
    }

    pub(crate) fn reset(&self, id: usize, late: Option<Time>) {
        let now = self.now();
        let mut conn = self.conn(id);
        if conn.is_reset {
            return;
        }
        (conn.is_reset, conn.ended, conn.held) = (true, Some(now), now + late.unwrap_or(0));
        self.note(now, Lane::World, None, || format!("connection {id} is reset, for the server {late:?} later"));
        let (reader, last) = (conn.reader.take(), conn.last[0]);
        drop(conn);
        match late {
            None => self.hang_up(id),
            Some(late) => self.push((now + late).max(last) + 1, move |sim| sim.hung_up(id)),
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The end of a connection reaches the server, after all that was sent before.
    pub(crate) fn hung_up(&self, id: usize) {
        let node = self.conn(id).node;
        let stalled = self.server(node).stalled;
        if self.now() < stalled { self.push(stalled, move |sim| sim.hung_up(id)) } else { self.hang_up(id) }
    }

    /// The server finds that the client has gone.
    pub(crate) fn hang_up(&self, id: usize) {
        let mut conn = self.conn(id);
        conn.is_served = false;
        let (node, channels) = (conn.node, std::mem::take(&mut conn.channels));
        channels.iter().for_each(|channel| self.server(node).listen(channel, id, false));
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
            // A process that is killed is missed at once, one whose machine fails is not.
            let longest = if self.chance(7_000) { MILLISECOND } else { LONGEST_GHOST };
            self.push(self.now() + self.below(longest), move |sim| sim.hung_up(id));
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

/// Bytes for readers: the words of requests and replies, and of the text of a script its first line.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$', '>']));
    let short = |word: &str| word.lines().next().unwrap_or_default().chars().take(60).collect::<String>();
    words.map(short).collect::<Vec<_>>().join(" ")
}
