-- Mints fences, and keeps the record beside the lock: "last-fence since-in-us token who". It outlives the lock. If the lock
-- was handed over, `since` goes on with ":" and the time since when it was handed on without being free (give.lua).
-- The time is a lower bound of the fence: fences keep rising when the record expired or a failover lost it.
-- Returns the first of `count` fences, or the error that kept them from being minted. `now` is in us.
local function mint(token, who, count, kept, now)
  local since = string.format('%.0f', now)
  local last = count == '1' and since or string.format('%.0f', now + count - 1)
  local about = ' ' .. since .. ' ' .. token .. ' ' .. who
  local before = redis.pcall('SET', KEYS[2], last .. about, 'PX', kept, 'GET')
  -- Times and fences have 16 digits, so that their texts compare as they do.
  if not before or not before.err and before < since then return now end
  if before.err then
    -- A record of another type was spoilt by somebody, and is overwritten.
    before = redis.pcall('SET', KEYS[2], last .. about, 'PX', kept)
    return before.err and before or now
  end
  -- What is beyond all times is no fence of ours.
  local used = tonumber(string.match(before, '^%d+')) or 0
  local first = used < 9e15 and math.max(now, used + 1) or now
  redis.call('SET', KEYS[2], string.format('%.0f', first + count - 1) .. about, 'PX', kept)
  return first
end
