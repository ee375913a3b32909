-- KEYS 7-9: the queue, and of it the keys that were-it-pushed and who-was-it (docs/dead-letters.md). All in one Redis.
-- ARGV: id, sha1 of the body as it was seen or '', token, force (1 | 0), payload, edited (1 | 0), id to be known by,
-- now (microseconds), seconds to remember. Answers ok | unknown | conflict | quarantined | refused (the queue is no list).
local id, token = ARGV[1], ARGV[3]
if call('EXISTS', KEYS[8]) == 1 then return 'ok' end -- the client asks again: the answer was lost on its way
local taken = take(id, ARGV[2], token, ARGV[4], ARGV[5], ARGV[6])
if taken[1] ~= 'taken' then return taken[1] end
token = taken[2]
if push(KEYS[7], KEYS[8], KEYS[9], ARGV[5], ARGV[7], taken[3] + 1, tonumber(ARGV[9])) == 'refused' then
  release(id, token)
  return 'refused'
end
return settle(id, token, ARGV[8])
