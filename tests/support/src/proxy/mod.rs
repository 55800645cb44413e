//! A TCP proxy that stands in front of a server and does to its clients what networks do.
//!
//! It reads requests and replies as whole RESP values, so a fault strikes a chosen command and not "some bytes": rules
//! say which requests, how many to let pass first, and how many to strike. Everything else goes through untouched.

mod link;
mod rule;

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

pub(crate) use self::link::next;
use self::link::{Link, Pending};
pub use self::rule::{Fault, Rule};
use crate::{RedisServer, Value};

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
