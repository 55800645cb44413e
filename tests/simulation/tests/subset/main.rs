//! The simulation is worth as much as its idea of Redis: the same calls, to the small set of commands and to a real
//! server, must be answered alike.

#[allow(dead_code, reason = "not all of them are compared")]
#[path = "../../../../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::{thread::sleep, time::Duration};

use dlock_simulation::{Host, Redis, Reply, Rng};
use dlock_testkit::{Raw, RedisServer, Value};

use self::scripts::{
    ACQUIRE, ACQUIRE_MANY, ACQUIRE_MANY_SLOTS, RELEASE, RELEASE_MANY, RELEASE_MANY_SLOTS, RENEW, guarded,
};

const PLAIN: [&str; 5] = [ACQUIRE, RENEW, RELEASE, ACQUIRE_MANY, ACQUIRE_MANY_SLOTS];
const GUARDED: [&str; 5] =
    [guarded::ACQUIRE, guarded::RENEW, guarded::RELEASE, guarded::ACQUIRE_MANY, guarded::ACQUIRE_MANY_SLOTS];
/// Has a server open in so many milliseconds.
const OPENS: &str = "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    local opens = redis.call('TIME')[1] * 1000 + ARGV[1]
    return redis.call('SET', 'dlock:epoch', string.format('%s %s %.0f 2000', run, history, opens))";
/// What somebody else does.
const CHANGES: [&str; 7] = [
    "redis.call('DEL', KEYS[2]) return redis.call('ZADD', KEYS[2], 1, 'x')",
    "redis.call('DEL', KEYS[3]) return redis.call('SET', KEYS[3], 'x')",
    "redis.call('DEL', KEYS[4]) return redis.call('SET', KEYS[4], 'x')",
    "return redis.call('SET', 'dlock:epoch', 'a b 0 0')",
    "local value = redis.call('GET', 'other') if value then redis.call('SET', 'other', value .. '+', 'KEEPTTL') end",
    "redis.call('SET', 'lock', 'foreign')",
    "redis.call('DEL', 'other')",
];
const STATE: &str = "return {redis.call('MGET', unpack(ARGV)), redis.call('PTTL', KEYS[1]), redis.call('GET', 'dlock:epoch'),
    redis.pcall('HGET', KEYS[2], 'last'), redis.pcall('HGET', KEYS[2], 'ceiling'), redis.pcall('HGET', KEYS[2], 'checked'),
    redis.pcall('ZRANGE', KEYS[3], 0, -1), redis.pcall('ZCARD', KEYS[4])}";
/// About once a second the first in the queue is told only that the lock is free. The two clocks differ, so the lock is
/// made to say that it was free in this second, or long ago; in the same run of a script, in which no new second begins.
const SINCE: &str = "do
    local second = redis.call('TIME')[1]
    local value = redis.pcall('GET', KEYS[1])
    local head, rest = string.match(type(value) == 'string' and value or '', '^(%S+ %d+) %S+ (.*)$')
    if head then
        local since = string.format('%.0f:%.0f', second * 1000000, (LONG_AGO and 1 or second) * 1000000 + 1)
        redis.call('SET', KEYS[1], head .. ' ' .. since .. ' ' .. rest, 'KEEPTTL')
    end
end
";
const LOCKS: [&str; 4] = ["lock", "other", "list", "waited"];
const KEYS: [&str; 4] = ["lock", "dlock:fence-clock", "{lock}:queue", "{lock}:seen"];

/// Both servers.
struct Pair {
    host: Host,
    redis: Redis,
    raw: Raw,
    /// Kept open: they are counted as listeners.
    listeners: Vec<Raw>,
    url: String,
}

impl Pair {
    fn new(server: &RedisServer) -> Self {
        let (host, mut redis) = (Host::new().expect("Lua begins"), Redis::default());
        redis.now = 1_800_000_000_000_000;
        Self { host, redis, raw: server.raw(), listeners: Vec::new(), url: server.url() }
    }

    fn listen(&mut self, channel: &str) {
        let mut raw = Raw::connect(&self.url);
        raw.command(&["SUBSCRIBE", channel]);
        self.redis.listen(channel.as_bytes(), self.listeners.len(), true);
        self.listeners.push(raw);
    }

    /// The time moves on for both.
    fn pass(&mut self, millis: u64) {
        sleep(Duration::from_millis(millis));
        self.redis.now += millis * 1_000;
    }

