//go:build unix

package logging

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"auralink.example/shared/internal/contract"
)

// The same line from this package and from log/slog's JSONHandler: service, metadata, trace, span, user and request are
// the handler's (ours) or bound (slog's); five attributes are the call's. Ours also redacts, declares types and cuts.
//
// LOGGING_BENCH_OUTPUT: discard (by default), pipe or file.

type subject struct {
	log     *slog.Logger
	context context.Context
}

func output(b *testing.B) io.Writer {
	switch os.Getenv("LOGGING_BENCH_OUTPUT") {
	case "pipe":
		reader, pipe, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, reader) }()
		b.Cleanup(func() { _ = pipe.Close() })
		return pipe
	case "file":
		file, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		return file
	}
	return io.Discard
}

func benched(b *testing.B) *Logger {
	b.Setenv(contract.Variable, "")
	return New("dashboard-service", Options{
		Output: output(b), InstanceID: metadata[0], Version: metadata[1], Environment: metadata[2],
	})
}

func subjects(b *testing.B) map[string]func() subject {
	return map[string]func() subject{
		"ours": func() subject {
			ctx := WithTrace(b.Context(), "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
			return subject{slog.New(benched(b).Handler()), WithRequest(WithUser(ctx, "user_789"), "r-1")}
		},
		"slog": func() subject {
			log := slog.New(slog.NewJSONHandler(output(b), nil)).With("service", "dashboard-service",
				"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "span_id", "00f067aa0ba902b7", "user_id", "user_789",
				"request_id", "r-1", slog.Group("metadata", "instance_id", metadata[0], "version", metadata[1],
					"environment", metadata[2]))
			return subject{log, b.Context()}
		},
	}
}

func compare(b *testing.B, log func(subject, int)) {
	for _, name := range []string{"ours", "slog"} {
		b.Run(name, func(b *testing.B) {
			one := subjects(b)[name]()
			measured(b, func(number int) { log(one, number) })
		})
	}
}

// measured reports the process's CPU time too, which other programs on the machine change less.
func measured(b *testing.B, log func(number int)) {
	b.ReportAllocs()
	before := cpu()
	for number := 0; b.Loop(); number++ {
		log(number)
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

func cpu() int64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return used.Utime.Nano() + used.Stime.Nano()
}

var rooms = strings.Fields(strings.Repeat("room_xyz room_abc ", 500))

func BenchmarkLine(b *testing.B) {
	compare(b, func(one subject, number int) {
		one.log.LogAttrs(one.context, slog.LevelInfo, "Room created", slog.String("room_id", rooms[number%1000]),
			slog.Int("participants", number%12), slog.Float64("duration_ms", float64(number%4000)/8),
			slog.String("state", "open"), slog.Bool("cached", true))
	})
}

func BenchmarkNested(b *testing.B) {
	headers := map[string]any{"user-agent": "client/1.0", "authorization": "Bearer abcdefghijkl0123456789", "accept": "*/*"}
	items := []any{map[string]any{"id": 1, "price": 2.5, "tags": []string{"a", "b"}}, map[string]any{"id": 2, "price": 0.5}}
	compare(b, func(one subject, number int) {
		one.log.LogAttrs(one.context, slog.LevelInfo, "Room created", slog.Any("headers", headers), slog.Any("items", items),
			slog.String("upstream", "postgres://app:hunter2@db:5432/rooms"))
	})
}

var errTimedOut = errors.New("LLM call timed out")

// Ours also has the calls that led here.
func BenchmarkError(b *testing.B) {
	compare(b, func(one subject, number int) {
		one.log.LogAttrs(one.context, slog.LevelError, "Room failed", slog.Any("error", errTimedOut), slog.Int("number", number))
	})
}

func BenchmarkDisabled(b *testing.B) {
	compare(b, func(one subject, number int) {
		one.log.LogAttrs(one.context, slog.LevelDebug, "Room created", slog.String("state", "open"))
	})
}

// The plan's method, with a map made for each line.
func BenchmarkMap(b *testing.B) {
	log := benched(b)
	measured(b, func(number int) {
		log.Info(b.Context(), "Room created", map[string]any{
			"room_id": rooms[number%1000], "participants": number % 12, "duration_ms": float64(number%4000) / 8,
			"state": "open", "cached": true,
		})
	})
}
