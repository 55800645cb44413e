//! Ways to do it wrong, and which rule sees each. The judge must see all of them; else it proves nothing. All come from outside:
//! the text of a script as the server runs it, the server, the clock, the network, or a switch where the runtime takes its tasks
//! from.

use std::ops::Range;

use crate::{judge::Rule, plan::Kind};

macro_rules! weaknesses {
    ($($(#[$about:meta])+ $name:ident: $rule:ident in $kind:ident within $worlds:literal $(from $first:literal)? $(, $original:literal => $other:literal)*;)+) => {
        /// One thing left out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Weakness {
            $($(#[$about])+ $name,)+
        }

        impl Weakness {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Which rule sees it, and in what worlds it is looked for: of what kind, and with which seeds. They begin where it was seen
            /// last, as most would not show it.
            pub fn seen_by(self) -> (Rule, Kind, Range<u64>) {
                let from = |first: u64, worlds: u64| first..first + worlds;
                match self {
                    $(Self::$name => (Rule::$rule, Kind::$kind, from([$($first,)? 1][0], $worlds)),)+
                }
            }

            /// What is replaced in the scripts, and by what.
            fn edits(self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $(Self::$name => &[$(($original, $other)),*],)+
                }
            }
        }
    };
}

weaknesses! {
    /// A release deletes whatever is there.
    ReleaseWithoutToken: OwnToken in Busy within 20,
        "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  if" => "if not owner then\n  if";
    /// A renewal renews whatever is there.
    RenewWithoutToken: OwnToken in Busy within 20,
        "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  if KEYS" => "if not owner then\n  if KEYS";
    /// The lock is handed to waiters who are not there to hear of it.
    HandOverToTheDead: Listening in Replicas within 50,
        "if token and token ~= me and counts >= now / 1000 then" => "if token then",
        "heard = not listeners.err and tonumber(listeners[2]) > 0" => "heard = true";
    /// The lock is handed to who came last.
    LastComesFirst: Order in Busy within 20,
        "redis.call('ZPOPMIN', KEYS[3])" => "redis.call('ZRANGE', KEYS[3], -1, -1)",
        "if looks then redis.call('ZREM'" => "if true then redis.call('ZREM'";
    /// Who waits and asks for more than a few fences is taken for nobody.
    LargeBlocksUnread: Order in Hot within 20,
        "(%d%d?%d?%d?%d?) (.*)$" => "(%d%d?) (.*)$";
    /// Fences are reserved that nobody will use.
    BlockTooLarge: Ahead in Hot within 50,
        "'HINCRBY', KEYS[2], 'last', count)" => "'HINCRBY', KEYS[2], 'last', count * 10000000)";
    /// More fences are reserved, and the lock does not say so.
    RefillUnsaid: Returned in Hot within 100,
        "redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. last .. rest, 'KEEPTTL')\n" => "";
    /// A fence counts on from what the server has alone.
    FenceWithoutTimeFloor: Fences in Disaster within 100 from 5,
        "last = math.max(last, (now - 1514764800000000) * 8 + count)" => "last = last",
        "last = math.max(last, above + count)" => "last = last";
    /// Who waits marks the lock of a client of another kind, too.
    ForeignMarked: OwnToken in Foreign within 100,
        "if holder and not is_marked then" => "if owner ~= '' and not is_marked then";
    /// The lock is set, whether it is there or not.
    AcquireWithoutNx: Exclusion in Busy within 20,
        "if redis.call('SET', KEYS[1], taken, 'NX', 'PX', ARGV[2])" => "if redis.call('SET', KEYS[1], taken, 'PX', ARGV[2])";
    /// Of many locks that are asked for together each is set, whether it is there or not.
    ManyTakenWithoutNx: Exclusion in Busy within 100, "who, 0), 'NX', 'PX', ttl)" => "who, 0), 'PX', ttl)";
    /// Of many locks that are given back together each is deleted, whoever has it.
    ManyReleasedWithoutToken: OwnToken in Busy within 200 from 6,
        "owner and string.sub(owner, 1, #token) == token and string.byte" => "owner and string.byte";
    /// A hand-over is published before it is done and called back if nobody here heard of it: a subscriber of a replica hears
    /// of it all the same.
    PublishedFirst: Covered in Replicas within 200,
        "local done = redis.pcall('SET', KEYS[1], taken, 'PX', ttl)" => "local done = redis.pcall(publish, channel, message)
             done = done == 0 and {err = 'nobody'} or redis.pcall('SET', KEYS[1], taken, 'PX', ttl)",
        "heard = not listeners.err and tonumber(listeners[2]) > 0" => "heard = true",
        "done = redis.pcall(publish, channel, message)
          if type" => "done = 1 if type";
    /// An answer that does not say when the lock was given away last counts as if it did.
    FloorUnknown: Covered in Storm within 400 from 8,
        "return {0, redis.call('PTTL', KEYS[1]), owner, last, waiting}" => "return {0, redis.call('PTTL', KEYS[1]), owner, 1, waiting}";
    /// Every renewal may shorten a lease, while its holder goes on to trust the old deadline.
    RenewalShortens: Covered in Busy within 20, "local left = ARGV[3] == '1' and 0 or" => "local left = true and 0 or";
    /// Asked again with the token that holds, the store says that the lock is taken.
    RepeatedAcquireIsRefused: Orphan in Storm within 200,
        "elseif string.sub(owner, 1, #token + 1) == token .. ' ' then" => "elseif false then";
    /// A lock that was handed over has no TTL.
    LockWithoutTtl: Covered in Busy within 200,
        "redis.pcall('SET', KEYS[1], taken, 'PX', ttl)" => "redis.pcall('SET', KEYS[1], taken)";
    /// A helper key of another type stays as it is.
    NothingMended: Script in Server within 20,
        "  if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('DEL', key) end\n" => "";
    /// Who looks at a lock that somebody waits for is told that it is free.
    MarkedSeemsFree: Inspected in Busy within 20,
        "if not owner then return nil end" => "if not owner or string.byte(owner, -1) == 43 then return nil end";
    /// A lock that is given to who waits is kept if nobody is left.
    GivenToNobodyIsKept: Orphan in Storm within 100, "if not told then redis.call('DEL', KEYS[1]) end" => "";
    /// What is known of the epoch is brought along to another server, whose copy says the same.
    EpochBroughtAlong: Exclusion in Guarded within 200 from 50, "if epoch == known then return 0 end" => "if epoch then return 0 end";
    /// A server that took over is open at once.
    AlwaysOpen: Exclusion in Guarded within 200 from 33, "  if opens - now > 0 then return opens - now end\n" => "";
    /// A server that took over is open after a tenth of a TTL.
    ShortQuarantine: Exclusion in Guarded within 200 from 184,
        "longest = math.max(quarantine, longest or 0)" => "longest = 30";
    /// A hold comes back, whoever had the lock since.
    ComesBackWithoutFences: OwnToken in Guarded within 200 from 200,
        "return last and last > 0 and last < tonumber(fence)" => "return true";
    /// Two lives of a server that begin with the same copy of the fence clock give out the same fences.
    LivesBeginAlike: Fences in Guarded within 300 from 1307, "ceiling + passed * 8 + count" => "ceiling + count";
    /// Of many locks of any slots that are asked for together each is set, whether it is there or not.
    SlotsTakenWithoutNx: Exclusion in Cluster within 100,
        "value(token, last, since, who, 0), 'NX', 'PX', ttl)" => "value(token, last, since, who, 0), 'PX', ttl)";
    /// Of many locks of any slots that are given back together each is deleted, whoever has it.
    SlotsReleasedWithoutToken: OwnToken in Cluster within 100,
        "elseif owner and string.sub(owner, 1, #token) == token and" => "elseif owner and";
    /// A lock whose slot is on its way is deleted, whoever has it.
    UnlockedWithoutToken: OwnToken in Cluster within 200 from 16,
        "~= ARGV[1] .. ' ' then return 0 end\nreturn redis.call('DEL'" => "== '' then return 0 end\nreturn redis.call('DEL'";
    /// Sentinels tell nobody that the master has moved, unless they are asked.
    SentinelsKeepQuiet: Exclusion in Watched within 100 from 10;
    /// A server goes on to serve slots that it gave away.
    FormerOwnerServes: Exclusion in Cluster within 100;
    /// A server takes what has left it already for what there is none of.
    MissingKeysServed: Exclusion in Cluster within 100 from 6;
    /// The command that compares a lock with what it was when it was taken does not compare.
    ComparedWithoutValue: OwnToken in Busy within 200 from 80;
    /// Leases end a tenth early.
    LeasesEndEarly: Covered in Busy within 20;
    /// Some releases are answered and not carried out.
    ReleaseSwallowed: Orphan in Busy within 50;
    /// A shortening is carried out again after it was answered.
    ShorteningResent: Covered in Terms within 200;
    /// Whoever subscribes gets no answer.
    SubscribeSwallowed: Deaf in Busy within 20;
    /// A message about a lease is believed however old it is.
    StaleHandOver: Covered in Storm within 200 from 14;
    /// The server loses its data, which is excused otherwise.
    DisasterDenied: Exclusion in Disaster within 200 from 12;
    /// Clocks are 6% slow.
    SlowClock: Covered in Busy within 20;
    /// A clock stands still while its process is stopped.
    ClockStops: Covered in Storm within 100;
    /// All processes have the same identity.
    SameIdentity: Exclusion in Busy within 20;
    /// An acquire is dropped after the keeper finished it, and what it came to is lost.
    JobOutputLost: Orphan in Busy within 400;
    /// The keeper loses some of its jobs.
    JobsDropped: Rest in Busy within 50;
}

impl Weakness {
    /// Whether something is left out of a script.
    pub fn is_of_a_script(self) -> bool {
        !self.edits().is_empty()
    }

    /// The text of a script with its edits, if one of them is for it.
    pub(crate) fn spoil(self, text: &str) -> Option<String> {
        let spoil = |text: String, (original, other): &(&str, &str)| text.replace(original, other);
        let spoilt = self.edits().iter().fold(text.to_owned(), spoil);
        (spoilt != text).then_some(spoilt)
    }
}
