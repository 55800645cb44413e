-- Nothing is granted while the server is closed, also not to the token that has the lock as far as this server knows: it may have
-- lost it at the server before.
if opens_in > 0 then waiting = nil end
