-- While the server is closed the lock goes to nobody.
if closed() > 0 then return redis.call('DEL', KEYS[1]) end
