-- Second step, in the slot of the queue. KEYS: the queue, the key that says it was pushed, the key that says who it was.
-- ARGV: payload, id to be known by, replays, seconds to remember. Answers pushed | seen (an earlier try did it) | refused.
return push(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
