//! A TCP proxy that stands in front of a server and does to its clients what networks do.
//!
//! It reads requests and replies as whole RESP values, so a fault strikes a chosen command and not "some bytes": rules
//! say which requests, how many to let pass first, and how many to strike. Everything else goes through untouched.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{RedisServer, Value, parse};

/// What happens to a request that a rule strikes.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It runs at once; its reply (and what comes after it on this connection) is late by this much.
    Delay(Duration),
    /// It runs; its reply never comes. TCP loses nothing in the middle, so the connection stays mute from then on.
    Swallow,
    /// It stays in the network until [`Proxy::heal`]; then it runs, even if its sender has gone.
    Hold,
    /// The connection breaks; it does not run.
    CutBefore,
    /// It runs; the connection breaks in the moment of its reply.
    CutAfter,
    /// It does not run; this error is the reply, such as `LOADING Redis is loading the dataset in memory`.
    Refuse(String),
    /// It does not run; this is the reply, as it is on the wire.
    Answer(String),
}

/// Which requests a fault strikes.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    command: Option<String>,
    matching: Option<String>,
    skip: u64,
    times: u64,
    struck: u64,
}

impl Rule {
    /// Strikes every request until healed.
    pub fn new(fault: Fault) -> Self {
        Self { fault, command: None, matching: None, skip: 0, times: u64::MAX, struck: 0 }
    }

    /// Strikes only requests one of whose words contains `text`, such as a key or a command's name in capitals.
    #[must_use]
    pub fn matching(mut self, text: &str) -> Self {
        self.matching = Some(text.to_owned());
        self
    }

    /// Strikes only requests of the command `name`, in capitals.
    #[must_use]
    pub fn command(mut self, name: &str) -> Self {
        self.command = Some(name.to_owned());
        self
    }

    /// Lets the first `count` of them pass.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Strikes only `count` of them.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Whether this request is struck; counts it if it is one of those meant.
    fn strikes(&mut self, words: &[&str]) -> bool {
        let meant = self.matching.as_deref().is_none_or(|text| words.iter().any(|word| word.contains(text)));
        let meant = meant && self.command.as_deref().is_none_or(|name| words.first() == Some(&name));
        if !meant || self.struck >= self.times {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.struck += 1;
        true
    }
}

/// The proxy. Dropping it closes every connection.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    healed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    struck: u64,
    /// Rules for what is published to subscribers.
    message_rules: Vec<Rule>,
    messages_struck: u64,
    /// Goes up with every healing: what is held waits for that.
    healings: u64,
    /// Where new connections lead.
    upstream: Option<SocketAddr>,
    refusing: bool,
    swallowing: bool,
    /// Kept open, and never read.
    swallowed: Vec<TcpStream>,
    closed: bool,
    links: Vec<Arc<Link>>,
}

/// One client's connection and the one to the server made for it.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    pending: Mutex<VecDeque<Pending>>,
}

/// What becomes of the reply that the client waits for, in the order of its requests.
#[derive(Clone, Debug)]
enum Pending {
    Pass,
    Late(Duration),
    Mute,
    Cut,
    /// A reply of our own, due when all those before it are out.
    Own(String),
}

