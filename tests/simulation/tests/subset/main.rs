//! The simulation is worth as much as its idea of Redis: the same calls, to the small set of commands and to a real
//! server, must be answered alike.

#[allow(dead_code, reason = "not all of them are compared")]
#[path = "../../../../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::{thread::sleep, time::Duration};

use dlock_simulation::{Host, Reply, Rng, Stores};
use dlock_testkit::{Raw, RedisServer, Value};

use self::scripts::{
    ACQUIRE, ACQUIRE_MANY, ACQUIRE_MANY_SLOTS, RELEASE, RELEASE_MANY, RELEASE_MANY_SLOTS, RENEW, guarded,
};

/// Has a server open in so many milliseconds.
const OPENS: &str = "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    local opens = redis.call('TIME')[1] * 1000 + ARGV[1]
    return redis.call('SET', 'dlock:epoch', string.format('%s %s %.0f 2000', run, history, opens))";
const SPOIL: [&str; 3] = [
    "redis.call('DEL', KEYS[2]) return redis.call('ZADD', KEYS[2], 1, 'x')",
    "redis.call('DEL', KEYS[3]) return redis.call('SET', KEYS[3], 'x')",
    "redis.call('DEL', KEYS[4]) return redis.call('SET', KEYS[4], 'x')",
];
const KEYS: [&str; 4] = ["lock", "dlock:fence-clock", "{lock}:queue", "{lock}:seen"];

/// Both servers.
struct Pair {
    host: Host,
    raw: Raw,
    /// Kept open: they are counted as listeners.
    listeners: Vec<Raw>,
    url: String,
    /// What the clock of ours shows, in microseconds.
    clock: u64,
}

impl Pair {
    fn new(server: &RedisServer) -> Self {
        let (host, raw) = (Host::new(Stores::new(1)).expect("Lua begins"), server.raw());
        let mut pair = Self { host, raw, listeners: Vec::new(), url: server.url(), clock: 1_800_000_000_000_000 };
        pair.pass(0);
        pair
    }

    fn listen(&mut self, channel: &str) {
        let mut raw = Raw::connect(&self.url);
        raw.command(&["SUBSCRIBE", channel]);
        self.listeners.push(raw);
        self.host.with_redis(|redis| redis.listen(channel.as_bytes(), 1));
    }

    /// The time moves on for both.
    fn pass(&mut self, millis: u64) {
        sleep(Duration::from_millis(millis));
        self.clock += millis * 1_000;
        self.host.with_redis(|redis| redis.set_time(self.clock));
    }

