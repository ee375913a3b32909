-- Third step, after refused. ARGV: id, token. Answers ok | unknown.
return release(ARGV[1], ARGV[2])
