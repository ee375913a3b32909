package logging

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"auralink.example/shared/internal/contract"
)

// A line is at most lineLimit bytes with its newline, because container runtimes split at 16 KiB. What doesn't fit is
// cut and `"truncated":true` says so. Keys stand in the order of docs/design.md.
const (
	lineLimit    = 15360
	messageLimit = 8192
	errorLimit   = 2048
	nameLimit    = 128 // of ids, codes, types, service, metadata
	truncated    = `,"truncated":true`
)

// entry writes the lines of one service under one contract.
type entry struct {
	redaction *redaction
	types     types
	heads     [6]string // of each level, from behind the timestamp to the trace id
	tail      string    // metadata, closed twice
	keys      sync.Map  // string → keyInfo
	keyCount  atomic.Int64
	second    atomic.Pointer[second]
	lines     sync.Pool
}

type second struct {
	unix int64
	text string
}

type keyInfo struct {
	name        string // as it is written, with its colon
	secret, cut bool
}

// failure is an error as the fields of a line; "" where there is none.
type failure struct{ error, kind, code, stack string }

func newEntry(service string, logging *contract.Logging, metadata [3]string) *entry {
	e := &entry{redaction: newRedaction(logging.Redact), types: typesOf(logging.Fields)}
	e.lines.New = func() any { return &line{e: e, b: make([]byte, 0, 1024)} }
	text := func(text string) string {
		l := line{e: e}
		l.text(text, nameLimit, false)
		return string(l.b)
	}
	for at := range levels {
		e.heads[at] = `","level":"` + declaredLevel(at, logging.Levels) + `","service":` + text(service) + `,"trace_id":"`
	}
	e.tail = `,"metadata":{"instance_id":` + text(metadata[0]) + `,"version":` + text(metadata[1]) +
		`,"environment":` + text(metadata[2]) + `}}` + "\n"
	return e
}

// metadataOf falls back to the environment (HOSTNAME or the host's name, SERVICE_VERSION, ENVIRONMENT), then to
// "unknown".
func metadataOf(instance, version, environment string) [3]string {
	host, _ := os.Hostname()
	return [3]string{
		first(instance, os.Getenv("HOSTNAME"), host, "unknown"),
		first(version, os.Getenv("SERVICE_VERSION"), "unknown"),
		first(environment, os.Getenv("ENVIRONMENT"), "unknown"),
	}
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// typesOf are the declared types below `context`, as a tree.
func typesOf(fields map[string]contract.Field) types {
	tree := types{}
	for _, field := range fields {
		if len(field.Path) < 2 || field.Path[0] != "context" {
			continue
		}
		below := tree
		for _, key := range field.Path[1 : len(field.Path)-1] {
			deeper, ok := below[key].(types)
			if !ok {
				deeper = types{}
				below[key] = deeper
			}
			below = deeper
		}
		last := field.Path[len(field.Path)-1]
		if _, ok := below[last].(types); !ok {
			below[last] = field.Type
		}
	}
	return tree
}

func (e *entry) key(key string) keyInfo {
	if found, ok := e.keys.Load(key); ok {
		return found.(keyInfo)
	}
	l := line{e: e}
	l.quoted(key, keyLimit, false)
	found := keyInfo{string(l.b) + ":", e.redaction.key(key), l.cut}
	if len(key) <= 64 && e.keyCount.Load() < 4096 {
		e.keyCount.Add(1)
		e.keys.Store(strings.Clone(key), found)
	}
	return found
}

// said is what a line says beside its own fields. members may be asked twice.
type said struct {
	bound *bound
	attrs []slog.Attr
	above identityOf // the map that attrs are of
}

// write gives the line with its newline to out. It panics never; whether it is the line that was asked for is told.
func (e *entry) write(
	out func([]byte), level int, message string, c said, who identity, f failure, at time.Time,
) (ok bool) {
	l := e.lines.Get().(*line)
	defer e.lines.Put(l)
	ok = l.render(level, message, c, who, f, at)
	out(l.b)
	if cap(l.b) > 8*lineLimit {
		l.b = make([]byte, 0, 1024)
	}
	return ok
}

func (l *line) render(level int, message string, c said, who identity, f failure, at time.Time) bool {
	if l.tried(func() { l.line(level, message, c, who, f, at) }) {
		return true
	}
	f = failure{error: "the log line could not be rendered"}
	if !l.tried(func() { l.line(level, message, said{}, identity{trace: zeros}, f, at) }) {
		l.b = append(l.b[:0], `{"timestamp":"1970-01-01T00:00:00.000Z`+l.e.heads[level]+zeros+
			`","message":"","error":"the log line could not be rendered","context":{}`+l.e.tail...)
	}
	return false
}

func (l *line) tried(write func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	write()
	return true
}

func (l *line) line(level int, message string, c said, who identity, f failure, at time.Time) {
	l.b, l.above, l.names, l.cut = l.b[:0], l.above[:0], l.names[:0], false
	if c.above.place != 0 {
		l.above = append(l.above, c.above)
	}
	l.string(`{"timestamp":"`)
	l.timestamp(at)
	l.string(l.e.heads[level])
	l.string(who.trace)
	l.b = append(l.b, '"')
	l.field(`,"span_id":`, who.span, nameLimit)
	l.field(`,"user_id":`, who.user, nameLimit)
	l.field(`,"request_id":`, who.request, nameLimit)
	l.string(`,"message":`)
	l.text(message, messageLimit, false)
	l.field(`,"error":`, f.error, errorLimit)
	l.field(`,"error_type":`, f.kind, nameLimit)
	l.field(`,"error_code":`, f.code, nameLimit)
	head := len(l.b)
	tail := l.e.tail
	if f.stack == "" {
		l.string(`,"context":`)
		l.context(c, lineLimit)
		if !l.cut && len(l.b)+len(tail) <= lineLimit-len(truncated) {
			l.string(tail)
			return
		}
		l.b = l.b[:head]
	}
	room := lineLimit - head - len(`,"stack_trace":"","context":`) - len(tail) - len(truncated)
	if f.stack != "" {
		l.context(c, room)
		size := len(l.b) - head
		l.b = l.b[:head]
		l.string(`,"stack_trace":`)
		start := len(l.b)
		l.text(f.stack, max(room/2, room-size), true)
		whole := len(l.b) - start - 2
		l.string(`,"context":`)
		if whole+size > room {
			l.context(c, room-whole)
		} else {
			l.context(c, room)
		}
	} else {
		l.string(`,"context":`)
		l.context(c, room)
	}
	if l.cut {
		l.string(tail[:len(tail)-2])
		l.string(truncated)
		l.string("}\n")
		return
	}
	l.string(tail)
}

func (l *line) field(name, text string, limit int) {
	if text != "" {
		l.string(name)
		l.text(text, limit, false)
	}
}

func (l *line) context(c said, limit int) {
	if c.bound != nil {
		l.boundObject(c.bound, c.attrs, limit, depthLimit, l.e.types)
		return
	}
	l.object(c.attrs, limit, depthLimit, l.e.types)
}

// timestamp has three fraction digits, cut, not rounded.
func (l *line) timestamp(at time.Time) {
	unix := at.Unix()
	known := l.e.second.Load()
	if known == nil || known.unix != unix {
		known = &second{unix, at.UTC().Format("2006-01-02T15:04:05")}
		l.e.second.Store(known)
	}
	l.string(known.text)
	milliseconds := at.Nanosecond() / 1e6
	l.b = append(l.b, '.', byte('0'+milliseconds/100), byte('0'+milliseconds/10%10), byte('0'+milliseconds%10), 'Z')
}
