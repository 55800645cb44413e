end
-- The epoch is behind the replies, if the caller does not know it.
local replies = run()
if epoch and not replies.err then replies[#replies + 1] = epoch end
return replies
