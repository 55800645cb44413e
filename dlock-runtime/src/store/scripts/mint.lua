-- Mints fences, and keeps the record beside the lock: "last-fence since-in-us token who". It outlives the lock.
-- The time is a floor of the fence: it keeps rising when the record expired or a failover lost it.
-- Returns the first of `count` fences, or the error that kept them from being minted. `now` is in us.
local function mint(token, who, count, kept, now)
  local about = string.format(' %.0f ', now) .. token .. ' ' .. who
  local record = string.format('%.0f', now + count - 1) .. about
  local before = redis.pcall('SET', KEYS[2], record, 'PX', kept, 'GET')
  if not before then return now end
  if before.err then return before end
  local last = tonumber(string.match(before, '^%d+')) or 0
  if last < now then return now end
  redis.call('SET', KEYS[2], string.format('%.0f', last + count) .. about, 'PX', kept)
  return last + 1
end
