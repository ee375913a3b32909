// Command driver does what a test in Python tells it, so that the two libraries meet on one Redis: one JSON object a line
// on standard input, one on standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"auralink.example/shared/dlq"
	"auralink.example/shared/logging"
)

type request struct {
	Op, Queue, ID, By, Seen, Error, Cursor, Text string
	Payload                                      []byte // base64, as encoding/json has it
	Edited, Force                                bool
	Attempts, Limit                              int
}

type answer struct {
	ID      string   `json:"id,omitempty"`
	IDs     []string `json:"ids,omitempty"`
	Body    []byte   `json:"body,omitempty"`
	Payload []byte   `json:"payload,omitempty"`
	Age     int64    `json:"age,omitempty"`
	Cursor  string   `json:"cursor,omitempty"`
	Count   int      `json:"count,omitempty"`
	Lines   []string `json:"lines,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func main() {
	url, cluster, spool := os.Args[1], os.Args[2] == "cluster", os.Args[3]
	var client redis.UniversalClient
	if cluster {
		options, err := redis.ParseClusterURL(url)
		fatal(err)
		client = redis.NewClusterClient(options)
	} else {
		options, err := redis.ParseURL(url)
		fatal(err)
		options.MaxRetries = -1
		client = redis.NewClient(options)
	}
	letters, err := dlq.New(client, dlq.Options{Spool: dlq.NewSpool(spool), Log: slog.New(slog.DiscardHandler)})
	fatal(err)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var asked request
		fatal(in.Decode(&asked))
		given, err := do(context.Background(), letters, asked)
		if err != nil {
			given.Error = err.Error()
		}
		fatal(out.Encode(given))
	}
}

func do(ctx context.Context, letters *dlq.DLQ, r request) (found answer, err error) {
	act := dlq.Act{By: r.By, Seen: r.Seen, Force: r.Force}
	if r.Edited {
		act.Payload = append([]byte{}, r.Payload...)
	}
	switch r.Op {
	case "add":
		found.ID, err = letters.Add(ctx, dlq.Message{
			ID: r.ID, OriginalQueue: r.Queue, Payload: r.Payload, Error: r.Error, Attempts: r.Attempts,
		})
	case "get":
		var letter dlq.Letter
		letter, err = letters.Get(ctx, r.Queue, r.ID)
		found = answer{ID: letter.ID, Body: letter.Body, Payload: letter.Payload(), Age: letter.Age}
	case "list":
		var page dlq.Page
		page, err = letters.List(ctx, r.Queue, dlq.ListOptions{
			Limit: r.Limit, Cursor: r.Cursor, OldestFirst: true, Only: dlq.Filter{Text: r.Text},
		})
		found.Cursor = page.Cursor
		for _, letter := range page.Letters {
			found.IDs = append(found.IDs, letter.ID)
		}
	case "retry":
		err = letters.Retry(ctx, r.Queue, r.ID, act)
	case "remove":
		err = letters.Remove(ctx, r.Queue, r.ID, act)
	case "log":
		found.Lines = logged(ctx)
	case "replay":
		found.Count, err = letters.ReplaySpool(ctx)
	}
	return found, err
}

func fatal(err error) {
	if err != nil {
		panic(err)
	}
}

type broken struct{}

func (broken) Error() string { panic("Error") }

type lines []string

func (l *lines) Write(line []byte) (int, error) {
	*l = append(*l, string(line))
	return len(line), nil
}

// logged is what the logger makes of values that it must survive, by both of its doors.
func logged(ctx context.Context) []string {
	var out lines
	logger := logging.New("dashboard-service", logging.Options{Level: logging.LevelTrace, Output: &out})
	ctx, _ = logging.NewTrace(logging.WithRequest(logging.WithUser(ctx, "user_789"), "r-1"))
	self := map[string]any{"nan": math.NaN(), "big": uint64(math.MaxUint64), "f": func() {}, "duration_ms": time.Second}
	self["self"] = self
	var none *broken
	for _, bound := range []*logging.Logger{logger, logger.With(self)} {
		bound.Trace(ctx, "\xff\x00", self)
		bound.Debug(nil, "no context", nil) //lint:ignore SA1012 that is the point
		bound.Info(ctx, strings.Repeat("é", 9000), map[string]any{"state": 3, "duration_ms": "45", "retry_count": nil})
		bound.Warn(ctx, "password=hunter2", map[string]any{"error": errors.New(strings.Repeat("e", 9000))})
		bound.Error(ctx, "m", none, map[string]any{"a": strings.Repeat("a", 20000), "b": make([]int, 9000)})
		bound.Fatal(ctx, "m", broken{}, self)
		slog.New(bound.Handler()).WithGroup("g").With("x", self).ErrorContext(ctx, "m", "err", os.ErrNotExist, "!", broken{})
	}
	return out
}
