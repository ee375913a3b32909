-- ARGV: oldest age to keep (microseconds), oldest removal to keep, trash letters at most, ids of letters to let go.
-- Letters that are younger or on their way to a queue stay. Answers {let go, purged from the trash}.
local gone = 0
for i = 4, #ARGV do
  local age = call('ZSCORE', AGES, ARGV[i])
  if age and tonumber(age) < tonumber(ARGV[1]) and not state_of(ARGV[i]).token then
    forget(ARGV[i])
    count('removed', 'retention')
    gone = gone + 1
  end
end
local old = call('ZRANGEBYSCORE', TRASH, '-inf', '(' .. ARGV[2], 'LIMIT', 0, tonumber(ARGV[3]))
for _, id in ipairs(old) do forget(id) end
return {gone, #old}
