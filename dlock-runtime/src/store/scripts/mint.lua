-- Mints fences, and keeps the record beside the lock: "last-fence since-in-us token who". It outlives the lock.
-- The time is a floor of the fence: it keeps rising when the record expired or a failover lost it.
-- Returns the first of `count` fences, or the error that kept them from being minted. `now` is in us.
local function mint(token, who, count, kept, now)
  local since = string.format('%.0f', now)
  local last = count == '1' and since or string.format('%.0f', now + count - 1)
  local about = ' ' .. since .. ' ' .. token .. ' ' .. who
  local before = redis.pcall('SET', KEYS[2], last .. about, 'PX', kept, 'GET')
  -- Times and fences have 16 digits, so that their texts compare as they do.
  if not before or not before.err and before < since then return now end
  if before.err then return before end
  local first = math.max(now, (tonumber(string.match(before, '^%d+')) or 0) + 1)
  redis.call('SET', KEYS[2], string.format('%.0f', first + count - 1) .. about, 'PX', kept)
  return first
end