    #[track_caller]
    fn same(&mut self, text: &str, keys: &[&str], args: &[&str]) {
        let count = keys.len().to_string();
        let real = alike(reply(self.raw.command(&[&["EVAL", text, &count], keys, args].concat())));
        let [keys, bytes] = [keys, args].map(|words| words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        let ours = self.host.eval(&mut self.redis, text.as_bytes(), &keys, &bytes).expect("Lua takes it");
        assert_eq!(alike(ours), real, "simulated, real: {} {args:?}", text.lines().last().unwrap_or(text));
    }

    /// Single commands, by the way that scripts take.
    #[track_caller]
    fn commands(&mut self, table: &str) {
        for line in table.split('|') {
            let words = line.split(' ').collect::<Vec<_>>();
            for call in ["call", "pcall"] {
                self.same(&format!("return redis.{call}(unpack(ARGV))"), &[], &words);
            }
        }
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int(number),
        Value::Text(text) => Reply::Text(text.into_bytes()),
        Value::Error(message) => Reply::Error(message),
        Value::List(items) | Value::Push(items) => Reply::List(items.into_iter().map(reply).collect()),
    }
}

/// What an answer can be compared by: times, TTLs, fences and the ids of servers differ between the two.
fn alike(reply: Reply) -> Reply {
    let is_of_a_server = |word: &str| word.len() == 40 || word.len() > 12 && word.parse::<u64>().is_ok();
    match reply {
        Reply::Int(number) => Reply::Int(number.min(51)),
        Reply::Text(text) => {
            let text = String::from_utf8_lossy(&text);
            let Ok(number) = text.parse() else {
                // The value of a lock, or an epoch.
                let word = |word| if str::split(word, ':').any(is_of_a_server) { "#" } else { word };
                return Reply::Status(text.split(' ').map(word).collect::<Vec<_>>().join(" "));
            };
            alike(Reply::Int(number))
        }
        // The first words say which error it is; Redis adds where in which script.
        Reply::Error(message) => {
            let message = message.split(" script:").next().unwrap_or_default();
            let words = message.split(' ').take(4).collect::<Vec<_>>().join(" ");
            Reply::Error(words.trim_end_matches(':').to_owned())
        }
        Reply::List(items) => Reply::List(items.into_iter().map(alike).collect()),
        reply => reply,
    }
}

#[test]
fn the_subset_answers_as_redis_does() {
    let server = RedisServer::start();
    let plain = |pair: &mut Pair, rng: &mut Rng| scripts(pair, rng, PLAIN);
    let guarded = |pair: &mut Pair, rng: &mut Rng| scripts(pair, rng, GUARDED);
    for story in [commands, conversions, plain, guarded, expiry] {
        server.raw().command(&["FLUSHALL"]);
        story(&mut Pair::new(&server), &mut Rng::new(7));
    }
}

/// Commands by chance on few keys, so that each meets what others left. A capital letter stands for one of these words.
fn commands(pair: &mut Pair, rng: &mut Rng) {
    let table = "GET K|MGET K K|SET K V|SET K V NX PX T|SET K V PX T|SET K V KEEPTTL|DEL K|DEL K K|PTTL K|PEXPIRE K T|ZADD K F M|\
        ZADD K F M|ZADD K NX F M|ZREM K M|ZPOPMIN K|ZRANGE K I I|ZSCORE K M|ZCARD K|ZCOUNT K R R|HGET K M|HSET K M V|HSET K M V M V|\
        HINCRBY K M N|PUBLISH C V|PUBSUB NUMSUB C";
    let table = table.split('|').collect::<Vec<_>>();
    for _ in 0..3_000 {
        let words = rng.pick(&table).split_whitespace().map(|word| match word {
            "K" => rng.pick(&["k", "l", "m", "n"]),
            "M" => rng.pick(&["a", "b", "c"]),
            "V" => rng.pick(&["1", "x", "9223372036854775807"]),
            "T" => rng.pick(&["9000", "80000000", "x"]),
            "F" => rng.pick(&["1", "2", "3", "1800000000000000"]),
            "R" => rng.pick(&["2", "-inf", "+inf"]),
            "I" => rng.pick(&["0", "1", "9", "-1", "-2"]),
            "N" => rng.pick(&["5", "9007199254740993"]),
            "C" => rng.pick(&["nobody", "somebody"]),
            word => word,
        });
        pair.commands(&words.collect::<Vec<_>>().join(" "));
        if pair.listeners.len() < 2 && rng.chance(30) {
            pair.listen("somebody");
        }
    }
}

fn conversions(pair: &mut Pair, _: &mut Rng) {
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
        "return type(redis.call('GET', 'none'))",
        "return type(redis.call('ZSCORE', 'none', 'a'))",
        "return redis.call('SET', 'a', 'b')['ok']",
        "return {redis.call('SET', 'number', 1800000000000), redis.call('GET', 'number')}",
        "redis.call('SET', 'number', 12345678901234) return redis.call('GET', 'number') == '12345678901234'",
        "redis.call('ZADD', 'z', string.format('%.0f', 1800000000000001), 'm') \
            return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'",
        "redis.call('ZADD', 'z', 1800000000000001, 'm') return redis.call('ZSCORE', 'z', 'm') == '1800000000000001'",
        "return type(redis.call('TIME')[1]) .. type(redis.call('ZCARD', 'none')) .. #redis.call('TIME')",
        "return redis.pcall('ZCARD', 'a')['err']",
        "return type(redis.pcall('ZCARD', 'a'))",
        "return string.format('%.0f %d', 1800000000000001, 3)",
        "return 7 + '3'",
        "return math.floor('1800000000000001' / 1000000) == 1800000000",
    ] {
        pair.same(text, &[], &[]);
    }
}

