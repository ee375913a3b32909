-- ARGV: id. Answers {} or {place (queue | trash), age (microseconds), state (JSON), body, edited payload on its way or false}.
local id = ARGV[1]
local body = call('HGET', BODIES, id)
if not body then return {} end
local age, place = call('ZSCORE', AGES, id), 'queue'
if not age then age, place = state_of(id).age or '0', 'trash' end
return {place, age, call('HGET', STATES, id) or '{}', body, call('HGET', STATES, edited_field(id))}
