# Writes the ACL file and becomes redis-server. Passwords come from Secrets and are hashed here: no file ever holds one.
set -eu
umask 077
config=/run/dlq-redis/config
acl=/run/dlq-redis/acl/users.acl
: "${DLQ_PASSWORD:?is empty, and an empty password lets everybody in}"
: "${EXPORTER_PASSWORD:?is empty, and an empty password lets everybody in}"

hashed() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
# the first word of each line of a file that is no comment, behind a sign
signed() { sed -n "s/^\([^#[:space:]][^[:space:]]*\).*/$1\1/p" "$2" | tr '\n' ' '; }

# The default user is off and has no password, so nobody is ever it; yet it must be allowed everything. As this user Redis reads its
# append-only file, and drops each transaction in there that it may not do; every script leaves one. With -@all a Redis 7.0 has no letter
# after a restart that came since the last rewrite (redis/redis#14541, valkey-io/valkey#3983).
cat >"$acl" <<END
user default off resetpass ~* &* +@all
user dlq on #$(hashed "$DLQ_PASSWORD") resetkeys resetchannels -@all $(signed '~' $config/keys.txt) $(signed + $config/commands.txt)
user exporter on #$(hashed "$EXPORTER_PASSWORD") resetkeys resetchannels -@all %R~dlq:* %R~{dlq:* $(signed + $config/exporter-commands.txt)
END
unset DLQ_PASSWORD EXPORTER_PASSWORD
exec redis-server $config/redis.conf
