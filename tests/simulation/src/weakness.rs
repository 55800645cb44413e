//! Ways to do it wrong. The judge must see each of them; else it proves nothing.

/// One thing left out of the protocol, in the client or in the text of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// A lease counts from the reply instead of from before the question.
    DeadlineFromReply,
    /// A lease that was handed over counts from the message.
    HandedFromMessage,
    /// A message about a lease is believed however old it is.
    StaleHandOver,
    /// An answer that does not say when the lock was given away last counts as if it did.
    UnknownFloor,
    /// A release deletes whatever is there.
    ReleaseWithoutToken,
    /// A renewal renews whatever is there.
    RenewWithoutToken,
    /// The lock is handed to waiters who are not there to hear of it.
    HandOverToTheDead,
    /// The lock is handed to who came last.
    LastComesFirst,
    /// The unused rest of a block of fences is not returned.
    BlockKept,
    /// The rest of a block is returned, whatever was reserved since.
    BlockReturnedBlindly,
    /// A lease is shortened in the store while its holder goes on to trust the old deadline.
    ShortenWithoutCap,
    /// Nobody cleans up after a request that was cancelled.
    CancelledNotCleanedUp,
    /// The network carries a shortening out again after it was answered.
    ShorteningResent,
    /// Who waits sleeps until a message comes.
    SleeperWithoutDeadline,
    /// A fence counts on from the record alone.
    FenceWithoutTimeFloor,
    /// The lock is set, whether it is there or not.
    AcquireWithoutNx,
}

const MINT: &str = include_str!("../../../dlock-runtime/src/store/redis/scripts/mint.lua");

/// What `mint` would be if it counted on from the record alone.
const MINT_WITHOUT_TIME_FLOOR: &str = "
local function mint(token, who, count, kept, now)
  local last = tonumber(string.match(redis.call('GET', KEYS[2]) or '', '^%d+')) or 0
  redis.call('SET', KEYS[2], string.format('%.0f %.0f ', last + count, now) .. token .. ' ' .. who, 'PX', kept)
  return last + 1
end
";

impl Weakness {
    /// Leaves something out of a script.
    pub(crate) fn spoil(self, script: &str, text: &str) -> String {
        let changes: &[(&str, &str)] = match (self, script) {
            (Self::ReleaseWithoutToken, "release") => {
                &[("if redis.call('GET', KEYS[1]) ~= ARGV[1] then", "if false then")]
            }
            (Self::RenewWithoutToken, "renew") => &[("if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end", "")],
            (Self::LastComesFirst, "acquire" | "release") => &[(
                "local entry = redis.call('ZRANGE', KEYS[3], 0, 0)",
                "local entry = redis.call('ZRANGE', KEYS[3], -1, -1)",
            )],
            (Self::BlockReturnedBlindly, "release") => {
                &[("and last == ARGV[5] then", "and tonumber(ARGV[2]) < tonumber(last) then")]
            }
            (Self::HandOverToTheDead, "acquire" | "release") => &[
                ("if token and counts >= now / 1000 then", "if token then"),
                ("heard = not listeners.err and tonumber(listeners[2]) > 0", "heard = true"),
            ],
            (Self::FenceWithoutTimeFloor, "acquire" | "renew") => {
                &[(MINT, MINT_WITHOUT_TIME_FLOOR), ("math.max(last + 1, now)", "last + 1")]
            }
            (Self::FenceWithoutTimeFloor, "release") => &[("math.max(last + 1, now)", "last + 1")],
            (Self::AcquireWithoutNx, "acquire") => &[("ARGV[1], 'NX', 'PX', ARGV[2])", "ARGV[1], 'PX', ARGV[2])")],
            _ => &[],
        };
        let mut text = text.to_owned();
        for (original, spoilt) in changes {
            assert!(
                text.matches(original).count() == 1,
                "{script}.lua does not say `{original}` once; {self:?} must follow it"
            );
            text = text.replace(original, spoilt);
        }
        text
    }
}
