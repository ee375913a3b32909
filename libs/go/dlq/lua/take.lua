-- First step of a retry into another slot. ARGV: id, sha1 of the body as it was seen or '', token, force, payload, edited.
-- Answers {taken, token (an earlier one, where a retry was cut off), replays} | {unknown} | {conflict} | {quarantined}.
return take(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
