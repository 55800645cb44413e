//! The scripts that are compared, and their keys.

/// Puts a script together from its chapters, as the store does.
macro_rules! script {
    ($($chapter:literal),+) => {
        concat!($(include_str!(concat!("../../../../dlock-runtime/src/store/redis/scripts/", $chapter, ".lua"))),+)
    };
}

pub(crate) const ACQUIRE: &str = script!("mint", "acquire", "take", "mend", "channel", "hand_over", "wait");
pub(crate) const RENEW: &str = script!("mint", "renew", "reserve");
pub(crate) const RELEASE: &str = script!("release", "mend", "mint", "channel", "hand_over", "give");
pub(crate) const GUARDED: [&str; 4] = [
    script!(
        "mint",
        "guard/closed",
        "guard/look",
        "guard/run",
        "acquire",
        "guard/shut",
        "take",
        "guard/seat",
        "mend",
        "channel",
        "hand_over",
        "wait",
        "guard/answer"
    ),
    script!("mint", "guard/closed", "guard/run", "renew", "reserve", "guard/come_back"),
    script!(
        "guard/closed",
        "guard/run",
        "release",
        "guard/keep",
        "mend",
        "mint",
        "channel",
        "hand_over",
        "give",
        "guard/gone"
    ),
    script!("mint", "guard/closed", "guard/look", "guard/run", "guard/none", "acquire_many", "guard/answers"),
];
/// Has a server open in so many milliseconds.
pub(crate) const OPENS: &str = "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    local opens = redis.call('TIME')[1] * 1000 + ARGV[1]
    return redis.call('SET', 'dlock:epoch', string.format('%s %s %.0f 2000', run, history, opens))";
pub(crate) const ACQUIRE_MANY: &str = script!("mint", "acquire_many");
pub(crate) const RELEASE_MANY: &str = script!("release_many");
pub(crate) const SPOIL: [&str; 3] = [
    "redis.call('DEL', KEYS[2]) return redis.call('ZADD', KEYS[2], 1, 'x')",
    "redis.call('DEL', KEYS[3]) return redis.call('SET', KEYS[3], 'x')",
    "redis.call('DEL', KEYS[4]) return redis.call('SET', KEYS[4], 'x')",
];
pub(crate) const KEYS: [&str; 4] = ["lock", "dlock:fence-clock", "{lock}:queue", "{lock}:seen"];
