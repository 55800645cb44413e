-- The failover guard. A server that took over, or began, may lack what was granted last. So it grants nothing for a while, until all
-- that may have been granted before is over.
-- KEYS and ARGV as without a guard, and behind them in ARGV
--   the key of the epoch, for how many ms a server stays closed, and the epoch as the caller's connection found it open less than
--   100 ms before it sent this, with the time of this server in ms at which it did; or ''
-- The epoch says which life of a server it is, "run-id replication-id opens quarantine": the process, its history, the time in ms from
-- which on it grants, and the longest quarantine that anybody asked for. Replicas copy it, so a new master finds that of the server
-- before. What is known of it belongs to a connection: elsewhere the same text says nothing. Nor does it if the request was long under
-- way: the server may have been demoted and promoted again since, and nobody may have asked the one between.
local known, quarantine, epoch_key = table.remove(ARGV), table.remove(ARGV), table.remove(ARGV)

-- For how many ms this server is closed yet; 0 if it is open, and then its epoch and the time, if the caller does not know it.
local function closed()
  local epoch, time = redis.pcall('GET', epoch_key), redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local found, at = string.match(known, '^(.+) (%d+)$')
  if epoch == found and math.abs(now - at) <= 1000 then return 0 end
  -- Of another type: it is ours by its name, and written anew.
  if type(epoch) == 'table' then epoch = redis.call('DEL', epoch_key) and '' end
  local server, replication = redis.call('INFO', 'server'), redis.call('INFO', 'replication')
  local run, uptime = string.match(server, 'run_id:(%w+)'), string.match(server, 'uptime_in_seconds:(%d+)')
  local history, before = string.match(replication, 'master_replid:(%w+)'), string.match(replication, 'master_replid2:(%w+)')
  if not (run and uptime and history and before) then
    error('INFO does not say which server this is, and the failover guard needs to know')
  end
  local is_promoted = string.find(before, '[^0]')
  local last_run, last_history, opens, longest = string.match(epoch or '', '^(%w+) (%w+) (%d+) (%d+)$')
  longest = math.max(quarantine, longest or 0)
  if not last_run and not is_promoted then
    -- Nobody asked before. It is no successor, so whatever was granted was granted before it began. It may be younger than it
    -- says by a second.
    opens = now + longest - (uptime - 1) * 1000
  elseif last_run ~= run or last_history ~= history and is_promoted then
    opens = now + longest
  end
  local text = string.format('%s %s %.0f %.0f', run, history, opens, longest)
  if text ~= epoch then redis.call('SET', epoch_key, text) end
  if opens - now > 0 then return opens - now end
  return 0, string.format('%s %.0f', text, now)
end

-- Whether the lock with that value is free, or was granted before the hold whose last fence this is.
local function is_older(owner, fence)
  if not owner then return true end
  local last = tonumber(string.match(owner, '^%x+{?%x*}?%-%x+ (%d+) %S+ %(.*%)%+?$'))
  return last and last > 0 and last < tonumber(fence)
end
