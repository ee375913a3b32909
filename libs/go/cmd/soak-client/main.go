// Command soak-client is the client in Go, as libs/soak/README.md says what a client is.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"auralink.example/shared/dlq"
)

const by = "soak"

var birth = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	url := flag.String("redis", "", "redis://USER:PASSWORD@HOST:PORT")
	cluster := flag.Bool("cluster", false, "the URL is that of one node of a Cluster")
	queue := flag.String("queue", "", "name of the queue")
	operation := flag.String("op", "", "add, retry or remove; bulk and cleanup are Python's")
	spool := flag.String("spool", "", "file that takes what Redis doesn't")
	flag.String("archive", "", "of cleanup: not here")
	dieAfter := flag.Int64("die-after", 0, "kill -9 itself once the answer to its N-th command was read")
	flag.Parse()
	if *url == "" || *queue == "" || (*operation != "add" && *operation != "retry" && *operation != "remove") {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*url, *cluster, *queue, *operation, *spool, *dieAfter); err != nil {
		fmt.Fprintf(os.Stderr, "%s in %s: %v\n", *operation, *queue, err)
		os.Exit(1)
	}
}

func run(url string, cluster bool, queue, operation, spool string, dieAfter int64) error {
	client, err := connect(url, cluster)
	if err != nil {
		return err
	}
	if dieAfter > 0 {
		client.AddHook(&mortal{left: dieAfter})
	}
	options := dlq.Options{Log: slog.New(slog.DiscardHandler)}
	if spool != "" {
		options.Spool = dlq.NewSpool(spool)
	}
	letters, err := dlq.New(client, options)
	if err != nil {
		return err
	}
	ids := bufio.NewScanner(os.Stdin)
	for ids.Scan() {
		err := one(context.Background(), letters, queue, operation, ids.Text())
		switch {
		case err == nil: // acknowledged: one line, one write
			if _, err := os.Stdout.WriteString(ids.Text() + "\n"); err != nil {
				return err
			}
		case errors.Is(err, dlq.ErrUnknown), errors.Is(err, dlq.ErrConflict), errors.Is(err, dlq.ErrQuarantined),
			errors.Is(err, dlq.ErrRefused), errors.Is(err, dlq.ErrTooLarge): // somebody was faster
		default:
			return err
		}
	}
	return ids.Err()
}

func one(ctx context.Context, letters *dlq.DLQ, queue, operation, id string) error {
	switch operation {
	case "retry":
		return letters.Retry(ctx, queue, id, dlq.Act{By: by})
	case "remove":
		return letters.Remove(ctx, queue, id, dlq.Act{By: by})
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	at := birth.Add(time.Duration(number) * time.Millisecond)
	_, err = letters.Add(ctx, dlq.Message{
		ID: id, OriginalQueue: queue, Payload: []byte(id), Error: "soak", Attempts: 3,
		FirstAttempt: at, LastAttempt: at, CreatedAt: at,
	})
	return err
}

func connect(url string, cluster bool) (redis.UniversalClient, error) {
	if cluster {
		options, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, err
		}
		return redis.NewClusterClient(options), nil
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

// mortal counts commands, not what the library sends to connect.
type mortal struct{ left int64 }

func (m *mortal) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		err := next(ctx, command)
		if atomic.AddInt64(&m.left, -1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return err
	}
}

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
