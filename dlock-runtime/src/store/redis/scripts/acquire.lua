-- Takes a lock, or says who has it and takes a place in the queue for it.
-- KEYS[1] the lock: its value begins with the owner token (mint.lua), its TTL is the lease
-- KEYS[2] the fence clock (mint.lua)
-- KEYS[3] the queue: a sorted set of entries "token ttl count who", by the time in us at which they came
-- KEYS[4] when each of them was last asked for: a sorted set of entries, by the time in ms up to which they count
-- ARGV[1] owner token   ARGV[2] ttl in ms   ARGV[3] how many fences to reserve, 0 for none   ARGV[4] who
-- ARGV[5] the highest fence that the caller knows of
-- ARGV[6] for how many ms the caller's entry counts from now, 0 if it does not wait
-- ARGV[7] 1 if it asked before
-- Reply {1, first fence or 0, how many wait} granted; {0, ttl in ms, value of the lock, last fence, how many wait} busy, where the last
-- fence is 0 if the caller did not ask before
-- An error means that nothing was locked.
-- A helper key (KEYS[2] to [4]) of another type never keeps a lock from being taken: it is begun anew.
-- Asked again with the token that holds, it grants again with the same fences, and the lease starts anew.
local time = redis.call('TIME')
local waiting = redis.pcall('ZCARD', KEYS[3])
