end
-- The epoch is behind the reply, if the caller does not know it.
local reply = run()
if epoch and not reply.err then reply[#reply + 1] = epoch end
return reply