impl Proxy {
    /// A proxy in front of `server`, which may be killed and restarted behind it.
    pub fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let state = State { upstream: Some(address_of(server)), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), healed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accepting.accept(&listener));
        Self { shared, address }
    }

    /// `redis://127.0.0.1:PORT/` of the proxy.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Adds a rule. The first rule that strikes a request decides.
    pub fn add(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// Adds a rule for messages that are published to a subscriber, by the words `message`, channel and payload. One that
    /// is swallowed is lost alone: what comes after it arrives. A delay holds up what comes after it, and a cut
    /// breaks the connection; other faults have no meaning here.
    pub fn add_for_messages(&self, rule: Rule) {
        self.shared.state().message_rules.push(rule);
    }

    /// How many messages were struck so far.
    pub fn messages_struck(&self) -> u64 {
        self.shared.state().messages_struck
    }

    /// Removes all rules, lets held requests go and accepts connections again. A mute connection stays mute.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.rules.clear();
        state.message_rules.clear();
        state.refusing = false;
        state.swallowing = false;
        state.healings += 1;
        self.shared.healed.notify_all();
    }

    /// Breaks every connection there is.
    pub fn close_all(&self) {
        for link in self.shared.state().links.drain(..) {
            link.close();
        }
    }

    /// Breaks every connection there is, and new ones at once, until healed.
    pub fn refuse(&self) {
        self.shared.state().refusing = true;
        self.close_all();
    }

    /// Accepts new connections and answers nothing on them, ever: a black hole, until healed for those that come then.
    pub fn swallow(&self) {
        self.shared.state().swallowing = true;
    }

    /// How many connections ended in the black hole.
    pub fn swallowed(&self) -> usize {
        self.shared.state().swallowed.len()
    }

    /// Leads new connections to `server`, as a virtual address does that was moved. Those that are there stay.
    pub fn redirect(&self, server: &RedisServer) {
        self.shared.state().upstream = Some(address_of(server));
    }

    /// How many requests were struck so far.
    pub fn struck(&self) -> u64 {
        self.shared.state().struck
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.state().links.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.heal();
        self.close_all();
        // The accepting thread looks up at the next connection: this one.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            let mut state = self.state();
            if state.closed {
                return;
            }
            if state.swallowing {
                state.swallowed.push(client);
                continue;
            }
            let Some(upstream) = state.upstream else { continue };
            drop(state);
            // A server that is down looks to the client as what it is: a connection that ends at once.
            let Ok(link) = Link::open(client, upstream) else { continue };
            let link = Arc::new(link);
            let mut state = self.state();
            if state.refusing {
                link.close();
                continue;
            }
            state.links.push(Arc::clone(&link));
            drop(state);
            let (requests, replies) = (Arc::clone(self), Arc::clone(self));
            let asking = Arc::clone(&link);
            std::thread::spawn(move || {
                let _ = requests.pass_requests(&asking);
                requests.forget(&asking);
            });
            std::thread::spawn(move || {
                let _ = link.pass_replies(&replies);
                replies.forget(&link);
            });
        }
    }

    /// Reads requests until the connection ends. `None` is that end, wherever it came.
    fn pass_requests(&self, link: &Link) -> Option<()> {
        let mut buffer = Vec::new();
        loop {
            let (request, frame) = next(&mut &link.client, &mut buffer)?;
            let Value::List(words) = request else { return None };
            let words: Vec<&str> = words.iter().filter_map(Value::text).collect();
            let (fault, healings) = self.verdict(&words);
            let pending = match fault {
                None => Pending::Pass,
                Some(Fault::Delay(time)) => Pending::Late(time),
                Some(Fault::Swallow) => Pending::Mute,
                Some(Fault::CutAfter) => Pending::Cut,
                Some(Fault::CutBefore) => return None,
                Some(fault @ (Fault::Refuse(_) | Fault::Answer(_))) => {
                    let reply = match fault {
                        Fault::Answer(reply) => reply,
                        Fault::Refuse(error) => format!("-{error}\r\n"),
                        _ => unreachable!("it is one of the two"),
                    };
                    link.pending().push_back(Pending::Own(reply));
                    link.send_own(&mut link.pending())?;
                    continue;
                }
                Some(Fault::Hold) => {
                    let held = |state: &mut State| state.healings == healings;
                    drop(self.healed.wait_while(self.state(), held).unwrap_or_else(PoisonError::into_inner));
                    Pending::Pass
                }
            };
            // Subscriptions are answered by push messages, which are nobody's turn.
            if !words.first().is_some_and(|word| word.to_ascii_uppercase().ends_with("SUBSCRIBE")) {
                link.pending().push_back(pending);
            }
            (&link.server).write_all(&frame).ok()?;
        }
    }

    fn verdict(&self, words: &[&str]) -> (Option<Fault>, u64) {
        let mut state = self.state();
        let striking = state.rules.iter_mut().find_map(|rule| rule.strikes(words).then(|| rule.fault.clone()));
        state.struck += u64::from(striking.is_some());
        (striking, state.healings)
    }

    fn verdict_on_message(&self, words: &[&str]) -> Option<Fault> {
        let mut state = self.state();
        let striking = state.message_rules.iter_mut().find_map(|rule| rule.strikes(words).then(|| rule.fault.clone()));
        state.messages_struck += u64::from(striking.is_some());
        striking
    }

    fn forget(&self, link: &Arc<Link>) {
        link.close();
        self.state().links.retain(|other| !Arc::ptr_eq(other, link));
    }
}

fn address_of(server: &RedisServer) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))
}

impl Link {
    fn open(client: TcpStream, upstream: SocketAddr) -> std::io::Result<Self> {
        let server = TcpStream::connect(upstream)?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        Ok(Self { client, server, pending: Mutex::default() })
    }

    fn close(&self) {
        // An error means that it is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads replies until the connection ends.
    fn pass_replies(&self, shared: &Shared) -> Option<()> {
        let mut buffer = Vec::new();
        loop {
            let (reply, frame) = next(&mut &self.server, &mut buffer)?;
            let message = message(&reply);
            match message.as_deref().and_then(|words| shared.verdict_on_message(words)) {
                Some(Fault::Delay(time)) => std::thread::sleep(time),
                Some(Fault::Swallow) => continue,
                Some(Fault::CutBefore | Fault::CutAfter) => return None,
                _ => {}
            }
            // The entry stays in its place until its reply is out, or one of our own could overtake it.
            let pending = if matches!(reply, Value::Push(_)) || message.is_some() {
                None
            } else {
                self.pending().front().cloned()
            };
            let answers = pending.is_some();
            match pending {
                None | Some(Pending::Pass) => {}
                Some(Pending::Late(time)) => std::thread::sleep(time),
                Some(Pending::Cut) => return None,
                Some(Pending::Mute) => {
                    while next(&mut &self.server, &mut buffer).is_some() {}
                    return None;
                }
                Some(Pending::Own(_)) => unreachable!("our own replies go out before the next one is read"),
            }
            let mut pending = self.pending();
            (&self.client).write_all(&frame).ok()?;
            if answers {
                pending.pop_front();
            }
            self.send_own(&mut pending)?;
        }
    }

    /// Sends our own replies whose turn it is.
    fn send_own(&self, pending: &mut VecDeque<Pending>) -> Option<()> {
        while let Some(Pending::Own(reply)) = pending.front() {
            (&self.client).write_all(reply.as_bytes()).ok()?;
            pending.pop_front();
        }
        Some(())
    }
}

/// The words of what was published to a subscriber, which is nobody's reply.
fn message(value: &Value) -> Option<Vec<&str>> {
    let (Value::List(words) | Value::Push(words)) = value else { return None };
    let words: Vec<&str> = words.iter().filter_map(Value::text).collect();
    (words.len() == 3 && words[0] == "message").then_some(words)
}

/// The next whole value and its bytes; `None` when the connection has ended.
fn next(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Option<(Value, Vec<u8>)> {
    loop {
        if let Some((value, length)) = parse(buffer) {
            let rest = buffer.split_off(length);
            return Some((value, std::mem::replace(buffer, rest)));
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => buffer.extend_from_slice(&chunk[..length]),
            _ => return None,
        }
    }
}
