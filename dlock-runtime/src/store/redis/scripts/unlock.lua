-- Gives a lock back while its slot is on its way to another server of a cluster: then a script may name one key only. Who waits finds out
-- by asking.
-- KEYS[1] the lock   ARGV[1] owner token
-- Reply 1 released; 0 the lock is free or somebody else's
local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return 0 end
return redis.call('DEL', KEYS[1])
