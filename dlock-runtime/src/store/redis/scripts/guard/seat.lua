-- Who asks for a lock while the server is closed gets a place in the queue. Who has it gets none: it would be handed its own lock.
if opens_in > 0 and (not owner or string.sub(owner, 1, #ARGV[1] + 1) == ARGV[1] .. ' ') then
  if owner then ARGV[6] = '0' end
  owner = ''
end
