-- ARGV: id. Out of the index and to the right end of the inbox, as the oldest there: from the newest letter on they come to stand
-- as the plan's writers would have pushed them. Answers how many moved: 1, or 0 of one that is gone or on its way to a queue.
local id = ARGV[1]
if not call('ZSCORE', AGES, id) or state_of(id).token then return 0 end
call('RPUSH', INBOX, call('HGET', BODIES, id))
forget(id)
return 1
