//! What happened: a hash that two runs of a seed must agree on, and for readers a time line of processes, servers and messages.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

/// How many entries are kept.
const KEPT: usize = 50_000;

/// Whose column of the time line: that of what befalls the world, of a life of a process, of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    World,
    Life(u32),
    Server(usize),
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("world"),
            Self::Life(life) => write!(f, "p{life}"),
            Self::Server(server) => write!(f, "server{server}"),
        }
    }
}

/// Something that happened, or a message under way.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In nanoseconds of true time.
    pub at: u64,
    pub lane: Lane,
    /// When and where it arrives, if it is a message.
    pub to: Option<(u64, Lane)>,
    pub text: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>13.4} ms  {:<8} {}", self.at as f64 / 1e6, self.lane.to_string(), self.text)?;
        match self.to {
            Some((at, lane)) => write!(f, "  -> {lane} at {:.4}", at as f64 / 1e6),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Trace {
    hash: DefaultHasher,
    entries: Option<VecDeque<Entry>>,
}

impl Trace {
    pub(crate) fn new(readable: bool) -> Self {
        Self { hash: DefaultHasher::new(), entries: readable.then(VecDeque::new) }
    }

    pub(crate) fn mix(&mut self, what: impl Hash) {
        what.hash(&mut self.hash);
    }

    /// Notes an entry, if anybody will read it.
    pub(crate) fn note(&mut self, at: u64, lane: Lane, to: Option<(u64, Lane)>, text: impl FnOnce() -> String) {
        if let Some(entries) = &mut self.entries {
            if entries.len() == KEPT {
                entries.pop_front();
            }
            entries.push_back(Entry { at, lane, to, text: text() });
        }
    }

    pub(crate) fn end(&mut self) -> (u64, Vec<Entry>) {
        (self.hash.finish(), self.entries.take().unwrap_or_default().into())
    }
}

/// Draws the last 50 ms: a column for each process and server, time from top to bottom.
pub fn svg(entries: &[Entry]) -> String {
    const SPAN: u64 = 50_000_000;
    let end = entries.last().map_or(0, |entry| entry.at);
    let shown = entries.iter().filter(|entry| entry.at + SPAN >= end).collect::<Vec<_>>();
    let lanes = shown.iter().flat_map(|entry| [Some(entry.lane), entry.to.map(|to| to.1)]).flatten();
    let lanes = lanes.collect::<BTreeSet<_>>();
    let column = |lane: Lane| 60 + 260 * lanes.range(..lane).count();
    // Much happens at one moment: each entry has a line of its own, and a message ends at the first line of its arrival.
    let line = |number: usize| 50 + 14 * number;
    let (width, height) = (260 + 260 * lanes.len(), line(shown.len()) + 30);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' font-family='monospace' font-size='10'>\
         <rect width='100%' height='100%' fill='white'/>\n"
    );
    for lane in &lanes {
        let x = column(*lane);
        svg += &format!("<text x='{x}' y='20' font-weight='bold'>{lane}</text>");
        svg += &format!("<line x1='{x}' y1='28' x2='{x}' y2='{height}' stroke='silver'/>\n");
    }
    for (number, entry) in shown.iter().enumerate() {
        let (x, y) = (column(entry.lane), line(number));
        if let Some((arrives, lane)) = entry.to {
            let first = shown.iter().position(|other| other.at >= arrives).unwrap_or(shown.len());
            let (x2, y2) = (column(lane), line(first));
            svg += &format!("<line x1='{x}' y1='{y}' x2='{x2}' y2='{y2}' stroke='steelblue'/>");
            svg += &format!("<circle cx='{x2}' cy='{y2}' r='2' fill='steelblue'/>");
        }
        let text = entry.text.chars().take(90).collect::<String>();
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        svg += &format!("<circle cx='{x}' cy='{y}' r='2'/><text x='{}' y='{}'>", x + 5, y + 3);
        svg += &format!("<tspan fill='gray'>{:.3}</tspan> {text}</text>\n", entry.at as f64 / 1e6);
    }
    svg + "</svg>\n"
}