    #[track_caller]
    fn same(&mut self, text: &str, keys: &[&str], args: &[&str]) {
        let count = keys.len().to_string();
        let real = shape(self.raw.command(&[&["EVAL", text, &count], keys, args].concat()));
        let [keys, bytes] = [keys, args].map(|words| words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        let ours = self.host.eval(text.as_bytes(), &keys, &bytes).expect("Lua takes it");
        assert_eq!(shape(value(ours)), real, "simulated, real: {} {args:?}", text.lines().last().unwrap_or(text));
    }

    /// A single command, by the way that scripts take.
    #[track_caller]
    fn command(&mut self, words: &[&str]) {
        for call in ["call", "pcall"] {
            self.same(&format!("return redis.{call}(unpack(ARGV))"), &[], words);
        }
    }
}

/// Our reply as it comes over a connection.
fn value(reply: Reply) -> Value {
    match reply {
        Reply::Nil => Value::Nil,
        Reply::Int(number) => Value::Int(number),
        Reply::Text(bytes) => Value::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Status(text) => Value::Text(text),
        Reply::Error(message) => Value::Error(message),
        Reply::List(items) => Value::List(items.into_iter().map(value).collect()),
    }
}

/// What an answer can be compared by: times and fences differ between the two, so long numbers and TTLs are not.
fn shape(value: Value) -> Value {
    match value {
        Value::Int(51..) => Value::Text("#".to_owned()),
        Value::Text(text) => match text.parse() {
            Ok(number) => shape(Value::Int(number)),
            // The value of a lock, or the fence clock. A replication id has 40 digits.
            Err(_) => {
                let is_number = |part: &str| part.len() > 12 && part.parse::<u64>().is_ok();
                let is_of_the_clock = |word: &str| word.split(':').any(|part| part.len() == 40 || is_number(part));
                let words = text.split(' ').map(|word| if is_of_the_clock(word) { "#" } else { word });
                Value::Text(words.collect::<Vec<_>>().join(" "))
            }
        },
        // The first word says which error it is; Redis adds where in which script.
        Value::Error(message) => {
            let message = message.split(" script:").next().unwrap_or_default();
            let words = message.split(' ').take(4).collect::<Vec<_>>().join(" ");
            Value::Error(words.trim_end_matches(':').to_owned())
        }
        Value::List(items) | Value::Push(items) => Value::List(items.into_iter().map(shape).collect()),
        value => value,
    }
}

#[test]
fn the_subset_answers_as_redis_does() {
    let server = RedisServer::start();
    for story in [commands, conversions, scripts, guarded, many, expiry] {
        server.raw().command(&["FLUSHALL"]);
        story(&mut Pair::new(&server), &mut Rng::new(7));
    }
}

/// Commands by chance on few keys, so that each meets what others left. A capital letter stands for one of these words.
fn commands(pair: &mut Pair, rng: &mut Rng) {
    let table = "GET K|MGET K K|SET K V|SET K V NX|SET K V NX PX T|SET K V PX T GET|SET K V GET|SET K V EX T|SET K V KEEPTTL|SET K V PX|\
        SET K V WHAT|DEL K|DEL K K|PTTL K|PEXPIRE K T|ZADD K F M|ZADD K F M|ZADD K NX F M|ZREM K M|ZPOPMIN K|ZRANGE K I I|ZSCORE K M|\
        ZCARD K|ZCOUNT K R R|HGET K M|HMGET K M M|HSET K M V|HSET K M V M V|HINCRBY K M N|PUBLISH C V|PUBSUB NUMSUB C";
    let table = table.split('|').collect::<Vec<_>>();
    for _ in 0..3_000 {
        let words = rng.pick(&table).split_whitespace().map(|word| match word {
            "K" => rng.pick(&["k", "l", "m", "n"]),
            "M" => rng.pick(&["a", "b", "c"]),
            "V" => rng.pick(&["1", "x", "9223372036854775807"]),
            "T" => rng.pick(&["9000", "80000000", "0", "-5", "x"]),
            "F" => rng.pick(&["1", "2", "3", "1800000000000000", "x"]),
            "R" => rng.pick(&["2", "-inf", "+inf"]),
            "I" => rng.pick(&["0", "1", "9", "-1", "-2", "a"]),
            "N" => rng.pick(&["5", "9007199254740993", "x"]),
            "C" => rng.pick(&["nobody", "somebody"]),
            word => word,
        });
        pair.command(&words.collect::<Vec<_>>());
        if pair.listeners.len() < 2 && rng.chance(30) {
            pair.listen("somebody");
        }
    }
}

fn conversions(pair: &mut Pair, _: &mut Rng) {
    let table = "return nil|return false|return true|return 3.99|return -3.99|return '3.99'|return {1, 2, nil, 4}|\
        return {1, {'a', false, 3}, true}|\
        return {err = 'MINE is an error'}|return {ok = 'FINE'}|return redis.call('GET', 'none')|return type(redis.call('GET', 'none'))|\
        return redis.call('SET', 'a', 'b')|return redis.call('SET', 'a', 'b')['ok']|return type(redis.call('ZSCORE', 'none', 'a'))|\
        return {redis.call('SET', 'number', 1800000000000), redis.call('GET', 'number')}|\
        redis.call('SET', 'number', 12345678901234) return redis.call('GET', 'number') == '12345678901234'|\
        redis.call('ZADD', 'z', string.format('%.0f', 1800000000000001), 'm') return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'|\
        redis.call('ZADD', 'z', 1800000000000001, 'm') return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'|\
        return type(redis.call('TIME')[1]) .. type(redis.call('ZCARD', 'none')) .. #redis.call('TIME')|\
        return redis.pcall('ZCARD', 'a')['err']|return type(redis.pcall('ZCARD', 'a'))|return redis.call('ZCARD', 'a')|\
        return string.format('%.0f %d', 1800000000000001, 3)|return 7 + '3'|return math.floor('1800000000000001' / 1000000) == 1800000000";
    table.split('|').for_each(|text| pair.same(text, &[], &[]));
}

/// dlock's own scripts by chance: takings, queues, hand-overs and returns, and helper keys that somebody spoils.
fn scripts(pair: &mut Pair, rng: &mut Rng) {
    of_one_lock(pair, rng, [ACQUIRE, RENEW, RELEASE], false);
}

/// Those of a server with a failover guard, which is open or closed, or was another one.
fn guarded(pair: &mut Pair, rng: &mut Rng) {
    of_one_lock(pair, rng, [guarded::ACQUIRE, guarded::RENEW, guarded::RELEASE], true);
}

fn of_one_lock(pair: &mut Pair, rng: &mut Rng, [acquire, renew, release]: [&str; 3], is_guarded: bool) {
    // Who listened in the story before may be counted yet.
    let [heard, also, unheard] = if is_guarded { ["0d", "0e", "0f"] } else { ["0a", "0b", "0c"] };
    [heard, also].into_iter().for_each(|identity| pair.listen(&format!("dlock:{identity}")));
    let tokens = [heard, also, unheard].map(|identity| format!("{identity}-1"));
    let state = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), \
        redis.pcall('HMGET', KEYS[2], 'last', 'ceiling', 'checked'), redis.pcall('ZRANGE', KEYS[3], 0, -1), \
        redis.pcall('ZCARD', KEYS[4]), redis.call('GET', 'dlock:epoch')}";
    // As if another server had been there before: for how long these two are there already differs.
    pair.command(&["SET", "dlock:epoch", "a b 0 0"]);
    for _ in 0..500 {
        // Nobody waits any more for the end of a rest (wait.lua).
        pair.pass(3);
        let token = rng.pick(&tokens.each_ref().map(String::as_str));
        let entry = format!("{token} 30000 4 a host");
        let [waits, again, shortens] = ["20000", "1", "1"].map(|yes| rng.pick(&["0", yes]));
        let last = rng.pick(&["0", "5", "9007199254740000"]);
        let (script, args) = match rng.below(if is_guarded { 25 } else { 18 }) {
            0..8 => (acquire, vec![token, "30000", "4", "a host", "0", waits, again]),
            8..12 => {
                let ttl = rng.pick(&["9000", "30000", "40000"]);
                (renew, vec![token, ttl, shortens, rng.pick(&["0", "9"]), "0", last, "a host"])
            }
            12..17 => (release, vec![token, rng.pick(&["", &entry]), "0", last]),
            17 => (rng.pick(&SPOIL), vec![]),
            18..20 => ("return redis.call('SET', 'dlock:epoch', 'a b 0 0')", vec![]),
            20..23 => (OPENS, vec![rng.pick(&["-10000", "100000"])]),
            23 => (guarded::ACQUIRE_MANY, vec!["1", "0", token, "30000", "a host"]),
            _ => (guarded::ACQUIRE_MANY_SLOTS, [&KEYS[..3], &["0", token, "30000", "a host"]].concat()),
        };
        // A script that is not guarded looks at none of the last.
        let args = [&args[..], &["dlock:epoch", "2000", ""]].concat();
        pair.same(&(since(rng.pick(&["1", "time[1]", "time[1]"])) + script), &KEYS, &args);
        pair.same(state, &KEYS, &[]);
    }
}

