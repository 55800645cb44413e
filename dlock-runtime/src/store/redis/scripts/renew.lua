-- Starts a lease anew, if it is the caller's, and reserves more fences for it.
-- KEYS[1] the lock   KEYS[2] the fence clock (mint.lua); in a cluster it is there only if fences are reserved
-- ARGV[1] owner token   ARGV[2] ttl in ms   ARGV[3] 1 if the lease may become shorter by that
-- ARGV[4] how many fences to reserve, 0 for none   ARGV[5] the highest fence that the caller knows of
-- Reply 0 the lock is free or somebody else's; 1 renewed; the first of the fences
-- Each answer goes with a write: a replica, which may lag behind, refuses that and so neither confirms nor denies a lease. A replica
-- in a cluster refuses the whole script.
local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then
  if KEYS[2] then redis.call('PEXPIRE', KEYS[2], 604800000) end
  return 0
end
local left = ARGV[3] == '1' and 0 or redis.call('PTTL', KEYS[1])
redis.call('PEXPIRE', KEYS[1], left < tonumber(ARGV[2]) and ARGV[2] or left)
if ARGV[4] == '0' then return 1 end
