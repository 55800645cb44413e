-- Takes locks that are probably free, each with one fence of its slot's clock, at a master of a cluster: what acquire.lua does first,
-- for many locks of any slots that this master has. Who is not granted the lock here is asked for by acquire.lua.
-- There are no KEYS, as those of a script must be of one slot. What it touches nevertheless a server refuses key by key: all of a slot
-- that is not its own, and of one that is on its way whatever is not here any more.
-- ARGV for each lock: the lock, its fence clock (mint.lua), its queue, the highest fence that the caller knows of, owner token, ttl in
-- ms, who
-- Reply {a text with the fence of each lock, 0 if it was left alone, how many are granted}; a text that stands last is taken for an epoch
-- (store/redis/epoch.rs)
-- An error means that nothing was locked: all keys were refused.
local time = redis.call('TIME')
local since, fences, granted, refused, refusal = in_micros(time), {}, 0, 0, nil
for first = 1, #ARGV, 7 do
  local lock, clock, queue, above, token, ttl, who = unpack(ARGV, first, first + 6)
  local number, waiting = '0', redis.pcall('ZCARD', queue)
  if waiting == 0 then
    KEYS[2] = clock
    local _, last = mint('1', above, time)
    -- An error is for acquire.lua to tell.
    local taken = last and redis.pcall('SET', lock, value(token, last, since, who, 0), 'NX', 'PX', ttl)
    if taken and taken.ok then number, granted = last, granted + 1 end
  elseif type(waiting) == 'table' then
    refused, refusal = refused + 1, waiting
  end
  fences[#fences + 1] = number
end
if refused > 1 and refused == #fences then return refusal end
return {table.concat(fences, ' '), granted}
