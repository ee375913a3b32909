// Package logging writes log lines of the standard: JSON, one a line, never lost, never the reason that a service fails.
// The form of a line is docs/design.md, "A log line", the same bytes as Python's auralink_shared.logging writes.
//
// Two doors on one renderer: Logger, with the plan's methods, and Handler, for log/slog.
package logging

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"auralink.example/shared/internal/contract"
	"auralink.example/shared/internal/fault"
)

// Options are what New may be told.
type Options struct {
	// Level is the least that is written; INFO by default. A *slog.LevelVar can be changed later.
	Level slog.Leveler
	// Output is os.Stdout by default. Each line is one Write.
	Output io.Writer
	// SpanContext finds OpenTelemetry's current span.
	SpanContext SpanContext
	// InstanceID, Version, Environment go into metadata; they fall back to the environment (HOSTNAME or the host's name,
	// SERVICE_VERSION, ENVIRONMENT), then to "unknown".
	InstanceID, Version, Environment string
}

// Logger writes lines of the standard for one service. No call panics or fails, whatever it is given: a nil context, an
// error whose methods panic, values without a JSON form. May be used concurrently.
//
// A call has read its fields when it returns, and keeps none of them. A map that another goroutine writes to during the
// call ends the process, as in all of Go; nothing can be done about that here.
type Logger struct{ handler *Handler }

// core is what a logger and those that With made of it have in common.
type core struct {
	service  string
	entry    *entry
	writer   *writer
	level    slog.Leveler
	span     SpanContext
	failures atomic.Int64
	without  atomic.Int64
}

// New reads the contract that OBSGEN_CONTRACT names, else that of this release. One that can't be read is said in a line
// of level ERROR, and that of this release counts.
func New(service string, options Options) *Logger {
	found, err := contract.Load()
	if err != nil {
		found = contract.Default()
	}
	if options.Level == nil {
		options.Level = slog.LevelInfo
	}
	if options.Output == nil {
		options.Output = os.Stdout
	}
	metadata := metadataOf(options.InstanceID, options.Version, options.Environment)
	c := &core{
		service: service, entry: newEntry(service, found.Logging, metadata), writer: newWriter(options.Output),
		level: options.Level, span: options.SpanContext,
	}
	c.writer.notice = c.missing
	logger := &Logger{&Handler{core: c}}
	if err != nil {
		logger.Error(context.Background(), "The contract can't be read, the default one counts", err, nil)
	}
	return logger
}

// Trace is detailed flow: function entry, loop turns.
func (l *Logger) Trace(ctx context.Context, message string, fields map[string]any) {
	l.log(ctx, LevelTrace, message, nil, fields)
}

// Debug is values and state for development.
func (l *Logger) Debug(ctx context.Context, message string, fields map[string]any) {
	l.log(ctx, slog.LevelDebug, message, nil, fields)
}

// Info is normal operation.
func (l *Logger) Info(ctx context.Context, message string, fields map[string]any) {
	l.log(ctx, slog.LevelInfo, message, nil, fields)
}

// Warn is recoverable: a retry, a fallback.
func (l *Logger) Warn(ctx context.Context, message string, fields map[string]any) {
	l.log(ctx, slog.LevelWarn, message, nil, fields)
}

// Error is an error: its text, type, code and the calls that led here become fields. err may be nil.
func (l *Logger) Error(ctx context.Context, message string, err error, fields map[string]any) {
	l.log(ctx, slog.LevelError, message, err, fields)
}

// Fatal is unrecoverable. It writes a line; to end the process is the caller's decision.
func (l *Logger) Fatal(ctx context.Context, message string, err error, fields map[string]any) {
	l.log(ctx, LevelFatal, message, err, fields)
}

// Enabled tells whether a line of this level would be written.
func (l *Logger) Enabled(level slog.Level) bool { return level >= l.handler.core.level.Level() }

// With gives a logger that adds these fields to every line; a call's own win. They are written now: later changes of
// theirs don't count.
func (l *Logger) With(fields map[string]any) *Logger {
	return &Logger{l.handler.WithAttrs(attrsOf(nil, fields)).(*Handler)}
}

// Handler is for log/slog: slog.SetDefault(slog.New(logger.Handler())).
func (l *Logger) Handler() *Handler { return l.handler }

// TraceID is the trace that a line below ctx would have, or "".
func (l *Logger) TraceID(ctx context.Context) string {
	if found := identify(ctx, l.handler.core.span).trace; found != zeros {
		return found
	}
	return ""
}

// Counts is what a logger counts itself.
type Counts struct {
	Service      string
	Dropped      map[string]int64 // by level; every level, from 0
	WithoutTrace int64
	Failures     int64 // lines that could not be rendered, and say only so
}

// Counts gives the numbers of log_lines_dropped_total, log_lines_without_trace_total and log_failures_total; package
// metrics hands them to Prometheus' client.
func (l *Logger) Counts() Counts {
	c := l.handler.core
	found := Counts{c.service, map[string]int64{}, c.without.Load(), c.failures.Load()}
	for at, level := range levels {
		found.Dropped[level.name] = c.writer.dropped[at].Load()
	}
	return found
}

func (l *Logger) log(ctx context.Context, level slog.Level, message string, err error, fields map[string]any) {
	if !l.Enabled(level) {
		return
	}
	var c said
	c.bound = l.handler.bound
	if len(fields) > 0 {
		var kept [16]slog.Attr
		c.attrs, c.above = attrsOf(kept[:0], fields), mapIdentity(fields)
		if err == nil {
			c.attrs, err = errorOf(c.attrs)
		}
	}
	l.handler.core.log(ctx, level, message, c, err, time.Now())
}

// errorOf takes an error out of the attributes.
func errorOf(attrs []slog.Attr) ([]slog.Attr, error) {
	for at, attr := range attrs {
		if isError(attr.Key) && attr.Value.Kind() == slog.KindAny {
			if found, ok := attr.Value.Any().(error); ok {
				return append(attrs[:at], attrs[at+1:]...), found
			}
		}
	}
	return attrs, nil
}

// attrsOf reads a map once, as early as can be.
func attrsOf(into []slog.Attr, fields map[string]any) []slog.Attr {
	for key, value := range fields {
		if len(into) == mapLimit {
			break
		}
		into = append(into, slog.Attr{Key: key, Value: valueOf(value)})
	}
	sortMembers(into)
	return into
}

func (c *core) log(ctx context.Context, level slog.Level, message string, what said, err error, at time.Time) {
	var f failure
	if err != nil {
		f.error = fault.Text(err)
		f.kind, f.code = fault.Fields(err)
		if level >= slog.LevelError {
			f.stack = stack()
		}
	}
	who := identify(ctx, c.span)
	if who.trace == zeros {
		c.without.Add(1)
	}
	place := place(level)
	if !c.entry.write(func(line []byte) { c.writer.write(place, line) }, place, message, what, who, f, at) {
		c.failures.Add(1)
	}
}

func (c *core) missing(count int64, out func([]byte)) {
	what := said{attrs: []slog.Attr{slog.Int64("dropped", count)}}
	c.entry.write(out, place(slog.LevelWarn), "Log lines were dropped", what, identity{trace: zeros}, failure{}, time.Now())
}
