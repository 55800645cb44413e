-- Gives the lock to the first in the queue who is there to hear of it. Who has not asked for a while, or whose process
-- does not listen, loses the seat: if it lives, it asks again and stands at the end.
-- With `free`, the first one is only told that the lock is free, and keeps the seat.
-- Returns the token of who was told; nil if nobody is there, or if it is `me` who comes first.
local function hand_over(me, kept, free)
  while true do
    local seat = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
    if not seat then return nil end
    local token, ttl, count, who = string.match(seat, '^(%S+) (%d+) (%d+) (.*)$')
    if token == me then return nil end
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local counts = tonumber(redis.call('ZSCORE', KEYS[4], seat) or 0)
    local channel = 'dlock:' .. string.match(token, '^%x+')
    local told
    if counts < now / 1000 then
      told = 0
    elseif free then
      told = redis.pcall('PUBLISH', channel, 'free ' .. token .. ' ' .. KEYS[1])
    else
      local last = tonumber(string.match(redis.call('GET', KEYS[2]) or '', '^%d+')) or 0
      local fence = math.max(last + 1, now)
      -- It holds the lock before it is told, so that it can trust the message.
      redis.call('SET', KEYS[1], token, 'PX', ttl)
      told = redis.pcall('PUBLISH', channel,
        string.format('granted %s %.0f %d %.0f ', token, fence, redis.call('ZCARD', KEYS[3]) - 1, now) .. KEYS[1])
      if told ~= 0 and type(told) == 'number' then
        redis.call('SET', KEYS[2], string.format('%.0f %.0f ', fence + count - 1, now) .. token .. ' ' .. who, 'PX', kept)
      end
    end
    local heard = type(told) == 'number' and told > 0
    if not (heard and free) then
      redis.call('ZREM', KEYS[3], seat)
      redis.call('ZREM', KEYS[4], seat)
    end
    if heard then return token end
  end
end
