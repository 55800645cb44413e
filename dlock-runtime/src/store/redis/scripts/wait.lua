-- The rest of acquire.lua: the lock is taken, or somebody waits in the queue for it.
if type(waiting) ~= 'number' then waiting = helper('ZCARD', KEYS[3]) end
local token = ARGV[1]
local entry = token .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]
local record = redis.pcall('GET', KEYS[2])
record = type(record) == 'string' and record or ''
local last, holder = string.match(record, '^(%d+) %S+ (%S+)')
local owner = redis.call('GET', KEYS[1])

local rests = not owner and tonumber(helper('ZSCORE', KEYS[4], 'free') or 0) > now / 1000
if rests and redis.call('ZRANGE', KEYS[3], 0, 0)[1] ~= entry then
  -- It went free on purpose (give.lua), and who comes first will ask when that is over.
  owner = ''
elseif not owner then
  -- It is free: whoever came first gets it. A failure before this point locked nothing.
  redis.call('ZREM', KEYS[4], 'free')
  owner, waiting = hand_over(token, ARGV[5], false, last, now, waiting)
  if owner then
    record = redis.call('GET', KEYS[2])
    holder = owner
  else
    redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
    local fence = mint(token, ARGV[4], ARGV[3], ARGV[5], now)
    if type(fence) == 'table' then redis.call('DEL', KEYS[1]) return fence end
    redis.pcall('ZREM', KEYS[3], entry)
    redis.pcall('ZREM', KEYS[4], entry)
    return {1, fence, redis.call('ZCARD', KEYS[3])}
  end
elseif owner == token then
  -- A repeated request never shortens what a renewal has gained since. It writes in any case, as renew.lua does.
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[2]))
  if holder == token then return {1, last - ARGV[3] + 1, waiting} end
  local fence = mint(token, ARGV[4], ARGV[3], ARGV[5], now)
  return type(fence) == 'table' and fence or {1, fence, waiting}
end

if ARGV[6] ~= '0' then
  waiting = waiting + redis.call('ZADD', KEYS[3], 'NX', string.format('%.0f', now), entry)
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
  -- A holder of our kind is notified that somebody waits, unless it heard so when it was granted the lock. Messages get
  -- lost, so whoever asks again notifies it again.
  local identity = holder == owner and string.match(owner, '^%x+')
  if identity and (ARGV[7] == '1' or waiting == 1) then
    redis.pcall('PUBLISH', 'dlock:' .. identity, 'wanted ' .. owner .. ' ' .. KEYS[1])
  end
end
return {0, redis.call('PTTL', KEYS[1]), owner, record, waiting}
