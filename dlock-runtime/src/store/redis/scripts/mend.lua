-- Asks a helper key. One of another type was spoilt by somebody: by its name it is ours, so it is deleted and begun anew.
local function helper(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('DEL', key) end
  -- Any other error is raised again, and ends the script.
  return redis.call(command, key, ...)
end
