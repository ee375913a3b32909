package logging

import (
	"runtime"
	"strconv"
	"strings"
)

const frames = 32

// stack is the calls that led to the line, the last one at the end: of a stack that is too long the end is kept.
func stack() string {
	var found [frames]uintptr
	count := runtime.Callers(2, found[:])
	calls := runtime.CallersFrames(found[:count])
	var kept [frames]runtime.Frame
	last := 0
	for more := count > 0; more && last < frames; {
		kept[last], more = calls.Next()
		if !ours(kept[last].Function) {
			last++
		}
	}
	b := make([]byte, 0, 4096)
	for at := last - 1; at >= 0; at-- {
		b = append(append(b, kept[at].Function...), "\n\t"...)
		b = strconv.AppendInt(append(append(b, kept[at].File...), ':'), int64(kept[at].Line), 10)
		if at > 0 {
			b = append(b, '\n')
		}
	}
	return string(b)
}

// ours are the calls between the caller and the line.
func ours(function string) bool {
	return strings.HasPrefix(function, "log/slog.") || function == "runtime.goexit" ||
		strings.HasPrefix(function, "auralink.example/shared/logging.(*")
}
