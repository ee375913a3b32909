-- ARGV: id. From the trash back to its age. Answers ok | unknown.
local id = ARGV[1]
if not call('ZSCORE', TRASH, id) then return 'unknown' end
local state = state_of(id)
local age = tonumber(state.age)
if #call('ZRANGEBYSCORE', AGES, state.age, state.age, 'LIMIT', 0, 1) > 0 then age = free_age(AGES, math.floor(age / 1000)) end
state.age, state.edited = nil, nil
keep_state(id, state)
call('ZADD', AGES, whole(age), id)
call('ZREM', TRASH, id)
return 'ok'
