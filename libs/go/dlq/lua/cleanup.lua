-- ARGV: place (queue | trash), oldest age or time of removal to keep (microseconds), ids of letters to let go for good.
-- Letters that are younger by now, or on their way to a queue, stay. Answers how many went.
local place, oldest, gone = ARGV[1], tonumber(ARGV[2]), 0
for i = 3, #ARGV do
  local id = ARGV[i]
  local age = call('ZSCORE', place == 'trash' and TRASH or AGES, id)
  if age and tonumber(age) < oldest and not state_of(id).token then
    forget(id)
    if place == 'queue' then count('removed', 'retention') end
    gone = gone + 1
  end
end
return gone
