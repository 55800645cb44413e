//! The model's fence clock says what `mint.lua` says, which runs here on the simulation's Redis.

use std::str;

use dlock_model::{FenceClock, Scenario};
use dlock_simulation::{Host, Reply, Stores};

const MINT: &str = include_str!("../../../dlock-runtime/src/store/redis/scripts/mint.lua");
/// The clock that a server finds is due to be looked at. It was looked at by a server whose time is ahead, so no time has passed since.
const FIND: &[u8] = b"local time = redis.call('TIME')
    local checked = string.format('%.0f', time[1] * 1000000 + time[2] + 200000)
    redis.call('HSET', KEYS[2], 'last', ARGV[1], 'ceiling', ARGV[2], 'life', ARGV[3], 'checked', checked)";
/// Another clock before it in the same script, which has looked at the life of the server by then.
const ANOTHER: &str =
    "local clock = KEYS[2] KEYS[2] = 'dlock:fence-clock:{1}' mint('1', '0', redis.call('TIME')) KEYS[2] = clock\n";
const MINTED: &str = "local _, last = mint(ARGV[1], '0', redis.call('TIME'))
    local clock = redis.call('HMGET', KEYS[2], 'last', 'ceiling', 'life')
    return {clock[1] == last and last or 'another', clock[2], clock[3]}";

/// A script writes the ceiling four blocks ahead, which are 160 million fences. Fence 0 of the model stands for this one.
const BLOCK: u64 = 40_000_000;
const BASE: u64 = 2_000_000_000_000_000;
/// From 1970 to 2018, in microseconds.
const UNTIL_2018: u64 = 1_514_764_800_000_000;

/// What the script makes of the clock that it finds.
fn real(mint: &str, found: Option<FenceClock>, count: u8, life: u8, now: u8, scenario: &Scenario) -> FenceClock {
    let size = BLOCK / u64::from(scenario.block);
    let fence = |fence: u8| (BASE + u64::from(fence) * size).to_string();
    let host = Host::new(Stores::new(1)).expect("Lua begins");
    host.with_redis(|redis| {
        redis.set_time(UNTIL_2018 + (BASE + u64::from(now * scenario.fences_per_tick) * size) / 8);
        redis.begin_life(life.into());
    });
    let keys: [&[u8]; 2] = [b"lock", b"dlock:fence-clock"];
    if let Some(FenceClock { last, ceiling, life }) = found {
        let [last, ceiling, life] = [fence(last), fence(ceiling), format!("{life:040x}")];
        host.eval(FIND, &keys, &[last.as_bytes(), ceiling.as_bytes(), life.as_bytes()]).expect("Lua takes it");
    }
    let count = (u64::from(count) * size).to_string();
    let reply = host.eval(format!("{mint}{MINTED}").as_bytes(), &keys, &[count.as_bytes()]).expect("Lua takes it");
    let Reply::List(parts) = &reply else { panic!("{reply:?}") };
    let [Reply::Text(last), Reply::Text(ceiling), Reply::Text(life)] = &parts[..] else { panic!("{reply:?}") };
    let text = |text| str::from_utf8(text).expect("text");
    let fence =
        |fence: &str| u8::try_from((fence.parse::<u64>().expect("a fence") - BASE) / size).expect("a small one");
    let life = u8::from_str_radix(text(life), 16).expect("a life of the simulation");
    FenceClock { last: fence(text(last)), ceiling: fence(text(ceiling)), life }
}

/// Of all clocks that can be found, how many the model takes further than the script, or not as far.
fn differences(weakened: &'static str, mint: &str) -> usize {
    let scenario = Scenario { weakened, fences_per_tick: 3, ..Scenario::of(&[], 0) };
    let clock = |last, ahead| [0, 1].map(|life| Some(FenceClock { last, ceiling: last + ahead, life }));
    let clocks = (0..12).flat_map(|last| (0..=4 * scenario.block).flat_map(move |ahead| clock(last, ahead)));
    let mut differ = 0;
    for found in clocks.chain([None]) {
        for (count, now) in [1, scenario.block].into_iter().flat_map(|count| (0..8).map(move |now| (count, now))) {
            // In the model the time of a new life counts for nothing: it may be behind by anything.
            let is_behind = |clock: FenceClock| clock.life == 1 || now * scenario.fences_per_tick <= clock.ceiling;
            if found.is_none_or(is_behind) {
                let model = FenceClock::mint(found, count, 1, now, &scenario);
                differ += usize::from(model != real(mint, found, count, 1, now, &scenario));
            }
        }
    }
    differ
}

#[test]
fn the_model_and_the_script_mint_the_same_fences() {
    assert_eq!(differences("", MINT), 0);
    for weakened in ["a_lost_fence_clock_that_begins_from_nothing", "a_new_life_of_the_server_that_is_ignored"] {
        assert!(differences(weakened, MINT) > 0, "{weakened} is not noticed");
    }
}

/// A script for many locks of a cluster mints at many clocks, and looks at the life of the server once.
#[test]
fn the_second_clock_of_a_script_mints_the_same_fences_as_the_first() {
    let second = format!("{MINT}{ANOTHER}");
    assert_eq!(differences("", &second), 0);
    for (check, careless) in [("current == life\n", "true\n"), ("last <= ceiling - 120000000", "true")] {
        assert!(second.contains(check), "{check}");
        assert!(differences("", &second.replacen(check, careless, 1)) > 0, "no {check} is not noticed");
    }
}
