-- While the server is closed all are left to acquire.lua, which says so.
if opens_in > 0 then
  local replies = {}
  for place = 1, #ARGV / 3 do replies[place] = 0 end
  return replies
end
