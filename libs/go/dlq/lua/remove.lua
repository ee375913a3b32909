-- ARGV: id, sha1 of the body as it was seen or '', now (microseconds), reason. Into the trash.
-- Answers ok | unknown | conflict (another body, or a retry under way).
local id = ARGV[1]
if not call('ZSCORE', AGES, id) then return 'unknown' end
if state_of(id).token or (ARGV[2] ~= '' and redis.sha1hex(call('HGET', BODIES, id)) ~= ARGV[2]) then return 'conflict' end
discard(id, ARGV[3])
count('removed', ARGV[4])
return 'ok'
