-- Gives back whatever a token has: the lock, or an entry in the queue. The lock goes to the first in the queue.
-- KEYS as in acquire.lua
-- ARGV[1] owner token   ARGV[2] the last fence that was used, '' if none goes back
-- ARGV[3] the queue entry, '' if there is none   ARGV[4] how long the record is kept, in ms
-- ARGV[5] the last fence of the block of which the rest goes back
-- Reply 1 released; 0 the lock is free or somebody else's
-- With an empty queue and no fence to return it needs nothing but the lock itself.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  if ARGV[3] ~= '' then
    for place = 3, 4 do
      local gone = redis.pcall('ZREM', KEYS[place], ARGV[3])
      -- What is no set has no entry. Any other error is raised again.
      if type(gone) == 'table' and not string.find(gone.err, 'WRONGTYPE', 1, true) then
        redis.call('ZREM', KEYS[place], ARGV[3])
      end
    end
  end
  -- A replica, which may lag behind, refuses a write, and so does not deny a lock.
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return 0
end
-- A helper key that somebody spoilt must not keep the lock from being released.
local waiting = redis.pcall('ZCARD', KEYS[3])
if waiting == 0 and ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
