-- The rest of acquire.lua: the lock is taken, or somebody stands in the queue for it.
local token = ARGV[1]
local seat = token .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]
local record = redis.call('GET', KEYS[2]) or ''
local last, holder = string.match(record, '^(%d+) %d+ (%S+)')
local owner = redis.call('GET', KEYS[1])

local rests = not owner and tonumber(redis.call('ZSCORE', KEYS[4], 'free') or 0) > now / 1000
if rests and redis.call('ZRANGE', KEYS[3], 0, 0)[1] ~= seat then
  -- It went free on purpose (give.lua), and who comes first will ask when that is over.
  owner = ''
elseif not owner then
  -- It is free: whoever came first gets it. A failure before this point locked nothing.
  redis.call('ZREM', KEYS[4], 'free')
  owner = hand_over(token, ARGV[5])
  if owner then
    record = redis.call('GET', KEYS[2])
    holder = owner
  else
    redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
    redis.call('ZREM', KEYS[3], seat)
    redis.call('ZREM', KEYS[4], seat)
    local fence = mint(token, ARGV[4], ARGV[3], ARGV[5], now)
    if type(fence) == 'table' then redis.call('DEL', KEYS[1]) return fence end
    return {1, fence, redis.call('ZCARD', KEYS[3])}
  end
elseif owner == token then
  -- A repeated request never shortens what a renewal has gained since.
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  local waiting = redis.call('ZCARD', KEYS[3])
  if holder == token then return {1, last - ARGV[3] + 1, waiting} end
  return {1, mint(token, ARGV[4], ARGV[3], ARGV[5], now), waiting}
end

if ARGV[6] ~= '0' then
  redis.call('ZADD', KEYS[3], 'NX', string.format('%.0f', now), seat)
  redis.call('ZADD', KEYS[4], math.floor(now / 1000) + ARGV[6], seat)
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
  redis.call('PEXPIRE', KEYS[4], ARGV[6])
  -- A holder of our kind is told that somebody waits, unless it heard so when it was granted the lock. Messages get
  -- lost, so whoever asks again tells it again.
  if holder == owner and (ARGV[7] == '1' or redis.call('ZCARD', KEYS[3]) == 1) then
    redis.pcall('PUBLISH', 'dlock:' .. string.match(owner, '^%x+'), 'wanted ' .. owner .. ' ' .. KEYS[1])
  end
end
return {0, redis.call('PTTL', KEYS[1]), owner, record, redis.call('ZCARD', KEYS[3])}
