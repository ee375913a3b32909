-- ARGV: place (queue | trash), order (newest | oldest), least and greatest age as of ZRANGEBYSCORE, letters at most, bytes at most.
-- Answers {more (1 | 0), id, age, state, body, id, …}. In the trash the age is the time of removal. At least one letter comes.
local key = ARGV[1] == 'trash' and TRASH or AGES
local most, bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local found
if ARGV[2] == 'newest' then
  found = call('ZREVRANGEBYSCORE', key, ARGV[4], ARGV[3], 'WITHSCORES', 'LIMIT', 0, most + 1)
else
  found = call('ZRANGEBYSCORE', key, ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT', 0, most + 1)
end
local page = {0}
for i = 1, #found, 2 do
  if i > 2 * most or bytes <= 0 then
    page[1] = 1
    break
  end
  local body = call('HGET', BODIES, found[i]) or ''
  for _, value in ipairs({found[i], found[i + 1], call('HGET', STATES, found[i]) or '{}', body}) do
    page[#page + 1] = value
  end
  bytes = bytes - #body
end
return page
