-- The rest of release.lua: somebody waited for the lock, and it goes on.
-- Whatever fails on the way (a user without the right to a command): who is not told of a hand-over does not get the lock, and
-- it is free.
local told
local well, trouble = pcall(function()
  -- A helper key that somebody spoilt must not keep the lock from being released.
  local waiting = helper('ZCARD', KEYS[3])
  if waiting == 0 then return end

  -- About once a second a lock that is handed on and on goes free, so that clients that do not queue are not shut out for
  -- ever. Who took it when it was free hands it on in any case, however long that took.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local since, unbroken = string.match(owner, '^%S+ %d+ (%d+):?(%d*)')
  unbroken = unbroken ~= '' and unbroken
  local free = unbroken and math.abs(now - unbroken) >= 1000000
  if free then
    -- For a millisecond or two only the waiter that is notified now gets it, when it asks after a rest (wait.lua).
    helper('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000) + 2, 'free')
    redis.call('PEXPIRE', KEYS[4], 1000)
  end
  told = hand_over(ARGV[1], free and 'frees' or 'gives', ARGV[3], time, waiting, unbroken or since) and not free
end)
if not told then redis.call('DEL', KEYS[1]) end
if not well then return {err = 'ERR ' .. tostring(type(trouble) == 'table' and trouble.err or trouble)} end
return 1
