-- Tells who holds a lock. Writes nothing, and goes without a helper key that somebody spoilt.
-- KEYS as in acquire.lua
-- Reply {ttl in ms, token, record, how many wait}; nil if the lock is free
local owner = redis.call('GET', KEYS[1])
if not owner then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.pcall('GET', KEYS[2])
local waiting = redis.pcall('ZCOUNT', KEYS[4], string.format('%.0f', now), '+inf')
return {
  redis.call('PTTL', KEYS[1]), owner, type(record) == 'string' and record or '', type(waiting) == 'number' and waiting or 0,
}
