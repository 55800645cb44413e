-- Where the owner of a token listens: the channel, the command that publishes there, and the word that counts who listens at this
-- very server. In a cluster a token has the hash tag of its channel: "identity{tag}-number".
-- A plain PUBLISH goes to all nodes of a cluster, and who listens at another one would be counted for nothing.
local function channel_of(token)
  local tagged = string.find(token, '{', 1, true)
  return 'dlock:' .. (string.match(token, '^[%x{}]+') or ''), tagged and 'SPUBLISH' or 'PUBLISH', tagged and 'SHARDNUMSUB' or 'NUMSUB'
end