/// The scripts for many locks: free, taken, waited for, marked, of another client, of another type, asked for twice.
fn many(pair: &mut Pair, rng: &mut Rng) {
    let locks = ["lock", "other", "list", "waited"];
    let others = ["other", "{other}:queue", "list", "{list}:queue", "waited", "{waited}:queue"];
    let keys = [&["lock", "dlock:fence-clock", "{lock}:queue"], &others[..]].concat();
    pair.command(&["ZADD", "list", "1", "a"]);
    pair.command(&["ZADD", "{waited}:queue", "1", "a"]);
    let state = "return {redis.call('MGET', unpack(KEYS)), redis.call('PTTL', KEYS[1])}";
    let mark = "local value = redis.call('GET', 'other') if value then redis.call('SET', 'other', value .. '+', 'KEEPTTL') end";
    for _ in 0..200 {
        let tokens = [(); 4].map(|()| rng.pick(&["0a-1", "0b-1"]));
        let held = tokens.map(|token| format!("{token} "));
        let held = held.each_ref().map(String::as_str);
        match rng.below(15) {
            0..3 => {
                let queues = ["{lock}:queue", "{other}:queue", "{list}:queue", "{waited}:queue"];
                let each = [0, 1, 2, 3].map(|at| {
                    let clock = rng.pick(&["dlock:fence-clock", "dlock:fence-clock:{1}", "list"]);
                    [locks[at], clock, queues[at], "0", tokens[at], rng.pick(&["30000", "no number"]), "a host"]
                });
                pair.same(ACQUIRE_MANY_SLOTS, &[], &each.concat());
            }
            3..6 => pair.same(RELEASE_MANY_SLOTS, &[], &[0, 1, 2, 3].map(|at| [locks[at], held[at]]).concat()),
            6..10 => {
                let each = tokens.map(|token| [token, rng.pick(&["30000", "30000", "no number"]), "a host"]);
                pair.same(ACQUIRE_MANY, &keys, &[&["4", "0"], &each.concat()[..]].concat());
            }
            10..14 => pair.same(RELEASE_MANY, &locks, &held),
            _ => pair.same(
                rng.pick(&[mark, "redis.call('SET', 'lock', 'foreign')", "redis.call('DEL', 'other')"]),
                &[],
                &[],
            ),
        }
        pair.same(state, &locks, &[]);
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

fn expiry(pair: &mut Pair, _: &mut Rng) {
    let commands = |pair: &mut Pair, table: &str| {
        table.split('|').for_each(|line| pair.command(&line.split(' ').collect::<Vec<_>>()));
    };
    commands(pair, "SET short 1 PX 40|SET long 1 PX 40000|ZADD z 1 a|PEXPIRE z 40");
    pair.pass(80);
    commands(
        pair,
        "GET short|PTTL short|SET short 2 NX PX 9000|GET short|GET long|ZCARD z|ZRANGE z 0 0|ZSCORE z a|ZREM z a|ZPOPMIN z|\
        ZADD z NX 2 a|PTTL z",
    );
}
