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
	var lines []string
	for {
		call, more := calls.Next()
		if !ours(call.Function) {
			lines = append(lines, call.Function+"\n\t"+call.File+":"+strconv.Itoa(call.Line))
		}
		if !more {
			break
		}
	}
	var b strings.Builder
	for at := len(lines) - 1; at >= 0; at-- {
		b.WriteString(lines[at])
		if at > 0 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// ours are the calls between the caller and the line.
func ours(function string) bool {
	return strings.HasPrefix(function, "log/slog.") || function == "runtime.goexit" ||
		strings.HasPrefix(function, "auralink.example/shared/logging.(*")
}
