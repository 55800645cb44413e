//! The simulation is worth as much as its idea of Redis: the same calls, to the small set of commands and to a real
//! server, must be answered alike.

use std::{thread::sleep, time::Duration};

use dlock_simulation::{Host, Reply, Stores};
use dlock_testkit::{Raw, RedisServer, Value};

/// Puts a script together from its chapters, as the store does.
macro_rules! script {
    ($($chapter:literal),+) => {
        concat!($(include_str!(concat!("../../../dlock-runtime/src/store/redis/scripts/", $chapter, ".lua"))),+)
    };
}

const SCRIPTS: [&str; 3] = [
    script!("mint", "acquire", "mend", "hand_over", "wait"),
    script!("mint", "renew", "reserve"),
    script!("release", "mend", "mint", "hand_over", "give"),
];
const KEYS: [&str; 4] = ["lock", "dlock:fence-clock", "{lock}:queue", "{lock}:seen"];
/// A token of the process 0a, and so on: the hexadecimal identity comes first.
const A: &str = "0a-1";
const B: &str = "0b-1";
const C: &str = "0c-1";

/// Both servers.
struct Pair {
    host: Host,
    raw: Raw,
    /// Kept open: they are counted as listeners.
    listeners: Vec<Raw>,
    url: String,
}

/// What an answer can be compared by: times and fences differ between the two, so long numbers and TTLs are not.
#[derive(Debug, PartialEq)]
enum Shape {
    Nil,
    Int(i64),
    /// A number that depends on the clock.
    Clock,
    Text(String),
    Error(String),
    List(Vec<Shape>),
}

impl Pair {
    fn new(server: &RedisServer) -> Self {
        let host = Host::new(Stores::new(1)).expect("Lua begins");
        host.with_redis(|redis| redis.set_time(1_800_000_000_000_000));
        Self { host, raw: server.raw(), listeners: Vec::new(), url: server.url() }
    }

    fn listen(&mut self, channel: &str) {
        let mut raw = Raw::connect(&self.url);
        raw.command(&["SUBSCRIBE", channel]);
        self.listeners.push(raw);
        self.host.with_redis(|redis| redis.listen(channel.as_bytes(), 1));
    }

    /// The time moves on for both.
    fn pass(&mut self, millis: u64, clock: &mut u64) {
        sleep(Duration::from_millis(millis));
        *clock += millis * 1_000;
        self.host.with_redis(|redis| redis.set_time(*clock));
    }

