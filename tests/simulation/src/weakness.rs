//! Ways to do it wrong. The judge must see each of them; else it proves nothing. All of them come from outside: the text of a
//! script as the server runs it, the server, the clock, the network, or a switch where the runtime takes its tasks from.

use Weakness::*;

use crate::listed::listed;

listed! {
    /// One thing left out.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[expect(missing_docs, reason = "tests/weakened.rs says of each what it is and which rule sees it")]
    pub enum Weakness {
        ReleaseWithoutToken,
        RenewWithoutToken,
        HandOverToTheDead,
        LastComesFirst,
        BlockTooLarge,
        RefillUnsaid,
        FenceWithoutTimeFloor,
        ForeignMarked,
        AcquireWithoutNx,
        PublishedFirst,
        FloorUnknown,
        RenewalShortens,
        RepeatedAcquireIsRefused,
        LockWithoutTtl,
        NothingMended,
        MarkedSeemsFree,
        GivenToNobodyIsKept,
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
}

impl Weakness {
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
            ReleaseWithoutToken => &[(
                "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  if",
                "if not owner then\n  if",
            )],
            RenewWithoutToken => &[(
                "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  redis",
                "if not owner then\n  redis",
            )],
            HandOverToTheDead => &[
                ("if token and counts >= now / 1000 then", "if token then"),
                ("heard = not listeners.err and tonumber(listeners[2]) > 0", "heard = true"),
            ],
            LastComesFirst => &[(
                "local entry = redis.call('ZRANGE', KEYS[3], 0, 0)",
                "local entry = redis.call('ZRANGE', KEYS[3], -1, -1)",
            )],
            BlockTooLarge => {
                &[("'HINCRBY', KEYS[2], 'last', count)", "'HINCRBY', KEYS[2], 'last', count * 10000000)")]
            }
            RefillUnsaid => &[(
                "redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. last .. rest, 'KEEPTTL')\n",
                "",
            )],
            FenceWithoutTimeFloor => &[
                ("last = math.max(last, (now - 1514764800000000) * 8 + count)", "last = last"),
                ("last = math.max(last, above + count)", "last = last"),
            ],
            ForeignMarked => &[("if holder and not is_marked then", "if owner ~= '' and not is_marked then")],
            AcquireWithoutNx => &[("if redis.call('SET', KEYS[1], taken, 'NX', 'PX', ARGV[2])", "if redis.call('SET', KEYS[1], taken, 'PX', ARGV[2])")],
            PublishedFirst => &[
                (
                    "local done = redis.pcall('SET', KEYS[1], taken, 'PX', ttl)",
                    "local done = redis.pcall('PUBLISH', channel,
                       string.format('granted %s %.0f %d ', token, fence, waiting) .. KEYS[1])
                     done = done == 0 and {err = 'nobody'} or redis.pcall('SET', KEYS[1], taken, 'PX', ttl)",
                ),
                ("heard = not listeners.err and tonumber(listeners[2]) > 0", "heard = true"),
                (
                    "done = redis.pcall('PUBLISH', channel, string.format('granted %s %.0f %d ', token, fence, waiting) .. KEYS[1])
          if type",
                    "done = 1 if type",
                ),
            ],
            FloorUnknown => &[(
                "return {0, redis.call('PTTL', KEYS[1]), owner, last, waiting}",
                "return {0, redis.call('PTTL', KEYS[1]), owner, 1, waiting}",
            )],
            RenewalShortens => &[("local left = ARGV[3] == '1' and 0 or", "local left = true and 0 or")],
            RepeatedAcquireIsRefused => {
                &[("elseif string.sub(owner, 1, #token + 1) == token .. ' ' then", "elseif false then")]
            },
            LockWithoutTtl => {
                &[("redis.pcall('SET', KEYS[1], taken, 'PX', ttl)", "redis.pcall('SET', KEYS[1], taken)")]
            }
            NothingMended => &[(
                "  if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('DEL', key) end\n",
                "",
            )],
            MarkedSeemsFree => &[(
                "local owner = redis.call('GET', KEYS[1])\nif not owner then return nil end",
                "local owner = redis.call('GET', KEYS[1])\nif not owner or string.byte(owner, -1) == 43 then return nil end",
            )],
            GivenToNobodyIsKept => &[("if not told then redis.call('DEL', KEYS[1]) end", "")],
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
