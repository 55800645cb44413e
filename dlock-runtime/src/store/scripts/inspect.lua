-- Tells who holds a lock. Writes nothing.
-- KEYS as in acquire.lua
-- Reply {ttl in ms, token, record, how many wait}; nil if the lock is free
local owner = redis.call('GET', KEYS[1])
if not owner then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {
  redis.call('PTTL', KEYS[1]), owner, redis.call('GET', KEYS[2]) or '',
  redis.call('ZCOUNT', KEYS[4], string.format('%.0f', now), '+inf'),
}
