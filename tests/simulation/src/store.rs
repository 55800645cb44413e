//! The server: requests become script runs, one after the other, and the judge sees each.

use std::{cell::RefCell, rc::Rc};

use crate::{
    ask::who,
    clock::{MICROSECOND, Time},
    events::{Request, What},
    plan::{RECORD_KEPT_MS, SEAT_COUNTS_MS},
    redis::{Redis, Reply},
    script::Host,
    weakness::Weakness,
};

/// What the server's clock shows when the world begins, in microseconds.
pub(crate) const EPOCH: u64 = 1_800_000_000_000_000;

#[derive(Debug)]
pub(crate) struct Store {
    host: Host,
    names: Vec<[Vec<u8>; 4]>,
}

impl Store {
    pub(crate) fn new(keys: usize, weakness: Option<Weakness>) -> Self {
        let host = Host::new(Rc::new(RefCell::new(Redis::default())), weakness).expect("Lua takes the scripts");
        let name = |key, part| format!("{{key{key}}}{part}").into_bytes();
        let names = |key: usize| {
            [format!("key{key}").into_bytes(), name(key, ":fence"), name(key, ":queue"), name(key, ":seen")]
        };
        Self { host, names: (0..keys).map(names).collect() }
    }

    fn at(&self, now: Time) {
        self.host.redis().borrow_mut().set_time(EPOCH + now / MICROSECOND);
    }

    /// The owner token of a lock, and the last millisecond (since the world began) in which it has it.
    pub(crate) fn owner(&self, key: usize) -> Option<(Rc<str>, u64)> {
        let mut redis = self.host.redis().borrow_mut();
        let (token, expires) = redis.text(&self.names[key][0])?;
        let expires = expires.unwrap_or(u64::MAX).saturating_sub(EPOCH / 1_000);
        Some((String::from_utf8_lossy(token).into(), expires))
    }

    /// How far the last fence got, in microseconds since the world began.
    pub(crate) fn last_fence(&self, key: usize) -> u64 {
        let mut redis = self.host.redis().borrow_mut();
        let Some((record, _)) = redis.text(&self.names[key][1]) else { return 0 };
        let digits = record.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0')).saturating_sub(EPOCH)
    }

    /// The tokens in the queue of a key, and how many listen for each.
    pub(crate) fn seats(&self, key: usize) -> Vec<(Rc<str>, i64)> {
        let mut redis = self.host.redis().borrow_mut();
        let members = redis.members(&self.names[key][2]);
        let token =
            |seat: Vec<u8>| -> Rc<str> { String::from_utf8_lossy(&seat).split(' ').next().unwrap_or("").into() };
        let tokens: Vec<Rc<str>> = members.into_iter().map(token).collect();
        let listeners = |token: &str| redis.listeners(channel(token.split('-').next().unwrap_or("")).as_bytes());
        tokens.into_iter().map(|token| (Rc::clone(&token), listeners(&token))).collect()
    }

    /// All messages that were published, each with the identity that it is for.
    pub(crate) fn published(&self) -> Vec<(String, Rc<str>)> {
        let published = std::mem::take(&mut self.host.redis().borrow_mut().published);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        published
            .into_iter()
            .map(|(channel, message)| (text(channel).split_off("dlock:".len()), text(message).into()))
            .collect()
    }

    pub(crate) fn listen(&self, identity: &str, more: i64) {
        self.host.redis().borrow_mut().listen(channel(identity).as_bytes(), more);
    }

    /// A failover to a replica that had not heard of the last fences.
    pub(crate) fn lose_records(&self, now: Time) {
        self.at(now);
        for names in &self.names {
            self.host.redis().borrow_mut().command(&[b"DEL", &names[1]]);
        }
    }

    /// The names of all keys but the records.
    pub(crate) fn left_behind(&self, now: Time) -> Vec<String> {
        self.at(now);
        let all = self.host.redis().borrow_mut().all();
        let names = all.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        names.filter(|name| !name.ends_with(":fence")).collect()
    }

    /// Moves the clock, so that what expired is gone.
    pub(crate) fn tick(&self, now: Time) {
        self.at(now);
    }

    pub(crate) fn run(&self, request: &Request) -> Reply {
        let names = &self.names[usize::from(request.key)];
        let [lock, fence, queue, seen] = names.each_ref().map(Vec::as_slice);
        let token = request.token.as_bytes();
        let number = |number: u64| number.to_string().into_bytes();
        let who = who(request.from.into()).into_bytes();
        let kept = number(RECORD_KEPT_MS);
        let reply = match &request.what {
            What::Acquire { ttl, count, waits, again } => {
                let (ttl, count) = (number(*ttl), number((*count).into()));
                let waits = number(if *waits { SEAT_COUNTS_MS } else { 0 });
                let again: &[u8] = if *again { b"1" } else { b"0" };
                let args: [&[u8]; 7] = [token, &ttl, &count, &who, &kept, &waits, again];
                self.host.run(&self.host.acquire, &[lock, fence, queue, seen], &args)
            }
            What::Renew { ttl, shorten, count } => {
                let (ttl, count) = (number(*ttl), number((*count).into()));
                let shorten: &[u8] = if *shorten { b"1" } else { b"0" };
                self.host.run(&self.host.renew, &[lock, fence], &[token, &ttl, shorten, &count, &who, &kept])
            }
            What::Release { used, seat } => {
                let [used, last] = used.map_or_else(Default::default, |fences| fences.map(number));
                let seat = seat.as_deref().unwrap_or("").as_bytes();
                self.host.run(&self.host.release, &[lock, fence, queue, seen], &[token, &used, seat, &kept, &last])
            }
            What::ForeignSet { ttl, .. } => {
                let ttl = number(*ttl);
                Ok(self.host.redis().borrow_mut().command(&[b"SET", lock, token, b"NX", b"PX", &ttl]))
            }
            What::ForeignDelete { .. } => {
                let mut redis = self.host.redis().borrow_mut();
                let own = redis.text(lock).is_some_and(|(owner, _)| owner == token);
                Ok(if own { redis.command(&[b"DEL", lock]) } else { Reply::Int(0) })
            }
        };
        reply.unwrap_or_else(|error| Reply::Error(error.to_string()))
    }
}

fn channel(identity: &str) -> String {
    format!("dlock:{identity}")
}

/// The seat that the script makes is the one that the client names when it leaves.
#[test]
fn a_client_names_its_seat_as_the_script_does() {
    let store = Store::new(1, None);
    store.tick(0);
    let request = |token: &str, again| Request {
        from: 3,
        life: 0,
        id: 0,
        key: 0,
        token: token.into(),
        what: What::Acquire { ttl: 300, count: 5, waits: true, again },
        attempt: 0,
        line: crate::events::Line::Asking,
        copy: false,
    };
    store.run(&request("a-1", false));
    store.run(&request("b-1", false));
    let members = store.host.redis().borrow_mut().members(&store.names[0][2]);
    assert_eq!(members, [crate::ask::seat("b-1", 300, 5, 3).into_bytes()]);
}
