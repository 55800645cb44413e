end
-- Reply {2, for how many ms it is closed yet} while the server is closed; else as without a guard, with the epoch behind it if the
-- caller does not know that.
local reply = run()
if type(reply) ~= 'table' or reply.err then return reply end
if opens_in > 0 then return {2, opens_in} end
if epoch then reply[#reply + 1] = epoch end
return reply
