-- Mints fences: numbers that grow, one sequence for all locks of this server (in a cluster, of the lock's slot). KEYS[2] is the
-- fence clock, "last ceiling life checked". It is the only key that outlives a lock, and there is one of it however many locks
-- there are.
-- A fence counts on from the last one. The clock begins at the time, in eighths of a microsecond since 2018: no process takes
-- eight million turns a second, so that the clock falls behind the time, and the time is above all fences if the key is lost.
-- There is room below 2^53 until 2053.
-- A failover can lose the last writes, and the new master's time can be behind. So a ceiling is written 40 million fences ahead
-- of its use: a replica has it by then. Every 100 ms the life of the server (its replication id) is looked at, and in a new life
-- fences go on above the ceiling and the time. Calls of INFO are dear, so not each time; a failover takes longer. Without
-- INFO nobody knows of a new life, and fences follow the time.

-- Nonsense, or what is beyond all times, is no clock of ours.
local function fence_clock()
  local clock = redis.pcall('GET', KEYS[2])
  local last, rest, ceiling, life, checked =
    string.match(type(clock) == 'string' and clock or '', '^(%d+)( (%d+) (%w+) (%d+))$')
  last, ceiling, checked = tonumber(last), tonumber(ceiling), tonumber(checked)
  if not last or last > ceiling or ceiling > 9e15 then return 0, 0, '', 0 end
  return last, ceiling, life, checked, rest
end

-- `above` is the highest fence that the caller knows of. Returns the first of `count` fences, and the last as text; or an error.
-- Both are 0 if the caller needs none.
local function mint(count, above, time)
  if count == '0' then return 0, count end
  local now = time[1] * 1000000 + time[2]
  local last, ceiling, life, checked, rest = fence_clock()
  local first = math.max(last, tonumber(above)) + 1
  if math.abs(now - checked) > 100000 then
    local info = redis.pcall('INFO', 'replication')
    local current = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
    if not current or current ~= life then first = math.max(first, ceiling + 1, (now - 1514764800000000) * 8) end
    life, checked, rest = current or 'unknown', now, nil
  end
  last = first + count - 1
  if last > ceiling - 40000000 then ceiling, rest = last + 80000000, nil end
  -- Most calls change the last fence alone. To write a number as text is dear.
  rest = rest or string.format(' %.0f %s %.0f', ceiling, life, checked)
  last = string.format('%.0f', last)
  local done = redis.pcall('SET', KEYS[2], last .. rest, 'EX', 604800)
  -- The code of an error stands in its text, as Redis 6.2 puts the place before it.
  if done.err then return {err = 'ERR ' .. done.err} end
  return first, last
end

-- The value of a lock: "token fence since (who)", with a mark at its end, "+", if somebody waits. `fence` is the last one that is
-- reserved for the holder, or 0; `since` is in us, and if the lock was handed over it goes on with ":" and the time since when it has
-- been handed on without being free. Clients of other kinds compare the value as a whole with their own.
local function value(token, fence, since, who, waiting)
  return token .. ' ' .. fence .. ' ' .. since .. ' (' .. who .. ')' .. (waiting > 0 and '+' or '')
end
