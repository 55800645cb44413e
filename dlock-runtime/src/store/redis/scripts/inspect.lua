-- Says who holds a lock. Writes nothing, and does without a helper key that somebody spoilt.
-- KEYS as in acquire.lua
-- Reply {ttl in ms, value of the lock, how many wait}; nil if the lock is free
local owner = redis.call('GET', KEYS[1])
if not owner then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waiting = redis.pcall('ZCOUNT', KEYS[4], string.format('%.0f', now), '+inf')
if type(waiting) == 'table' then
  -- Any other error than that comes again.
  if not string.find(waiting.err, 'WRONGTYPE', 1, true) then return waiting end
  waiting = 0
end
return {redis.call('PTTL', KEYS[1]), owner, waiting}
