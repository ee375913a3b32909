-- ARGV: id. Out of the trash for good. Answers ok | unknown.
if not call('ZSCORE', TRASH, ARGV[1]) then return 'unknown' end
forget(ARGV[1])
return 'ok'
