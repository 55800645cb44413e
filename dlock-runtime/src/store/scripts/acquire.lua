-- Takes a lock, or says who has it.
-- KEYS[1] the lock: its value is the owner token, its TTL is the lease
-- KEYS[2] the fence record, "fence since-in-us token who": it outlives the lock
-- KEYS[3] the waiters: a sorted set of tokens by the time in ms up to which they count
-- ARGV[1] owner token   ARGV[2] ttl in ms   ARGV[3] who   ARGV[4] how long the record is kept, in ms
-- ARGV[5] for how many ms the caller counts as a waiter, 0 if it does not wait
-- ARGV[6] 1 if the caller may be among the waiters already
-- Reply {1, fence} granted; {0, ttl in ms, token, record, waiters} busy
-- An error means that nothing was locked: whatever can fail is done before the lock is set.
-- Asked again with the token that holds, it grants again with the same fence and a fresh lease.
local token = ARGV[1]
local record = redis.call('GET', KEYS[2]) or ''
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- The time is a floor of the fence: it keeps rising when the record expired or a failover lost it.
local function mint()
  local last = tonumber(string.match(record, '^%d+')) or 0
  local fence = string.format('%.0f', math.max(last + 1, now))
  redis.call('SET', KEYS[2], fence .. string.format(' %.0f ', now) .. token .. ' ' .. ARGV[3], 'PX', ARGV[4])
  return {1, fence}
end

if redis.call('SET', KEYS[1], token, 'NX', 'PX', ARGV[2]) then
  if ARGV[6] == '1' then redis.pcall('ZREM', KEYS[3], token) end
  return mint()
end

local owner = redis.call('GET', KEYS[1])
if owner == token then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  local fence, holder = string.match(record, '^(%d+) %d+ (%S+)')
  if holder == token then return {1, fence} end
  return mint()
end

local waiters = 0
if ARGV[5] ~= '0' then
  local millis = math.floor(now / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', millis)
  redis.call('ZADD', KEYS[3], millis + ARGV[5], token)
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
  waiters = redis.call('ZCARD', KEYS[3])
end
return {0, redis.call('PTTL', KEYS[1]), owner, record, waiters}
