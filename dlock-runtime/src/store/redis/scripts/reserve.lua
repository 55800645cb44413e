-- The rest of renew.lua: more fences for the holder, whose record says the same otherwise.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local record = redis.pcall('GET', KEYS[2])
record = type(record) == 'string' and record or ''
local last, holder = string.match(record, '^(%d+) %S+ (%S+) ')
if holder ~= ARGV[1] or tonumber(last) > 9e15 then return mint(ARGV[1], ARGV[5], ARGV[4], ARGV[6], now) end
local fence = math.max(last + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', fence + ARGV[4] - 1) .. string.match(record, ' .*$'), 'PX', ARGV[6])
return fence
