-- The rest of renew.lua: more fences for the holder, whose lock says the same otherwise.
local fence, last = mint(ARGV[4], ARGV[5], redis.call('TIME'))
if type(fence) == 'table' then return fence end
local rest = string.match(owner, '^%S+ %d+( .*)$') or ''
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. last .. rest, 'KEEPTTL')
return fence
