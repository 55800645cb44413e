-- Takes a lock, or says who has it and enters the queue for it.
-- KEYS[1] the lock: its value is the owner token, its TTL is the lease
-- KEYS[2] the record (mint.lua)
-- KEYS[3] the queue: a sorted set of entries "token ttl count who", by the time in us at which they were made
-- KEYS[4] until when each entry counts: a sorted set of the same entries, by that time in ms
-- ARGV[1] owner token   ARGV[2] ttl in ms   ARGV[3] how many fences to reserve   ARGV[4] who
-- ARGV[5] how long the record is kept, in ms
-- ARGV[6] for how many ms from now the caller's queue entry counts, 0 if it does not wait
-- ARGV[7] 1 if it asked before
-- Reply {1, first fence, how many wait} granted; {0, ttl in ms, token, record, how many wait} busy
-- An error means that nothing was locked.
-- A helper key (KEYS[2] to [4]) of another type never keeps a lock from being taken: it is begun anew.
-- Asked again with the token that holds, it grants again with the same fences, and the lease starts anew.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local waiting = redis.pcall('ZCARD', KEYS[3])
if waiting == 0 and redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local fence = mint(ARGV[1], ARGV[4], ARGV[3], ARGV[5], now)
  if type(fence) == 'table' then redis.call('DEL', KEYS[1]) return fence end
  return {1, fence, 0}
end
