-- Gives locks back for which nobody waits, at a master of a cluster: what release.lua does first, for many locks of any slots that this
-- master has. What is not released here is left to release.lua.
-- There are no KEYS, for the reason that acquire_many_slots.lua gives.
-- ARGV for each lock: the lock, its owner token, and a space
-- Reply a text with a digit for each lock, 1 if it is released, 0 if it was left alone
-- An error means that nothing was released: all keys were refused.
local released, refused, refusal = {}, 0, nil
for first = 1, #ARGV, 2 do
  local lock, token, digit = ARGV[first], ARGV[first + 1], '0'
  local owner = redis.pcall('GET', lock)
  if type(owner) == 'table' then
    refused, refusal = refused + 1, owner
  elseif owner and string.sub(owner, 1, #token) == token and string.byte(owner, -1) ~= 43 then
    -- An error is for release.lua to tell.
    if redis.pcall('DEL', lock) == 1 then digit = '1' end
  end
  released[#released + 1] = digit
end
if refused > 1 and refused == #released then return refusal end
return table.concat(released)
