//! Ways to do it wrong, and which rule sees each. The judge must see all of them; else it proves nothing. All come from outside:
//! the text of a script as the server runs it, the server, the clock, the network, or a switch where the runtime takes its tasks
//! from.

use std::ops::Range;

use crate::{judge::Rule, kind::table, plan::Kind};

macro_rules! weaknesses {
    ($($name:ident: $what:literal, $rule:ident in $kind:ident $seeds:expr $(, $original:literal => $other:literal)*;)+) => {
        table! {
            /// One thing left out.
            pub Weakness { $($name: $what,)+ }
        }

        impl Weakness {
            /// Which rule sees it, and in what worlds it is looked for: of what kind, and with which seeds. They begin where it was seen
            /// last, as most would not show it.
            pub fn seen_by(self) -> (Rule, Kind, Range<u64>) {
                match self { $(Self::$name => (Rule::$rule, Kind::$kind, $seeds),)+ }
            }

            /// What is replaced in the scripts, and by what.
            fn edits(self) -> &'static [(&'static str, &'static str)] {
                match self { $(Self::$name => &[$(($original, $other)),*],)+ }
            }
        }
    };
}

weaknesses! {
    ReleaseWithoutToken: "A release deletes whatever is there.", OwnToken in Busy 1..21,
        "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  if" => "if not owner then\n  if";
    RenewWithoutToken: "A renewal renews whatever is there.", OwnToken in Busy 1..21,
        "if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then\n  if KEYS" => "if not owner then\n  if KEYS";
    HandOverToTheDead: "The lock is handed to waiters who are not there to hear of it.", Listening in Replicas 1..51,
        "if token and token ~= me and counts >= now / 1000 then" => "if token then",
        "heard = not listeners.err and tonumber(listeners[2]) > 0" => "heard = true";
    LastComesFirst: "The lock is handed to who came last.", Order in Busy 1..21,
        "redis.call('ZPOPMIN', KEYS[3])" => "redis.call('ZRANGE', KEYS[3], -1, -1)",
        "if looks then redis.call('ZREM'" => "if true then redis.call('ZREM'";
    LargeBlocksUnread: "Who waits and asks for more than a few fences is taken for nobody.", Order in Hot 1..21,
        "(%d%d?%d?%d?%d?) (.*)$" => "(%d%d?) (.*)$";
    BlockTooLarge: "Fences are reserved that nobody will use.", Ahead in Hot 1..51,
        "'HINCRBY', KEYS[2], 'last', count)" => "'HINCRBY', KEYS[2], 'last', count * 10000000)";
    RefillUnsaid: "More fences are reserved, and the lock does not say so.", Returned in Hot 1..101,
        "redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. last .. rest, 'KEEPTTL')\n" => "";
    FenceWithoutTimeFloor: "A fence counts on from what the server has alone.", Fences in Disaster 5..105,
        "last = math.max(last, (now - 1514764800000000) * 8 + count)" => "last = last",
        "last = math.max(last, above + count)" => "last = last";
    ForeignMarked: "Who waits marks the lock of a client of another kind, too.", OwnToken in Foreign 1..101,
        "if holder and not is_marked then" => "if owner ~= '' and not is_marked then";
    AcquireWithoutNx: "The lock is set, whether it is there or not.", Exclusion in Busy 1..21,
        "if redis.call('SET', KEYS[1], taken, 'NX', 'PX', ARGV[2])" => "if redis.call('SET', KEYS[1], taken, 'PX', ARGV[2])";
    ManyTakenWithoutNx: "Of many locks that are asked for together each is set, whether it is there or not.", Exclusion in Busy 1..101,
        "who, 0), 'NX', 'PX', ttl)" => "who, 0), 'PX', ttl)";
    ManyReleasedWithoutToken: "Of many locks that are given back together each is deleted, whoever has it.", OwnToken in Busy 6..206,
        "owner and string.sub(owner, 1, #token) == token and string.byte" => "owner and string.byte";
    PublishedFirst: "A hand-over is published first and called back if nobody heard; replicas did.", Covered in Replicas 1..201,
        "local done = redis.pcall('SET', KEYS[1], taken, 'PX', ttl)" => "local done = redis.pcall(publish, channel, message)
             done = done == 0 and {err = 'nobody'} or redis.pcall('SET', KEYS[1], taken, 'PX', ttl)",
        "heard = not listeners.err and tonumber(listeners[2]) > 0" => "heard = true",
        "done = redis.pcall(publish, channel, message)
          if type" => "done = 1 if type";
    FloorUnknown: "An answer that does not say when the lock was given away last counts as if it did.", Covered in Storm 20..420,
        "return {0, redis.call('PTTL', KEYS[1]), owner, last, waiting}" => "return {0, redis.call('PTTL', KEYS[1]), owner, 1, waiting}";
    RenewalShortens: "Every renewal may shorten a lease, while its holder goes on to trust the old deadline.", Covered in Busy 1..21,
        "local left = ARGV[3] == '1' and 0 or" => "local left = true and 0 or";
    RepeatedAcquireIsRefused: "Asked again with the token that holds, the store says that the lock is taken.", Orphan in Storm 1..201,
        "elseif string.sub(owner, 1, #token + 1) == token .. ' ' then" => "elseif false then";
    LockWithoutTtl: "A lock that was handed over has no TTL.", Covered in Busy 1..201,
        "redis.pcall('SET', KEYS[1], taken, 'PX', ttl)" => "redis.pcall('SET', KEYS[1], taken)";
    NothingMended: "A helper key of another type stays as it is.", Script in Server 1..21,
        "  if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('DEL', key) end\n" => "";
    MarkedSeemsFree: "Who looks at a lock that somebody waits for is told that it is free.", Inspected in Busy 1..21,
        "if not owner then return nil end" => "if not owner or string.byte(owner, -1) == 43 then return nil end";
    GivenToNobodyIsKept: "A lock that is given to who waits is kept if nobody is left.", Orphan in Storm 1..101,
        "if not told then redis.call('DEL', KEYS[1]) end" => "";
    EpochBroughtAlong: "What is known of the epoch holds for another server, too, whose copy says the same.", Exclusion in Guarded 50..250,
        "if epoch == found and math.abs(now - at) <= 1000 then" => "if epoch then";
    SlotsOfTheClosedTaken: "A closed server says that it is open to those who ask for slots that left it.", Closed in Shards 1..101,
        "return (closed())" => "closed() return 0";
    AlwaysOpen: "A server that took over is open at once.", Exclusion in Guarded 50..250,
        "  if opens - now > 0 then return opens - now end\n" => "";
    ShortQuarantine: "A server that took over is open after a tenth of a TTL.", Exclusion in Guarded 261..461,
        "longest = math.max(quarantine, longest or 0)" => "longest = 30";
    ComesBackWithoutFences: "A hold comes back, whoever had the lock since.", OwnToken in Guarded 382..582,
        "return last and last > 0 and last < tonumber(fence)" => "return true";
    ManyGrantedWhileClosed: "A script for many locks grants while the server is closed.", Closed in Guarded 1..101,
        "if opens_in > 0 then return {string.rep('0', ARGV[1]), 0} end\n" => "";
    SlotsGrantedWhileClosed: "A script for many locks of any slots grants while the server is closed.", Closed in Shards 1..101,
        "if opens_in > 0 then return {string.rep('0 ', #ARGV / 7), 0} end\n" => "";
    HandedOverWhileClosed: "Who gives a lock back while the server is closed hands it over.", Closed in Guarded 1..101,
        "if closed() > 0 then return redis.call('DEL', KEYS[1]) end\n" => "";
    LivesBeginAlike: "Two lives of a server with the same copy of the fence clock give out the same fences.", Fences in Guarded 194..394,
        "ceiling + passed * 8 + count" => "ceiling + count";
    SlotsTakenWithoutNx: "Of many locks of any slots that are asked for together each is set.", Exclusion in Cluster 1..101,
        "value(token, last, since, who, 0), 'NX', 'PX', ttl)" => "value(token, last, since, who, 0), 'PX', ttl)";
    SlotsReleasedWithoutToken: "Of many locks of any slots that are given back together each is deleted.", OwnToken in Cluster 1..101,
        "elseif owner and string.sub(owner, 1, #token) == token and" => "elseif owner and";
    UnlockedWithoutToken: "A lock whose slot is on its way is deleted, whoever has it.", OwnToken in Cluster 16..216,
        "~= ARGV[1] .. ' ' then return 0 end\nreturn redis.call('DEL'" => "== '' then return 0 end\nreturn redis.call('DEL'";
    HandedInVain: "Who is handed the lock is told of another request.", Orphan in Late 1..31,
        "'granted ' .. token .. ' '" => "'granted ' .. token .. '0 '";
    PlacesGivenUp: "Each question of who waits is for another place in the queue.", Order in Busy 1..101,
        "local token = ARGV[1]\nlocal entry" => "local token = ARGV[1] .. time[2]\nlocal entry";
    PublishedPlainly: "In a cluster a message goes to those alone who listen to a plain channel.", Listening in Cluster 1..101,
        "tagged and 'SPUBLISH' or" => "";
    CountedPlainly: "In a cluster those alone are counted who listen to a plain channel.", Order in Cluster 1..101,
        "tagged and 'SHARDNUMSUB' or" => "";
    NoTimeTold: "A server cannot say for how long it is closed.", Script in Guarded 1..21,
        "return (closed())" => "return {err = 'ERR nobody knows'}";
    SentinelsKeepQuiet: "Sentinels tell nobody that the master has moved, unless they are asked.", Exclusion in Watched 29..129;
    FormerOwnerServes: "A server goes on to serve slots that it gave away.", Exclusion in Cluster 1..101;
    MissingKeysServed: "A server takes what has left it already for what there is none of.", Exclusion in Cluster 6..106;
    ComparedWithoutValue: "The command that compares a lock with what it was when it was taken does not compare.", OwnToken in Busy 80..280;
    LeasesEndEarly: "Leases end a tenth early.", Covered in Busy 1..21;
    ReleaseSwallowed: "Some releases are answered and not carried out.", Orphan in Busy 1..51;
    ShorteningResent: "A shortening is carried out again after it was answered.", Covered in Terms 1..201;
    SubscribeSwallowed: "Whoever subscribes gets no answer.", Deaf in Busy 1..21;
    StaleHandOver: "A message about a lease is believed however old it is.", Covered in Storm 14..214;
    DisasterDenied: "The server loses its data, which is excused otherwise.", Exclusion in Disaster 12..212;
    SlowClock: "Clocks are 6% slow.", Covered in Busy 1..21;
    ClockStops: "A clock stands still while its process is stopped.", Covered in Storm 1..101;
    SameIdentity: "All processes have the same identity.", Exclusion in Busy 1..21;
    JobOutputLost: "An acquire is dropped after the keeper finished it, and what it came to is lost.", Orphan in Busy 1..401;
    JobsDropped: "The keeper loses some of its jobs.", Rest in Busy 1..51;
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
