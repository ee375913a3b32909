package logging

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
)

const zeros = "00000000000000000000000000000000" // W3C's invalid trace id: nobody takes it for a trace

type contextKey int

const (
	traceKey contextKey = iota
	userKey
	requestKey
)

type span struct{ trace, span string }

// NewTrace begins a unit of work without a caller (a task, a cron job, a message): all lines of it carry one fresh
// trace id, which is given.
func NewTrace(ctx context.Context) (context.Context, string) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	return context.WithValue(some(ctx), traceKey, span{trace: id}), id
}

var traceParent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$`)

// ContinueTrace goes on with the trace of a W3C `traceparent` header; a fresh one where it is missing or malformed.
func ContinueTrace(ctx context.Context, traceparent string) (context.Context, string) {
	found := traceParent.FindStringSubmatch(strings.ToLower(strings.TrimSpace(traceparent)))
	if found == nil || found[1] == "ff" || found[2] == zeros || found[3] == zeros[:16] {
		return NewTrace(ctx)
	}
	return context.WithValue(some(ctx), traceKey, span{found[2], found[3]}), found[2]
}

// WithTrace sets trace and span as something else knows them. A UUID is a trace id too; what is none counts as none.
func WithTrace(ctx context.Context, traceID, spanID string) context.Context {
	return context.WithValue(some(ctx), traceKey, span{normal(traceID), spanID})
}

// WithUser says whose request the lines below ctx are of.
func WithUser(ctx context.Context, id string) context.Context {
	return context.WithValue(some(ctx), userKey, id)
}

// WithRequest says which request the lines below ctx are of.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(some(ctx), requestKey, id)
}

// TraceID is the trace of ctx as 32 lowercase hex digits, or "". It knows nothing of OpenTelemetry: Logger.TraceID does.
func TraceID(ctx context.Context) string {
	if ctx != nil {
		if found, ok := ctx.Value(traceKey).(span); ok && found.trace != zeros {
			return found.trace
		}
	}
	return ""
}

// SpanContext finds the current span, so that this package needs no OpenTelemetry:
//
//	func(ctx context.Context) ([16]byte, [8]byte, bool) {
//		s := trace.SpanContextFromContext(ctx)
//		return s.TraceID(), s.SpanID(), s.IsValid()
//	}
type SpanContext func(ctx context.Context) (traceID [16]byte, spanID [8]byte, ok bool)

// Identity is whose line it is; TraceID is 32 lowercase hex digits, the others are "" where there is none.
type identity struct{ trace, span, user, request string }

// identify looks for OpenTelemetry's span, else the caller's trace or the unit of work, else zeros.
func identify(ctx context.Context, current SpanContext) (found identity) {
	found.trace = zeros
	if ctx == nil {
		return found
	}
	defer func() { _ = recover() }() // a tracer, or a context, that fails itself
	if known, ok := ctx.Value(traceKey).(span); ok {
		found.trace, found.span = known.trace, known.span
	}
	found.user, _ = ctx.Value(userKey).(string)
	found.request, _ = ctx.Value(requestKey).(string)
	if current != nil {
		if trace, span, ok := current(ctx); ok {
			found.trace, found.span = hex.EncodeToString(trace[:]), hex.EncodeToString(span[:])
		}
	}
	return found
}

// normal is a trace id as 32 lowercase hex digits: a UUID loses its hyphens, what is no trace id becomes zeros.
func normal(id string) string {
	if id = strings.ToLower(strings.ReplaceAll(id, "-", "")); len(id) != 32 {
		return zeros
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return zeros
		}
	}
	return id
}

func some(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
