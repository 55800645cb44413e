-- Takes locks that are probably free, each with one fence: what acquire.lua does first, for many. Who is not granted the lock
-- here is asked for by acquire.lua.
-- KEYS[1] the first lock   KEYS[2] the fence clock (mint.lua)   KEYS[3] the queue of the first lock
-- KEYS[4], KEYS[5] and so on: the other locks, each with its queue
-- ARGV[1] how many locks, and so how many fences   ARGV[2] the highest fence that the caller knows of
-- ARGV[3] to ARGV[5] and so on: for each lock owner token, ttl in ms, who
-- Reply {a text with a digit for each lock, 1 if it is granted, 0 if it was left alone; the fence of the first, the next ones follow}
-- An error means that nothing was locked.
local time = redis.call('TIME')
local fence = mint(ARGV[1], ARGV[2], time)
if type(fence) == 'table' then return fence end
local since, granted = in_micros(time), {}
for place = 1, #ARGV / 3 do
  local lock, token, ttl, who = KEYS[2 * place], ARGV[3 * place], ARGV[3 * place + 1], ARGV[3 * place + 2]
  if place == 1 then lock = KEYS[1] end
  granted[place] = '0'
  -- An error is for acquire.lua to tell.
  if redis.pcall('ZCARD', KEYS[2 * place + 1]) == 0 then
    local number = string.format('%.0f', fence + place - 1)
    local taken = redis.pcall('SET', lock, value(token, number, since, who, 0), 'NX', 'PX', ttl)
    if taken and taken.ok then granted[place] = '1' end
  end
end
return {table.concat(granted), fence}
