-- Starts a lease anew, if it is the caller's.
-- KEYS[1] the lock   ARGV[1] owner token   ARGV[2] ttl in ms
-- Reply 1 renewed; 0 the lock is free or somebody else's
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
