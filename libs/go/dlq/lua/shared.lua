-- Stands before each of the other files: text = shared.lua .. NAME.lua. What they all say the same way.
-- KEYS 1-6 are of one queue and in one slot (docs/dead-letters.md):
local INBOX, BODIES, AGES, STATES, TRASH, COUNTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call = redis.call

local function count(what, value) call('HINCRBY', COUNTS, what .. ':' .. value, 1) end

local function whole(number) return string.format('%.0f', number) end

-- A letter's state is ours and small: cjson may write it. Bodies and payloads never pass through it.
local function state_of(id)
  local text = call('HGET', STATES, id)
  return text and cjson.decode(text) or {}
end

local function keep_state(id, state)
  if next(state) then call('HSET', STATES, id, cjson.encode(state)) else call('HDEL', STATES, id) end
end

-- Microseconds whose last three digits tell letters of one millisecond apart, in order of arrival: no two letters of
-- a queue share an age, so a page may end anywhere and the next one skips nothing. A full millisecond spills over.
-- In the trash the same holds for the time of removal.
local function free_age(key, milliseconds)
  local first = milliseconds * 1000
  while true do
    local last = call('ZREVRANGEBYSCORE', key, whole(first + 999), whole(first), 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if not last then return first end
    if tonumber(last) < first + 999 then return tonumber(last) + 1 end
    first = first + 1000
  end
end

-- The field beside a state that holds an edited payload while it is on its way. No id has a line break.
local function edited_field(id) return id .. '\nedited' end

local function forget(id)
  call('ZREM', AGES, id)
  call('ZREM', TRASH, id)
  call('HDEL', STATES, id, edited_field(id))
  call('HDEL', BODIES, id)
end

-- Out of sight; body and state stay until the trash is emptied.
local function discard(id, now)
  local state = state_of(id)
  state.age, state.token, state.payload = call('ZSCORE', AGES, id), nil, nil
  keep_state(id, state)
  call('HDEL', STATES, edited_field(id))
  call('ZADD', TRASH, whole(free_age(TRASH, math.floor(now / 1000))), id)
  call('ZREM', AGES, id)
end

local function file_letter(id, body, milliseconds, reason, state)
  call('HSET', BODIES, id, body)
  keep_state(id, state)
  call('ZADD', AGES, whole(free_age(AGES, milliseconds)), id)
  count('arrived', reason)
end

-- The three steps of a retry. On one Redis they run as one script; in a Cluster the middle one runs in another slot.
-- take: may this letter go, as the operator saw it? From here on it belongs to its token until it is settled.
local function take(id, sha, token, force, payload, edited)
  local body = call('HGET', BODIES, id)
  if not body or not call('ZSCORE', AGES, id) then return {'unknown'} end
  local state, digest = state_of(id), redis.sha1hex(payload)
  if (sha ~= '' and redis.sha1hex(body) ~= sha) or (state.token and state.payload ~= digest) then
    count('replayed', 'conflict')
    return {'conflict'}
  end
  if state.quarantined and force ~= '1' then
    count('replayed', 'quarantined')
    return {'quarantined'}
  end
  if not state.token then
    state.token, state.payload, state.edited = token, digest, edited == '1' or nil
    if state.edited then call('HSET', STATES, edited_field(id), payload) end
    keep_state(id, state)
  end
  return {'taken', state.token, state.replays or 0}
end

-- push: behind the last message of the queue, once for each token. Scripts don't roll back: checks come first.
local function push(queue, seen, meta, payload, id, replays, seconds)
  if call('EXISTS', seen) == 1 then return 'seen' end
  local kind = call('TYPE', queue).ok
  if kind ~= 'none' and kind ~= 'list' then return 'refused' end
  call('RPUSH', queue, payload)
  call('SET', seen, '1', 'EX', seconds)
  call('HSET', meta, 'id', id, 'replays', replays)
  call('PEXPIRE', meta, whole(seconds * 1000))
  return 'pushed'
end

-- settle: the letter has gone. An edited one leaves its old body in the trash.
local function settle(id, token, now)
  local state = state_of(id)
  if state.token ~= token then return 'unknown' end
  if state.edited then discard(id, now) else forget(id) end
  count('replayed', 'ok')
  return 'ok'
end

-- give up a retry that its queue refused
local function release(id, token)
  local state = state_of(id)
  if state.token ~= token then return 'unknown' end
  state.token, state.payload, state.edited = nil, nil, nil
  call('HDEL', STATES, edited_field(id))
  keep_state(id, state)
  count('replayed', 'error')
  return 'ok'
end
