package dlq

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

// The scripts that Python runs as well: a copy of libs/lua, which go:embed can't reach; a test compares the two.
//
//go:generate sh -c "cp ../../lua/*.lua lua/"
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
