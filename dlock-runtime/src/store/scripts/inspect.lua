-- Tells who holds a lock. Writes nothing.
-- KEYS[1] the lock   KEYS[2] the fence record   KEYS[3] the waiters
-- Reply {ttl in ms, token, record, waiters}; nil if the lock is free
local owner = redis.call('GET', KEYS[1])
if not owner then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {
  redis.call('PTTL', KEYS[1]), owner, redis.call('GET', KEYS[2]) or '',
  redis.call('ZCOUNT', KEYS[3], '(' .. string.format('%.0f', now), '+inf'),
}