/// dlock's own scripts by chance: takings, queues, hand-overs and returns of one lock, and helper keys that somebody spoils. And those
/// for many locks: free, taken, waited for, marked, of another client, of another type, asked for twice. With a failover guard the
/// server is open or closed, or was another one.
fn scripts(pair: &mut Pair, rng: &mut Rng, [acquire, renew, release, many, of_slots]: [&'static str; 5]) {
    pair.listen("dlock:0a");
    pair.listen("dlock:0b");
    pair.commands("ZADD list 1 a|ZADD {waited}:queue 1 a");
    // The two have run for different times, which counts as long as nobody has asked.
    pair.same(OPENS, &[], &["-10000"]);
    let queues = LOCKS.map(|lock| format!("{{{lock}}}:queue"));
    let mut all = LOCKS.iter().zip(&queues).flat_map(|(lock, queue)| [*lock, queue]).collect::<Vec<_>>();
    all.insert(1, "dlock:fence-clock");
    for _ in 0..900 {
        // Nobody waits any more for the end of a rest (wait.lua).
        pair.pass(3);
        let token = rng.pick(&["0a-1", "0b-1", "0c-1"]);
        let entry = format!("{token} 30000 4 a host");
        let [waits, again, shortens] = ["20000", "1", "1"].map(|yes| rng.pick(&["0", yes]));
        let last = rng.pick(&["0", "5", "9007199254740000"]);
        let tokens = LOCKS.map(|_| rng.pick(&["0a-1", "0b-1"]));
        let asks = tokens.map(|token| [token, rng.pick(&["30000", "30000", "no number"]), "a host"]);
        let clocks = LOCKS.map(|_| rng.pick(&["dlock:fence-clock", "dlock:fence-clock:{1}", "list"]));
        let begun = tokens.map(|token| format!("{token} "));
        let (script, keys, mut args) = match rng.below(40) {
            0..10 => (acquire, &KEYS[..], vec![token, "30000", "4", "a host", "0", waits, again]),
            10..16 => (release, &KEYS[..], vec![token, rng.pick(&["", &entry]), "0", last]),
            16..20 => {
                let ttl = rng.pick(&["9000", "30000", "40000"]);
                (renew, &KEYS[..], vec![token, ttl, shortens, rng.pick(&["0", "9"]), "0", last, "a host"])
            }
            20..23 => (many, &all[..], [&["4", "0"], asks.as_flattened()].concat()),
            23..26 => {
                let each = (0..4).map(|at| [&[LOCKS[at], clocks[at], &queues[at], "0"], &asks[at][..]].concat());
                (of_slots, &[][..], each.collect::<Vec<_>>().concat())
            }
            26..29 => (RELEASE_MANY, &LOCKS[..], begun.iter().map(String::as_str).collect()),
            29..32 => {
                let each = LOCKS.iter().zip(&begun).flat_map(|(lock, token)| [*lock, token]);
                (RELEASE_MANY_SLOTS, &[][..], each.collect())
            }
            32..35 => (OPENS, &KEYS[..], vec![rng.pick(&["-10000", "100000"])]),
            _ => (rng.pick(&CHANGES), &KEYS[..], vec![]),
        };
        if GUARDED.contains(&script) {
            args.extend(["dlock:epoch", "2000", ""]);
        }
        let since = if keys.is_empty() { "" } else { SINCE };
        let since = since.replace("LONG_AGO", rng.pick(&["true", "false", "false"]));
        pair.same(&(since + script), keys, &args);
        pair.same(STATE, &KEYS, &LOCKS);
    }
}

fn expiry(pair: &mut Pair, _: &mut Rng) {
    pair.commands("SET short 1 PX 40|SET long 1 PX 40000|ZADD z 1 a|PEXPIRE z 40");
    pair.pass(80);
    pair.commands(
        "GET short|PTTL short|SET short 2 NX PX 9000|GET short|GET long|ZCARD z|ZRANGE z 0 0|ZSCORE z a|ZREM z a|ZPOPMIN z|\
        ZADD z NX 2 a|PTTL z",
    );
}
