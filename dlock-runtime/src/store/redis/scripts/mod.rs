//! The texts of the scripts. This file needs nothing of the crate: tests that run a script as it is sent compile it by its path.
//!
//! They run on Redis 6.2, which knows no `#!lua` line, and by `EVAL` alone. Renewals and releases work when memory is full.

/// Puts a script together from its chapters. The most frequent case is the first chapter and runs through no other.
macro_rules! script {
    ($($chapter:literal),+) => {
        concat!($(include_str!(concat!($chapter, ".lua"))),+)
    };
}

pub(super) const ACQUIRE: &str = script!("mint", "acquire", "take", "mend", "channel", "hand_over", "wait");
pub(super) const RENEW: &str = script!("mint", "renew", "reserve");
pub(super) const RELEASE: &str = script!("release", "mend", "mint", "channel", "hand_over", "give");
pub(super) const UNLOCK: &str = script!("unlock");
pub(super) const ACQUIRE_MANY: &str = script!("mint", "acquire_many");
pub(super) const RELEASE_MANY: &str = script!("release_many");
pub(super) const ACQUIRE_MANY_SLOTS: &str = script!("mint", "acquire_many_slots");
pub(super) const RELEASE_MANY_SLOTS: &str = script!("release_many_slots");
pub(super) const INSPECT: &str = script!("inspect");

/// The same for a server with a failover guard: those that grant, and those that must not hand over while it is closed. Chapters
/// stand before, between and behind those of a server without one, whose text stays as it is: nobody pays for what is switched off.
/// `INFO` in each of them would make them four times as dear, so callers say what they know (`epoch.rs`).
pub(super) mod guarded {
    pub(in super::super) const ACQUIRE: &str = script!(
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
    );
    pub(in super::super) const RENEW: &str =
        script!("mint", "guard/closed", "guard/run", "renew", "reserve", "guard/come_back");
    pub(in super::super) const RELEASE: &str = script!(
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
    );
    pub(in super::super) const ACQUIRE_MANY: &str =
        script!("mint", "guard/closed", "guard/look", "guard/run", "guard/none", "acquire_many", "guard/answers");
    pub(in super::super) const ACQUIRE_MANY_SLOTS: &str = script!(
        "mint",
        "guard/closed",
        "guard/look",
        "guard/run",
        "guard/none_of_slots",
        "acquire_many_slots",
        "guard/answers"
    );
    pub(in super::super) const OPENS: &str = script!("guard/closed", "guard/opens");
}
