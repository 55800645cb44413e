-- Gives back whatever a token has: the lock, or a place in the queue. The lock goes to the first in the queue.
-- KEYS as in acquire.lua
-- ARGV[1] owner token   ARGV[2] the queue entry, '' if there is none   ARGV[3] the highest fence that the caller knows of
-- Reply 1 released; 0 the lock is free or somebody else's
-- A lock without a mark is wanted by nobody, and needs nothing but to be compared and deleted.
local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then
  if ARGV[2] ~= '' then
    for place = 3, 4 do
      local gone = redis.pcall('ZREM', KEYS[place], ARGV[2])
      -- What is no set has no entry. Any other error comes again.
      if type(gone) == 'table' and not string.find(gone.err, 'WRONGTYPE', 1, true) then
        redis.call('ZREM', KEYS[place], ARGV[2])
      end
    end
  end
  -- A replica, which may lag behind, refuses a write, and so does not deny a lock.
  redis.call('PEXPIRE', KEYS[2], 604800000)
  return 0
end
if string.byte(owner, -1) ~= 43 then return redis.call('DEL', KEYS[1]) end
