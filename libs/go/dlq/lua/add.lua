-- ARGV: id, body, milliseconds, reason, replays, replay cap, greatest size of a body (bytes).
-- Answers added | known (the same letter is here) | conflict (another letter has this id) | too_large.
local id, body, reason, replays = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5])
local here = call('HGET', BODIES, id)
if here then return here == body and 'known' or 'conflict' end
if #body > tonumber(ARGV[7]) then return 'too_large' end
local state = {}
if replays > 0 then state.replays = replays end
if replays >= tonumber(ARGV[6]) then state.quarantined = true end
file_letter(id, body, tonumber(ARGV[3]), reason, state)
return 'added'
