//! Ways to do it wrong. The judge must see each of them; else it proves nothing. All of them come from outside: the text of a
//! script as the server runs it, the server, the clock, the network, or a switch where the runtime takes its tasks from.

use Weakness::*;

/// One thing left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "tests/weakened.rs says of each what it is and which rule sees it")]
pub enum Weakness {
    ReleaseWithoutToken,
    RenewWithoutToken,
    HandOverToTheDead,
    LastComesFirst,
    BlockKept,
    BlockReturnedBlindly,
    FenceWithoutTimeFloor,
    AcquireWithoutNx,
    PublishedFirst,
    FloorUnknown,
    RenewalShortens,
    RepeatedAcquireIsRefused,
    LockWithoutTtl,
    SeatWithoutTtl,
    LeasesEndEarly,
    ReleaseSwallowed,
    ShorteningResent,
    SubscribeSwallowed,
    StaleHandOver,
    DisasterDenied,
    SlowClock,
    ClockStops,
    SameIdentity,
    JobOutputLost,
    JobsDropped,
}

impl Weakness {
    /// All of them.
    pub const ALL: [Self; 25] = [
        ReleaseWithoutToken,
        RenewWithoutToken,
        HandOverToTheDead,
        LastComesFirst,
        BlockKept,
        BlockReturnedBlindly,
        FenceWithoutTimeFloor,
        AcquireWithoutNx,
        PublishedFirst,
        FloorUnknown,
        RenewalShortens,
        RepeatedAcquireIsRefused,
        LockWithoutTtl,
        SeatWithoutTtl,
        LeasesEndEarly,
        ReleaseSwallowed,
        ShorteningResent,
        SubscribeSwallowed,
        StaleHandOver,
        DisasterDenied,
        SlowClock,
        ClockStops,
        SameIdentity,
        JobOutputLost,
        JobsDropped,
    ];

    /// What the runtime's tasks are told to do wrong.
    pub(crate) fn switch(self) -> Option<&'static str> {
        match self {
            JobOutputLost => Some("job output"),
            JobsDropped => Some("jobs"),
            _ => None,
        }
    }

    /// Whether something is left out of a script.
    pub fn is_of_a_script(self) -> bool {
        !self.edits().is_empty()
    }

    /// Leaves something out of a script, if it is there: what is replaced, and by what.
    pub(crate) fn edits(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ReleaseWithoutToken => &[("if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n  if", "if false then\n  if")],
            RenewWithoutToken => {
                &[("if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n  redis", "if false then\n  redis")]
            }
            HandOverToTheDead => &[
                ("if token and counts >= now / 1000 then", "if token then"),
                ("heard = not listeners.err and tonumber(listeners[2]) > 0", "heard = true"),
                ("if type(done) == 'number' then return token end", "return token"),
            ],
            LastComesFirst => &[(
                "local entry = redis.call('ZRANGE', KEYS[3], 0, 0)",
                "local entry = redis.call('ZRANGE', KEYS[3], -1, -1)",
            )],
            BlockKept => &[("if holder == ARGV[1] and ARGV[2] ~= '' and last == ARGV[5] then", "if false then")],
            BlockReturnedBlindly => {
                &[("if holder == ARGV[1] and ARGV[2] ~= '' and last == ARGV[5] then", "if ARGV[2] ~= '' and last then")]
            }
            FenceWithoutTimeFloor => &[
                (
                    "if not before or not before.err and before < since then return now end\n",
                    "if not before then before = '0 ' end\n",
                ),
                ("math.max(now, used + 1)", "(used + 1)"),
                ("math.max(last + 1, now)", "(last + 1)"),
            ],
            AcquireWithoutNx => &[(
                "waiting == 0 and redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])",
                "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
            )],
            PublishedFirst => &[
                (
                    "local done = redis.pcall('SET', KEYS[1], token, 'PX', ttl)",
                    "local done = redis.pcall('PUBLISH', channel,
                       string.format('granted %s %.0f %d %.0f ', token, fence, waiting, now) .. KEYS[1])
                     done = done == 0 and {err = 'nobody'} or redis.pcall('SET', KEYS[1], token, 'PX', ttl)",
                ),
                ("heard = not listeners.err and tonumber(listeners[2]) > 0", "heard = true"),
                (
                    "done = redis.pcall('PUBLISH', channel,
          string.format('granted %s %.0f %d %.0f ', token, fence, waiting, now) .. KEYS[1])
        if type",
                    "done = 1 if type",
                ),
            ],
            FloorUnknown => &[(
                "return {0, redis.call('PTTL', KEYS[1]), owner, record, waiting}",
                "return {0, redis.call('PTTL', KEYS[1]), owner, (string.gsub(record, '^%d+ %d+', '1 1', 1)), waiting}",
            )],
            RenewalShortens => &[("local left = ARGV[3] == '1' and 0 or", "local left = true and 0 or")],
            RepeatedAcquireIsRefused => &[("elseif owner == token then", "elseif false then")],
            LockWithoutTtl => {
                &[("redis.pcall('SET', KEYS[1], token, 'PX', ttl)", "redis.pcall('SET', KEYS[1], token)")]
            }
            SeatWithoutTtl => &[("local lapses = redis.pcall('PEXPIRE', KEYS[place], ARGV[6])", "local lapses = 1")],
            _ => &[],
        }
    }

    /// The text of a script with its edits, if one of them is for it.
    pub(crate) fn spoil(self, text: &str) -> Option<String> {
        let mut spoilt = text.to_owned();
        for (original, other) in self.edits() {
            spoilt = spoilt.replace(original, other);
        }
        (spoilt != text).then_some(spoilt)
    }
}
