-- KEYS: the stream. ARGV: id of the entry that this one answers or '', then fields and values. Answers the entry's id.
-- The answered one goes: an operation that has ended is one entry, and what still asks was cut off.
local id = call('XADD', KEYS[1], '*', unpack(ARGV, 2))
if ARGV[1] ~= '' then call('XDEL', KEYS[1], ARGV[1]) end
return id
