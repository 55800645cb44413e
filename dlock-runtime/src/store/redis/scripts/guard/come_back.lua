end
-- ARGV[6] the last fence of the lease   ARGV[7] who
-- Reply 2 the lock came back; else as without a guard
-- While the server is closed, a renewal brings back what the server before had granted. Of several who were granted the lock one after
-- the other, the last one has the highest fences. What comes late is believed by nobody, and lasts for one TTL.
local reply = run()
if reply ~= 0 or not is_older(redis.call('GET', KEYS[1]), ARGV[6]) or closed() == 0 then return reply end
-- The fence clock may be lost as well, and goes on above all that the caller knows of. In a cluster it need not be here.
local time = redis.call('TIME')
local fence = KEYS[2] and mint('1', ARGV[5], time)
if type(fence) == 'table' then return fence end
redis.call('SET', KEYS[1], value(ARGV[1], ARGV[6], in_micros(time), ARGV[7], 0), 'PX', ARGV[2])
reply = run()
return reply == 1 and 2 or reply
