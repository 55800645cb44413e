-- Gives the lock to the first in the queue who is there to hear of it. Who has not asked for a while, or whose process
-- does not listen at this very server, loses the place: if it lives, it asks again and comes last.
-- `why` says what `me` does: it 'gives' the lock away, or 'frees' it, where the first one is only told so and keeps the place. In both
-- cases an entry of its own is out of date. Or it 'asks' for the lock, and gets it if it comes first.
-- `above` is the highest fence that the caller knows of, `waiting` how many are in the queue. `unbroken` is since when the lock
-- has been handed on without being free, in us as text; nil if it was free now. Callers see to it that the queue is a queue.
-- Returns the value that the lock has now, or the token of who was told that it is free; nil if nobody is there, or if it is who
-- asks that comes first. And how many are left in the queue.
--
-- A message goes to the subscribers of replicas, too, and cannot be called back. So it is the last thing to happen: whether
-- somebody listens here is known before, and all that can fail comes before.
local function hand_over(me, why, above, time, waiting, unbroken)
  local now = time[1] * 1000000 + time[2]
  -- The first one may keep its place, so it is not taken out at once.
  local looks = why ~= 'gives'
  while true do
    local entry = (looks and redis.call('ZRANGE', KEYS[3], 0, 0) or redis.call('ZPOPMIN', KEYS[3]))[1]
    if not entry then return nil, 0 end
    -- No block of fences has more than five digits (local/queue/baton.rs). What is no entry of ours is passed over.
    local token, ttl, count, who = string.match(entry, '^(%x+{?%x*}?%-%x+) (%d+) (%d%d?%d?%d?%d?) (.*)$')
    if why == 'asks' and token == me then return nil, waiting end
    local counts = tonumber(helper('ZSCORE', KEYS[4], entry) or 0)
    local channel, publish, listening = channel_of(token or '')
    local heard = false
    if token and token ~= me and counts >= now / 1000 then
      local listeners = redis.pcall('PUBSUB', listening, channel)
      heard = not listeners.err and tonumber(listeners[2]) > 0
    end
    if heard and why == 'frees' then
      if type(redis.pcall(publish, channel, 'free ' .. token .. ' ' .. KEYS[1])) == 'number' then return token, waiting end
    end
    if looks then redis.call('ZREM', KEYS[3], entry) end
    redis.call('ZREM', KEYS[4], entry)
    waiting = waiting - 1
    if heard and why ~= 'frees' then
      -- The message has a fence in any case, by which it can be told from older ones.
      local fence, last = mint(count == '0' and '1' or count, above, time)
      if type(fence) == 'number' then
        local from = in_micros(time)
        local taken = value(token, count == '0' and count or last, from .. ':' .. (unbroken or from), who, waiting)
        -- To write a number as text is dear, and of one fence the last is the first.
        local first = tonumber(count) > 1 and string.format('%.0f', fence) or last
        local message = 'granted ' .. token .. ' ' .. first .. ' ' .. waiting .. ' ' .. KEYS[1]
        -- It holds the lock before it is told, so that it can trust the message.
        local done = redis.pcall('SET', KEYS[1], taken, 'PX', ttl)
        if not done.err then
          done = redis.pcall(publish, channel, message)
          if type(done) == 'number' then return taken, waiting end
          -- Nothing was published, so nobody believes it.
          redis.call('DEL', KEYS[1])
        end
      end
    end
  end
end
