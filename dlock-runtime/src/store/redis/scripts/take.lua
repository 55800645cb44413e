if waiting == 0 then
  local fence, last = mint(ARGV[3], ARGV[5], time)
  if type(fence) == 'table' then return fence end
  -- If it is taken, these fences are nobody's.
  local taken = value(ARGV[1], last, in_micros(time), ARGV[4], 0)
  if redis.call('SET', KEYS[1], taken, 'NX', 'PX', ARGV[2]) then return {1, fence, 0} end
end
local now = time[1] * 1000000 + time[2]
local owner = redis.call('GET', KEYS[1])
