// Package dlq keeps messages that could not be handled until a person decides. Keys, scripts, bodies and promises are
// those of docs/dead-letters.md, which Python's auralink_shared.dlq keeps as well; either reads what the other wrote.
package dlq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"

	"auralink.example/shared/logging"
)

const (
	pageBytes = 1024 * 1024 // of bodies in one answer, and adopted in one call: Redis serves nobody else meanwhile
	adopted   = 500
	adoptions = 200 // calls in one operation: 100,000 letters, then the next operation goes on
)

var letterID = regexp.MustCompile(`^[!-~]{1,250}$`)

// DLQ is the dead letters of every queue on one Redis or one Cluster. Its methods may be called concurrently. Each may
// return Redis' errors, which are counted; what an operator runs into is one of the Err values.
type DLQ struct {
	client   redis.UniversalClient
	settings Settings
	spool    *Spool
	log      *slog.Logger
	trace    func(context.Context) string
	now      func() time.Time
	counters counters
	replays  replays
}

// Options are what New may be told; the zero value goes by the contract and has no spool.
type Options struct {
	// Settings: those of the contract by default.
	Settings *Settings
	// Spool takes letters while Redis doesn't. Without one, Add fails then. A goroutine brings them every SpoolEvery (5 s)
	// for as long as any wait; Close ends it.
	Spool      *Spool
	SpoolEvery time.Duration
	// Log says what operators did, and what could not be audited; slog.Default by default.
	Log *slog.Logger
	// TraceID finds the trace of a message that died; that of package logging by default.
	TraceID func(context.Context) string
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// New needs a client of one Redis (*redis.Client) or of a Cluster. An error says that the contract which
// OBSGEN_CONTRACT names can't be read.
func New(client redis.UniversalClient, options Options) (*DLQ, error) {
	if options.Settings == nil {
		settings, err := ReadSettings()
		if err != nil {
			return nil, err
		}
		options.Settings = &settings
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.TraceID == nil {
		options.TraceID = logging.TraceID
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.SpoolEvery == 0 {
		options.SpoolEvery = 5 * time.Second
	}
	d := &DLQ{
		client: client, settings: *options.Settings, spool: options.Spool, log: options.Log, trace: options.TraceID,
		now: options.Now, counters: counters{errors: map[[2]string]int64{}},
		replays: replays{every: options.SpoolEvery, closed: make(chan struct{})},
	}
	d.wake() // what an earlier process has left
	return d, nil
}

// run asks a script about a queue's index. A Redis that doesn't know it yet gets its text.
func (d *DLQ) run(ctx context.Context, name string, keys []string, arguments ...any) *redis.Cmd {
	return scripts[name].Run(ctx, d.client, keys, arguments...)
}

// counted counts an error of Redis, and gives it back.
func (d *DLQ) counted(queue, operation string, err error) error {
	if err != nil {
		d.counters.error(queue, operation)
	}
	return err
}

// adopt takes what the plan's writers pushed into the inbox, and tells how many. Other operations do it by themselves.
func (d *DLQ) adopt(ctx context.Context, k keys) (int64, error) {
	var taken int64
	for range adoptions {
		answer, err := d.run(ctx, "adopt", k.index, d.now().UnixMilli(), adopted, pageBytes).Int64Slice()
		if err == nil && len(answer) != 2 {
			err = fmt.Errorf("unexpected answer %v", answer)
		}
		if d.counted(k.queue, "adopt", err) != nil {
			return taken, err
		}
		taken += answer[0]
		if answer[1] == 0 {
			break
		}
	}
	return taken, nil
}

// elsewhere tells whether queue and index may be in different slots, or shards: a script can't have keys of both.
func (d *DLQ) elsewhere() bool {
	_, one := d.client.(*redis.Client)
	return !one
}

func unexpected(queue, id string, answer any) error {
	return errors.New("letter " + id + " of " + queue + ": " + fmt.Sprintf("unexpected answer %v", answer))
}
