-- The rest of acquire.lua: the lock is taken, or somebody is in the queue for it.
if type(waiting) ~= 'number' then waiting = helper('ZCARD', KEYS[3]) end
local token = ARGV[1]
local entry = token .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]

local rests = not owner and tonumber(helper('ZSCORE', KEYS[4], 'free') or 0) > now / 1000
if rests and redis.call('ZRANGE', KEYS[3], 0, 0)[1] ~= entry then
  -- It went free on purpose (give.lua), and who comes first will ask when that is over.
  owner = ''
elseif not owner then
  -- It is free: whoever came first gets it. A failure before this point locked nothing.
  redis.call('ZREM', KEYS[4], 'free')
  owner, waiting = hand_over(token, 'asks', ARGV[5], time, waiting)
  if not owner then
    local fence, last = mint(ARGV[3], ARGV[5], time)
    if type(fence) == 'table' then return fence end
    if redis.pcall('ZREM', KEYS[3], entry) == 1 then waiting = waiting - 1 end
    redis.pcall('ZREM', KEYS[4], entry)
    redis.call('SET', KEYS[1], value(token, last, in_micros(time), ARGV[4], waiting), 'PX', ARGV[2])
    return {1, fence, waiting}
  end
elseif string.sub(owner, 1, #token + 1) == token .. ' ' then
  -- A repeated request never shortens what a renewal has gained since. It writes in any case, as renew.lua does.
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[2]))
  local last = string.match(owner, ' (%d+)')
  return {1, last == '0' and 0 or last - ARGV[3] + 1, waiting}
end

if ARGV[6] ~= '0' then
  -- A holder of our kind is told that somebody waits, unless it heard so when it was granted the lock. The mark tells its
  -- release to look at the queue. Messages get lost, so whoever asks again tells it again. The value of another client is its
  -- own business: it compares it as a whole.
  local is_marked = string.byte(owner, -1) == 43
  local holder = (ARGV[7] == '1' or not is_marked)
    and string.match(owner, '^(%x+{?%x*}?%-%x+) %d+ %S+ %(.*%)%+?$')
  if holder and not is_marked then redis.call('SET', KEYS[1], owner .. '+', 'KEEPTTL') end
  waiting = waiting + redis.call('ZADD', KEYS[3], 'NX', in_micros(time), entry)
  helper('ZADD', KEYS[4], math.floor(now / 1000) + ARGV[6], entry)
  -- Both lapse by themselves, and what cannot be made to is not left behind.
  for place = 3, 4 do
    local lapses = redis.pcall('PEXPIRE', KEYS[place], ARGV[6])
    if type(lapses) ~= 'number' then
      redis.call('ZREM', KEYS[3], entry)
      redis.call('ZREM', KEYS[4], entry)
      return redis.call('PEXPIRE', KEYS[place], ARGV[6])
    end
  end
  if holder then
    local channel, publish = channel_of(holder)
    redis.pcall(publish, channel, 'wanted ' .. holder .. ' ' .. KEYS[1])
  end
else
  -- A replica, which may lag behind, refuses a write, and so does not say that the lock is taken.
  redis.call('PEXPIRE', KEYS[2], 604800000)
end
-- A hand-over that was told of before has no fence above this one. Before the first command there was none.
local last = ARGV[7] == '1' and tonumber(redis.pcall('HGET', KEYS[2], 'last')) or 0
return {0, redis.call('PTTL', KEYS[1]), owner, last, waiting}
