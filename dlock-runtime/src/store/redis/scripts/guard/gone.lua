end
-- ARGV[4] the last fence of the hold, 0 for a request
-- Also released is a hold that this server never knew of, or knew less of: while the server is closed, nobody else was granted it.
local reply = run()
if reply ~= 0 or ARGV[4] == '0' then return reply end
return is_older(redis.call('GET', KEYS[1]), ARGV[4]) and closed() > 0 and 1 or 0
