package dlq

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

// The scripts that Python runs as well: copies from libs/lua, which go:embed can't reach; a test compares them.
//
//go:generate sh -c "cd lua && for name in *.lua; do cp ../../../lua/$DOLLAR{name} .; done"
//go:embed lua/*.lua
var sources embed.FS

var scripts = map[string]*redis.Script{}

// Of libs/lua what Go runs; the others are Python's.
var scriptNames = []string{"add", "adopt", "audit", "get", "list", "push", "release", "remove", "retry", "settle", "take"}

func init() {
	for _, name := range scriptNames {
		scripts[name] = redis.NewScript(source("shared") + source(name))
	}
}

func source(name string) string {
	text, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the files are in the program
	}
	return string(text)
}
