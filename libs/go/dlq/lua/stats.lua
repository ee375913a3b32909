-- Answers {depth, age of the oldest (microseconds) or false, letters in the trash, in the inbox, bodies, counters as pairs}.
local oldest = call('ZRANGE', AGES, 0, 0, 'WITHSCORES')[2]
return {call('ZCARD', AGES), oldest or false, call('ZCARD', TRASH), call('LLEN', INBOX), call('HLEN', BODIES), call('HGETALL', COUNTS)}
