package logging

import (
	"context"
	"log/slog"
	"time"
)

// Handler writes log/slog's records as lines of the standard. Attributes are the context; one named `error` or `err`
// whose value is an error becomes the fields of the error. What a record says without a context has no trace.
type Handler struct {
	core  *core
	bound *bound
}

var _ slog.Handler = (*Handler)(nil)

// Enabled tells whether a line of this level would be written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.core.level.Level()
}

// Handle writes the record; its error is always nil, since no line is a reason that a service fails.
func (h *Handler) Handle(ctx context.Context, record slog.Record) error {
	attrs := make([]slog.Attr, 0, 8)
	var err error
	record.Attrs(func(attr slog.Attr) bool {
		if err == nil && isError(attr.Key) && attr.Value.Kind() == slog.KindAny {
			if err, _ = attr.Value.Any().(error); err != nil {
				return true
			}
		}
		attrs = flatOne(attrs, attr)
		return true
	})
	at := record.Time
	if at.IsZero() {
		at = time.Now()
	}
	h.core.log(ctx, record.Level, record.Message, said{bound: h.bound, attrs: attrs}, err, at)
	return nil
}

// WithAttrs gives a handler that adds these to every line. They are written now: later changes of theirs don't count.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &Handler{h.core, h.bound.with(h.core.entry, attrs)}
}

// WithGroup gives a handler whose attributes, from now on, stand in an object of this name.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{h.core, h.bound.open(name)}
}

// isError is how an error among the attributes or fields is named.
func isError(key string) bool { return key == "error" || key == "err" }
