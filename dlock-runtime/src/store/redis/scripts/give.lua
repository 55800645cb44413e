-- The rest of release.lua: fences go back, and the lock goes on.
-- Whatever fails on the way (a user without the right to a command): a waiter that is not notified does not get the lock, which
-- is free then.
local notified
local well, trouble = pcall(function()
  local record = redis.pcall('GET', KEYS[2])
  record = type(record) == 'string' and record or ''
  local last, since, unbroken, holder = string.match(record, '^(%d+) (%d+):?(%d*) (%S+) ')
  -- Only the very block that the caller knows of: a late copy of its request may have reserved another since, or somebody else.
  if holder == ARGV[1] and ARGV[2] ~= '' and last == ARGV[5] then
    last = ARGV[2]
    redis.pcall('SET', KEYS[2], last .. string.match(record, ' .*$'), 'PX', ARGV[4])
  end
  if type(waiting) ~= 'number' then waiting = helper('ZCARD', KEYS[3]) end
  if waiting == 0 then return end

  -- About once a second a lock that is handed on and on goes free, so that clients that do not queue are not shut out for
  -- ever. Who took it when it was free hands it on in any case, however long that took.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local handed = holder == ARGV[1] and tonumber(unbroken)
  local free = handed and math.abs(now - handed) >= 1000000
  if free then
    -- For a millisecond or two only the waiter that is notified now gets it, when it asks after a rest (wait.lua).
    helper('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000) + 2, 'free')
    redis.call('PEXPIRE', KEYS[4], 1000)
  end
  notified = hand_over(ARGV[1], ARGV[4], free, last, now, waiting, handed or holder == ARGV[1] and tonumber(since) or now)
    and not free
end)
if not notified then redis.call('DEL', KEYS[1]) end
if not well then return {err = 'ERR ' .. tostring(type(trouble) == 'table' and trouble.err or trouble)} end
return 1
