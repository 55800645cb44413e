-- While the server is closed all are left to acquire.lua, which says so.
if opens_in > 0 then return {string.rep('0 ', #ARGV / 7), 0} end
