package logging

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Levels of the standard that log/slog doesn't have. The others are slog's.
const (
	LevelTrace = slog.Level(-8)
	LevelFatal = slog.Level(12)
)

var levels = []struct {
	least slog.Level
	name  string
}{
	{LevelTrace, "TRACE"}, {slog.LevelDebug, "DEBUG"}, {slog.LevelInfo, "INFO"},
	{slog.LevelWarn, "WARN"}, {slog.LevelError, "ERROR"}, {LevelFatal, "FATAL"},
}

// ParseLevel reads TRACE, DEBUG, INFO, WARN, ERROR, FATAL in any case, and WARNING and CRITICAL as Python has them.
func ParseLevel(name string) (slog.Level, error) {
	upper := strings.ToUpper(name)
	switch upper {
	case "WARNING":
		upper = "WARN"
	case "CRITICAL":
		upper = "FATAL"
	}
	for _, one := range levels {
		if one.name == upper {
			return one.least, nil
		}
	}
	return 0, fmt.Errorf("unknown level %q (one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL)", name)
}

// place is where in levels a level falls: INFO+2 is INFO, as a threshold would take it; below DEBUG it is TRACE.
func place(level slog.Level) int {
	for at := len(levels) - 1; at > 0; at-- {
		if level >= levels[at].least {
			return at
		}
	}
	return 0
}

// declaredLevel is the level as the contract has it: itself, else the next higher that is declared, else the highest.
func declaredLevel(at int, declared []string) string {
	for _, one := range levels[at:] {
		if slices.Contains(declared, one.name) {
			return one.name
		}
	}
	for _, one := range slices.Backward(levels) {
		if slices.Contains(declared, one.name) {
			return one.name
		}
	}
	if len(declared) > 0 {
		return declared[len(declared)-1]
	}
	return levels[at].name
}