    #[track_caller]
    fn same(&mut self, text: &str, keys: &[&str], args: &[&str]) {
        let count = keys.len().to_string();
        let words: Vec<&str> =
            ["EVAL", text, &count].into_iter().chain(keys.iter().copied()).chain(args.iter().copied()).collect();
        let real = real(self.raw.command(&words));
        let [keys, bytes] = [keys, args].map(|words| words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        let ours = self.host.eval(text.as_bytes(), &keys, &bytes).expect("Lua takes it");
        assert_eq!(simulated(ours), real, "simulated, real: {} {args:?}", text.lines().last().unwrap_or(text));
    }

    /// A single command, by the way that scripts take.
    #[track_caller]
    fn command(&mut self, words: &[&str]) {
        for call in ["call", "pcall"] {
            self.same(&format!("return redis.{call}(unpack(ARGV))"), &[], words);
        }
    }
}

fn text(text: String) -> Shape {
    match text.parse::<i64>() {
        Ok(number) => int(number),
        // The value of a lock, or the fence clock.
        Err(_) => Shape::Text(
            text.split(' ')
                .map(|word| if word.split(':').any(is_of_the_clock) { "#" } else { word })
                .collect::<Vec<_>>()
                .join(" "),
        ),
    }
}

fn is_of_the_clock(number: &str) -> bool {
    // A replication id has 40 digits.
    number.len() == 40 || number.len() > 12 && number.parse::<u64>().is_ok()
}

fn int(number: i64) -> Shape {
    if number > 50 { Shape::Clock } else { Shape::Int(number) }
}

/// The first word says which error it is; Redis adds where in which script.
fn error(message: &str) -> Shape {
    let message = message.split(" script:").next().unwrap_or_default();
    Shape::Error(message.split(' ').take(4).collect::<Vec<_>>().join(" ").trim_end_matches(':').to_owned())
}

fn real(value: Value) -> Shape {
    match value {
        Value::Nil => Shape::Nil,
        Value::Int(number) => int(number),
        Value::Text(string) => text(string),
        Value::Error(message) => error(&message),
        Value::List(items) | Value::Push(items) => Shape::List(items.into_iter().map(real).collect()),
    }
}

fn simulated(reply: Reply) -> Shape {
    match reply {
        Reply::Nil => Shape::Nil,
        Reply::Int(number) => int(number),
        Reply::Text(bytes) => text(String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Status(string) => Shape::Text(string),
        Reply::Error(message) => error(&message),
        Reply::List(items) => Shape::List(items.into_iter().map(simulated).collect()),
    }
}

#[test]
fn the_subset_answers_as_redis_does() {
    let server = RedisServer::start();
    commands(&mut Pair::new(&server));
    server.raw().command(&["FLUSHALL"]);
    conversions(&mut Pair::new(&server));
    server.raw().command(&["FLUSHALL"]);
    scripts(&mut Pair::new(&server));
    server.raw().command(&["FLUSHALL"]);
    expiry(&mut Pair::new(&server));
    server.raw().command(&["FLUSHALL"]);
    spoilt(&mut Pair::new(&server));
}

fn commands(pair: &mut Pair) {
    let table = "GET s|SET s 1|GET s|SET s 2 NX|SET n 5 NX PX 9000|GET n|PTTL n|PTTL s|PTTL none|SET s 3 PX 9000 GET|\
        SET new 3 GET|SET s 1 PX 0|SET s 1 PX -5|SET s 1 PX x|SET s 1 PX|SET s 1 WHAT|SET e 1 EX 90|PTTL e|SET e 2 KEEPTTL|PTTL e|GET e|SET e 3|PTTL e|SET e 1 EX 0|DEL e|SET e 1 KEEPTTL|\
        PTTL e|DEL e|DEL s|DEL s|\
        PEXPIRE none 5|PEXPIRE n 9000|PTTL n|PEXPIRE n x|PEXPIRE n -1|GET n|ZADD z 3 c|ZADD z 1 a|ZADD z 2 b|\
        ZADD z NX 9 a|ZADD z 5 a|ZADD z x a|ZSCORE z a|ZSCORE z none|ZSCORE none a|ZCARD z|ZCARD none|\
        ZRANGE z 0 0|ZRANGE z 0 -1|ZRANGE z 1 9|ZRANGE z -1 -2|ZRANGE none 0 0|ZRANGE z a 0|ZCOUNT z 2 +inf|\
        ZCOUNT z -inf 3|ZCOUNT none 0 1|ZADD z 1800000000000000 far|ZADD z 5 b|ZRANGE z 0 -1|ZREM z a|\
        ZREM z a|ZREM none a|GET z|SET z 1 GET|SET z 1 NX|ZADD new 1 a|ZREM new a|ZCARD new|ZSCORE new a|\
        ZRANGE new 0 0|ZCOUNT new 0 1|PEXPIRE z 9000|PTTL z|SET z 1|ZREM z far|DEL z|ZADD z 1 a|ZREM z a|\
        PTTL z|HGET h a|HMGET h a b|HINCRBY h a 5|HINCRBY h a 9007199254740993|HSET h a 1 b x|HSET h c 1|HGET h a|HGET h b|\
        HMGET h a none b|HINCRBY h b 1|HINCRBY h a x|HSET h a 9223372036854775807|HINCRBY h a 1|HGET z a|HSET z a 1|\
        HINCRBY z a 1|HMGET z a|GET h|ZCARD h|PEXPIRE h 9000|PTTL h|SET h 1|HGET h a|DEL h|PUBLISH nobody hello|PUBSUB NUMSUB nobody";
    for line in table.split('|') {
        pair.command(&line.split_whitespace().collect::<Vec<_>>());
    }
    pair.listen("somebody");
    pair.listen("somebody");
    pair.command(&["PUBLISH", "somebody", "hello"]);
    pair.command(&["PUBSUB", "NUMSUB", "somebody"]);
}

fn conversions(pair: &mut Pair) {
    for text in [
        "return nil",
        "return false",
        "return true",
        "return 3.99",
        "return -3.99",
        "return '3.99'",
        "return {1, 2, nil, 4}",
        "return {1, {'a', false, 3}, true}",
        "return {err = 'MINE is an error'}",
        "return {ok = 'FINE'}",
        "return redis.call('GET', 'none')",
        "return type(redis.call('GET', 'none'))",
        "return redis.call('SET', 'a', 'b')",
        "return redis.call('SET', 'a', 'b')['ok']",
        "return type(redis.call('ZSCORE', 'none', 'a'))",
        "return {redis.call('SET', 'number', 1800000000000), redis.call('GET', 'number')}",
        "redis.call('SET', 'number', 12345678901234) return redis.call('GET', 'number') == '12345678901234'",
        "redis.call('ZADD', 'z', string.format('%.0f', 1800000000000001), 'm') \
            return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'",
        "redis.call('ZADD', 'z', 1800000000000001, 'm') return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'",
        "return type(redis.call('TIME')[1]) .. type(redis.call('ZCARD', 'none')) .. #redis.call('TIME')",
        "return redis.pcall('ZCARD', 'a')['err']",
        "return type(redis.pcall('ZCARD', 'a'))",
        "return redis.call('ZCARD', 'a')",
        "return string.format('%.0f %d', 1800000000000001, 3)",
        "return 7 + '3'",
        "return math.floor('1800000000000001' / 1000000) == 1800000000",
    ] {
        pair.same(text, &[], &[]);
    }
}

/// dlock's own scripts, through takings, queues, hand-overs and returns.
fn scripts(pair: &mut Pair) {
    pair.listen("dlock:0a");
    pair.listen("dlock:0b");
    let [acquire, renew, release] = SCRIPTS;
    let ask = |token| [token, "30000", "4", "a host", "0", "20000", "1"];
    let once = |token| [token, "30000", "4", "a host", "0", "0", "0"];
    let leave = |token, seat| [token, seat, "0"];
    let state = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('HMGET', KEYS[2], 'last', 'ceiling', 'checked'), \
        redis.call('ZRANGE', KEYS[3], 0, -1), redis.call('ZCARD', KEYS[4])}";
    let steps: Vec<(&str, Vec<&str>)> = vec![
        (release, leave(A, "").to_vec()),
        (acquire, ask(A).to_vec()),
        (acquire, ask(A).to_vec()),
        (acquire, once(B).to_vec()),
        (acquire, ask(B).to_vec()),
        (acquire, ask(C).to_vec()),
        (acquire, ask(B).to_vec()),
        (renew, vec![A, "40000", "0", "0", "0"]),
        (renew, vec![A, "40", "0", "0", "0"]),
        (renew, vec![A, "35000", "1", "9", "0"]),
        (renew, vec![B, "35000", "1", "9", "0"]),
        (release, leave(B, "0b-1 30000 4 a host").to_vec()),
        (release, leave(C, "").to_vec()),
        (acquire, ask(B).to_vec()),
        (release, leave(A, "").to_vec()),
        (acquire, ask(A).to_vec()),
        (release, leave(B, "").to_vec()),
        (acquire, ask(A).to_vec()),
        (acquire, ask(B).to_vec()),
        (release, leave(A, "").to_vec()),
        (acquire, ask(B).to_vec()),
        (release, leave(B, "").to_vec()),
        (acquire, once(C).to_vec()),
        (acquire, ask(B).to_vec()),
        (release, leave(C, "").to_vec()),
    ];
    let mut clock = 1_800_000_000_000_000;
    for (script, args) in steps {
        pair.pass(1, &mut clock);
        pair.same(&(since("time[1]") + script), &KEYS, &args);
        pair.same(state, &KEYS, &[]);
    }
    // Now it is time.
    for (script, args) in [(acquire, ask(A).to_vec()), (release, leave(B, "").to_vec()), (acquire, ask(A).to_vec())] {
        pair.pass(1, &mut clock);
        pair.same(&(since("1") + script), &KEYS, &args);
        pair.same(state, &KEYS, &[]);
    }
}

/// About once a second the first in the queue is told only that the lock is free. The two clocks differ, so the lock is
/// made to say in which second the lock was free the last time; in the same run of a script, in which no new second begins.
fn since(second: &str) -> String {
    format!(
        "do \
           local time = redis.call('TIME') \
           local value = redis.pcall('GET', KEYS[1]) \
           local head, rest = string.match(type(value) == 'string' and value or '', '^(%S+ %d+) %S+ (.*)$') \
           if head then \
             local since = string.format('%.0f:%.0f', time[1] * 1000000, {second} * 1000000 + 1) \
             redis.call('SET', KEYS[1], head .. ' ' .. since .. ' ' .. rest, 'KEEPTTL') \
           end \
         end\n"
    )
}

/// Helper keys of another type are begun anew.
fn spoilt(pair: &mut Pair) {
    let [acquire, _, release] = SCRIPTS;
    let ask = |token| [token, "30000", "4", "a host", "0", "20000", "1"];
    let leave = |token| [token, "0b-1 30000 4 a host", "0"];
    let mut clock = 1_800_000_000_000_000;
    let takings = [(acquire, ask(A).to_vec()), (acquire, ask(B).to_vec()), (release, leave(A).to_vec())];
    for (number, key) in KEYS[1..].iter().enumerate() {
        for (script, args) in &takings {
            pair.pass(1, &mut clock);
            let spoil =
                if number == 0 { "redis.call('ZADD', KEYS[1], 1, 'x')" } else { "redis.call('SET', KEYS[1], 'x')" };
            pair.same(&format!("redis.call('DEL', KEYS[1]) {spoil} return 1"), &[key], &[]);
            pair.same(script, &KEYS, args);
            pair.same("return redis.call('GET', KEYS[1])", &KEYS, &[]);
        }
        pair.same(release, &KEYS, &leave(A));
        pair.same(release, &KEYS, &leave(B));
        for key in KEYS {
            pair.command(&["DEL", key]);
        }
    }
}

fn expiry(pair: &mut Pair) {
    let mut clock = 1_800_000_000_000_000;
    pair.command(&["SET", "short", "1", "PX", "40"]);
    pair.command(&["SET", "long", "1", "PX", "40000"]);
    pair.command(&["ZADD", "z", "1", "a"]);
    pair.command(&["PEXPIRE", "z", "40"]);
    pair.pass(80, &mut clock);
    for line in [
        "GET short",
        "PTTL short",
        "SET short 2 NX PX 9000",
        "GET short",
        "GET long",
        "ZCARD z",
        "ZRANGE z 0 0",
        "ZSCORE z a",
        "ZREM z a",
        "ZADD z NX 2 a",
        "PTTL z",
    ] {
        pair.command(&line.split(' ').collect::<Vec<_>>());
    }
}
