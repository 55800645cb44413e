-- The rest of release.lua: fences go back, and the lock goes on.
local record = redis.pcall('GET', KEYS[2])
local last, since, holder, who = string.match(type(record) == 'string' and record or '', '^(%d+) (%d+) (%S+) (.*)$')
-- Only the very block that the caller knows of: a late copy of its request may have reserved another since, or somebody else.
if holder == ARGV[1] and ARGV[2] ~= '' and last == ARGV[5] then
  redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. since .. ' ' .. holder .. ' ' .. who, 'PX', ARGV[4])
end
if type(waiting) ~= 'number' or waiting == 0 or type(record) == 'table' then return redis.call('DEL', KEYS[1]) end

-- Once a second the lock goes free, so that clients that do not queue are not shut out for ever.
local time = redis.call('TIME')
local free = since and math.floor(since / 1000000) ~= tonumber(time[1])
if free then
  redis.call('DEL', KEYS[1])
  -- For a millisecond or two nobody is given it but who is told so now, and asks after a rest (wait.lua).
  redis.call('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000) + 2, 'free')
  redis.call('PEXPIRE', KEYS[4], 1000)
end
if not hand_over(ARGV[1], ARGV[4], free) then redis.call('DEL', KEYS[1]) end
return 1
