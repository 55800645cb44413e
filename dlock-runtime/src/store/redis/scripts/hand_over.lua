-- Gives the lock to the first in the queue that can hear of it. A waiter that has not asked for a while, or whose process does
-- not listen at this very server, loses its queue entry: if it lives, it asks again and queues at the end.
-- With `free`, the first one is only notified that the lock is free, and keeps its entry.
-- `last` is the last fence of the record, `now` the time in us, `waiting` how many are in the queue. `unbroken` is since when
-- the lock has been handed on without being free, in us; nil if it was free now. Callers see to it that the queue is a queue.
-- Returns the token that was notified (nil if nobody can hear, or if `me` comes first), and how many are left in the queue.
--
-- A message goes to the subscribers of replicas, too, and cannot be called back. So it is the last thing to happen: whether
-- somebody listens here is known before, and all that can fail comes before.
local function hand_over(me, kept, free, last, now, waiting, unbroken)
  last = tonumber(last) or 0
  while true do
    local entry = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
    if not entry then return nil, 0 end
    local token, ttl, count, who = string.match(entry, '^(%x+%-%x+) (%d+) (%d+) (.*)$')
    if token and token == me then return nil, waiting end
    local counts = tonumber(helper('ZSCORE', KEYS[4], entry) or 0)
    local channel = 'dlock:' .. (token and string.match(token, '^%x+') or '')
    local heard = false
    if token and counts >= now / 1000 then
      local listeners = redis.pcall('PUBSUB', 'NUMSUB', channel)
      heard = not listeners.err and tonumber(listeners[2]) > 0
    end
    if heard and free then
      if type(redis.pcall('PUBLISH', channel, 'free ' .. token .. ' ' .. KEYS[1])) == 'number' then return token, waiting end
    end
    redis.call('ZREM', KEYS[3], entry)
    redis.call('ZREM', KEYS[4], entry)
    waiting = waiting - 1
    if heard and not free then
      -- What is beyond all times is no fence of ours (mint.lua).
      local fence = last < 9e15 and math.max(last + 1, now) or now
      local since = string.format(unbroken and ' %.0f:%.0f ' or ' %.0f ', now, unbroken or 0)
      -- It holds the lock before the message goes out, so that it can trust the message.
      local done = redis.pcall('SET', KEYS[1], token, 'PX', ttl)
      if not done.err then
        last = fence + count - 1
        done = redis.pcall('SET', KEYS[2], string.format('%.0f', last) .. since .. token .. ' ' .. who, 'PX', kept)
      end
      if not done.err then
        done = redis.pcall('PUBLISH', channel,
          string.format('granted %s %.0f %d %.0f ', token, fence, waiting, now) .. KEYS[1])
        if type(done) == 'number' then return token, waiting end
      end
      -- Nothing was published, so nobody believes it.
      redis.call('DEL', KEYS[1])
    end
  end
end
