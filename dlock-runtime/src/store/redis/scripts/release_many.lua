-- Gives locks back for which nobody waits: what release.lua does first, for many. What is not released here is left to release.lua.
-- KEYS the locks   ARGV the owner token of each, and a space
-- Reply a text with a digit for each lock, 1 if it is released, 0 if it was left alone: a number each is dear to read
-- Nothing is written before the last command, which deletes all or, if that is an error, none.
local owners, replies, released = redis.call('MGET', unpack(KEYS)), {}, {}
for place, token in ipairs(ARGV) do
  local owner = owners[place]
  local is_ours = owner and string.sub(owner, 1, #token) == token and string.byte(owner, -1) ~= 43
  replies[place] = is_ours and '1' or '0'
  if is_ours then released[#released + 1] = KEYS[place] end
end
if #released > 0 then redis.call('DEL', unpack(released)) end
return table.concat(replies)
