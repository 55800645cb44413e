//! The model's fence clock says what `mint.lua` says, which runs here on the simulation's Redis.

use dlock_model::{FenceClock, Scenario};
use dlock_simulation::{Host, Redis, Reply};

const MINT: &str = include_str!("../../../dlock-runtime/src/store/redis/scripts/mint.lua");
/// Another clock before it in the same script, which has looked at the life of the server by then.
const ANOTHER: &str =
    "local clock = KEYS[2] KEYS[2] = 'dlock:fence-clock:{1}' mint('1', '0', redis.call('TIME')) KEYS[2] = clock\n";
/// A fence of the model is 20 million of the script, which writes the ceiling 160 million ahead: four blocks of two. The clock that is
/// found is due to be looked at. It was looked at by a server whose time is ahead, so no time has passed since.
const MINTED: &str = "
    local count, last, ceiling, life = unpack(ARGV)
    local time = redis.call('TIME')
    local function text(fence) return string.format('%.0f', 2e15 + fence * 2e7) end
    if last then
        local checked = string.format('%.0f', time[1] * 1000000 + time[2] + 200000)
        life = string.rep('0', 39) .. life
        redis.call('HSET', KEYS[2], 'last', text(last), 'ceiling', text(ceiling), 'life', life, 'checked', checked)
    end
    local _, minted = mint(string.format('%.0f', count * 2e7), '0', time)
    local function clock(field) return redis.call('HGET', KEYS[2], field) end
    assert(clock('last') == minted)
    return {(minted - 2e15) / 2e7, (clock('ceiling') - 2e15) / 2e7, tonumber(clock('life'), 16)}";

/// What the script makes of the clock that it finds, in the first life of the server, when the time is worth the fence `time`.
fn real(mint: &str, found: Option<FenceClock>, count: u8, time: u8) -> FenceClock {
    let (host, mut redis) = (Host::new().expect("Lua begins"), Redis::default());
    // Fences began with 2018, at eight in a microsecond.
    redis.now = 1_514_764_800_000_000 + (2_000_000_000_000_000 + u64::from(time) * 20_000_000) / 8;
    redis.life = 1;
    let numbers =
        [count].into_iter().chain(found.into_iter().flat_map(|clock| [clock.last, clock.ceiling, clock.life]));
    let texts: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let arguments: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let script = format!("{mint}{MINTED}");
    let reply = host.eval(&mut redis, script.as_bytes(), &[b"lock", b"dlock:fence-clock"], &arguments);
    let Ok(Reply::List(parts)) = &reply else { panic!("{reply:?}") };
    let [Reply::Int(last), Reply::Int(ceiling), Reply::Int(life)] = parts[..] else { panic!("{parts:?}") };
    // What is below all fences of the model is above them here.
    let [last, ceiling, life] = [last, ceiling, life].map(|number| u8::try_from(number).unwrap_or(u8::MAX));
    FenceClock { last, ceiling, life }
}

/// Whether there is a clock that the model takes further than the script, or not as far.
fn differ(weakened: &'static str, mint: &str) -> bool {
    let scenario = Scenario { weakened, ..Scenario::of(&[], &[], 0) };
    let clock = |last, ahead| [0, 1].map(|life| Some(FenceClock { last, ceiling: last + ahead, life }));
    let clocks = (0..12).flat_map(|last| (0..=4 * scenario.block).flat_map(move |ahead| clock(last, ahead)));
    let mut cases = clocks.chain([None]).flat_map(|found| {
        let times = (0..8).map(|tick| 3 * tick);
        times.flat_map(move |time| [1, scenario.block].map(|count| (found, count, time)))
    });
    cases.any(|(found, count, time)| {
        // In the model the time of a new life counts for nothing: it may be behind by anything. A clock that is lost begins at the time.
        let is_behind = |clock: FenceClock| clock.life == 1 || time <= clock.ceiling;
        let from = found.unwrap_or(FenceClock { last: time, ceiling: 0, life: 1 });
        found.is_none_or(is_behind) && from.mint(count, 1, &scenario) != real(mint, found, count, time)
    })
}

/// A script for many locks of a cluster mints at many clocks, and looks at the life of the server once.
#[test]
fn the_model_and_the_script_mint_the_same_fences_at_the_first_clock_and_the_second() {
    let second = format!("{MINT}{ANOTHER}");
    assert!(!differ("", MINT) && !differ("", &second));
    assert!(differ("a_new_life_of_the_server_that_is_ignored", MINT), "it is not noticed");
    let time = "last = math.max(last, (now - 1514764800000000) * 8 + count)";
    for (text, check, careless) in [
        (MINT, time, ""),
        (&second, "redis.pcall('HGET', KEYS[2], 'life') == current", "true"),
        (&second, "room >= 120000000", "true"),
    ] {
        assert!(text.contains(check), "{check}");
        assert!(differ("", &text.replacen(check, careless, 1)), "no {check} is not noticed");
    }
}
