-- Mints fences: numbers that grow, one sequence for all locks of this server (in a cluster, of the lock's slot). KEYS[2] is the
-- fence clock, a hash: `last` is the last fence. It is the only key that outlives a lock, and there is one of it however many
-- locks there are.
-- A fence counts on from the last one. The clock begins at the time, in eighths of a microsecond since 2018: no process takes
-- eight million turns a second, so that the clock falls behind the time, and the time is above all fences if the key is lost.
-- There is room below 2^53 until 2053.
-- A failover can lose the last writes, and the new master's time can be behind. So `ceiling` is written 40 million fences ahead
-- of its use: a replica has it by then. Every 100 ms, which `checked` says, the `life` of the server (its replication id) is
-- looked at, and in a new life fences go on above the ceiling and the time. Calls of INFO are dear, so not each time; a failover
-- takes longer. Without INFO nobody knows of a new life, and fences follow the time.
-- The first writes of a life can be lost, too, and the next one begins with the same copy. So the ceiling moves on with the time since
-- the clock was looked at, and the later life is above the earlier one.
-- A script for many locks of a cluster mints at the clocks of many slots, each of which is used less often than every 100 ms. It calls
-- INFO once. A clock that it finds as it should be it leaves as it is for ten seconds, a tenth of what a ceiling moves on by at most.

-- The life of the server and the time in us, once a script has looked at them: they stay the same while that runs.
local current, now

-- What is not done each time. `last` is what the clock says after `count` fences, or why it says nothing, and `checked` when it was looked
-- at, if it says so. Returns what it says from now on, or an error.
local function check_clock(last, count, above, checked)
  local ceiling, life = redis.pcall('HGET', KEYS[2], 'ceiling'), redis.pcall('HGET', KEYS[2], 'life')
  local trouble = type(last) == 'table' and last.err or type(ceiling) == 'table' and ceiling.err
  local is_spoilt = trouble and (string.find(trouble, 'WRONGTYPE', 1, true) or string.find(trouble, 'not an integer', 1, true)
    or string.find(trouble, 'overflow', 1, true))
  -- The code of an error stands in its text, as Redis 6.2 puts the place before it.
  if trouble and not is_spoilt then return {err = 'ERR ' .. trouble} end
  ceiling = not is_spoilt and tonumber(ceiling) or 0
  -- Nonsense, or what is beyond all times, is no clock of ours. The last fence is never far below the ceiling.
  if is_spoilt or ceiling > 9e15 or last - count > ceiling or last < ceiling - 160000000 then
    redis.call('DEL', KEYS[2])
    last, ceiling, life = tonumber(count), 0, ''
  end
  last = math.max(last, above + count)
  if not current then
    local info = redis.pcall('INFO', 'replication')
    current = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or 'unknown'
  end
  if current ~= life then
    -- After so long a time it is the time alone that counts.
    local passed = math.min(math.max(now - (checked or now), 0), 100000000)
    last = math.max(last, ceiling + passed * 8 + count)
  end
  if current ~= life or current == 'unknown' then last = math.max(last, (now - 1514764800000000) * 8 + count) end
  -- Blocks of fences take less than 80 million until the next check.
  if last > ceiling - 120000000 then ceiling = last + 160000000 end
  local done = redis.pcall('HSET', KEYS[2], 'last', string.format('%.0f', last), 'ceiling', string.format('%.0f', ceiling),
    'life', current, 'checked', string.format('%.0f', now))
  if type(done) == 'table' then return {err = 'ERR ' .. done.err} end
  redis.call('PEXPIRE', KEYS[2], 604800000)
  return last
end

-- `above` is the highest fence that the caller knows of. Returns the first of `count` fences, and the last as text; or an error.
-- Both are 0 if the caller needs none.
local function mint(count, above, time)
  if count == '0' then return 0, count end
  local last = redis.pcall('HINCRBY', KEYS[2], 'last', count)
  now = now or time[1] * 1000000 + time[2]
  local checked = tonumber(redis.pcall('HGET', KEYS[2], 'checked'))
  local is_right = checked and math.abs(now - checked) <= 100000
  -- It has looked at the server's life for another clock: what else there is to see of this one costs less than to write that it looked.
  if not is_right and checked and current and current ~= 'unknown' and type(last) == 'number' then
    local room = (tonumber(redis.pcall('HGET', KEYS[2], 'ceiling')) or 0) - last
    is_right = room >= 120000000 and room <= 160000000 and math.abs(now - checked) < 10000000
      and redis.pcall('HGET', KEYS[2], 'life') == current
  end
  if not is_right or type(last) ~= 'number' or last < 1e15 or last > 9e15 or last - count < above + 0 then
    last = check_clock(last, count, above, checked)
    if type(last) == 'table' then return last end
  end
  -- To write a number as text is dear: once.
  return last - count + 1, string.format('%.0f', last)
end

-- The time in us, as text.
local function in_micros(time)
  return time[1] .. string.sub('00000' .. time[2], -6)
end

-- The value of a lock: "token fence since (who)", with a mark at its end, "+", if somebody waits. `fence` is the last one that is
-- reserved for the holder, or 0; `since` is in us, and if the lock was handed over it goes on with ":" and the time since when it has
-- been handed on without being free. Clients of other kinds compare the value as a whole with their own.
local function value(token, fence, since, who, waiting)
  return token .. ' ' .. fence .. ' ' .. since .. ' (' .. who .. ')' .. (waiting > 0 and '+' or '')
end

