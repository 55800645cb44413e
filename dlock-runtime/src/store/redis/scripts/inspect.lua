-- Says who holds a lock. Writes nothing, and does without a helper key that somebody spoilt.
-- KEYS as in acquire.lua
-- Reply {ttl in ms, token, record, how many wait}; nil if the lock is free
local owner = redis.call('GET', KEYS[1])
if not owner then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Any other error than that comes again.
local function sound(kind, otherwise, ...)
  local reply = redis.pcall(...)
  if type(reply) == kind then return reply end
  if reply and not string.find(reply.err, 'WRONGTYPE', 1, true) then return redis.call(...) end
  return otherwise
end
return {
  redis.call('PTTL', KEYS[1]), owner, sound('string', '', 'GET', KEYS[2]),
  sound('number', 0, 'ZCOUNT', KEYS[4], string.format('%.0f', now), '+inf'),
}
