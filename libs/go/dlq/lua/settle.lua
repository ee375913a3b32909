-- Third step, after pushed or seen. ARGV: id, token, now (microseconds). Answers ok | unknown (settled by somebody else).
return settle(ARGV[1], ARGV[2], ARGV[3])
