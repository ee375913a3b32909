package dlq

import (
	"context"
	"sync"
	"time"
)

// replays brings the spool's letters to Redis, in a goroutine that lives no longer than any wait.
type replays struct {
	every   time.Duration
	lock    sync.Mutex
	running sync.WaitGroup
	runs    bool
	once    sync.Once
	closed  chan struct{}
}

// wake sees to it that the goroutine runs, if it is needed.
func (d *DLQ) wake() {
	r := &d.replays
	r.lock.Lock()
	defer r.lock.Unlock()
	select {
	case <-r.closed:
		return
	default:
	}
	if r.runs || d.spool == nil || !d.spool.waiting() {
		return
	}
	r.runs = true
	r.running.Add(1)
	go d.replayWhileNeeded()
}

func (d *DLQ) replayWhileNeeded() {
	r := &d.replays
	defer r.running.Done()
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	for {
		select {
		case <-r.closed:
			return
		case <-ticker.C:
		}
		ctx := context.Background()
		if _, err := d.ReplaySpool(ctx); err != nil {
			d.log.WarnContext(ctx, "the spool waits on", "spool", d.spool.path, "error", err)
		}
		r.lock.Lock() // whoever wakes after this look starts another goroutine
		r.runs = d.spool.waiting()
		again := r.runs
		r.lock.Unlock()
		if !again {
			return
		}
	}
}

// Close ends the goroutine of the spool, after the replay that is under way. What waits in the spool waits for the next
// process. The client stays open.
func (d *DLQ) Close() {
	d.replays.once.Do(func() {
		d.replays.lock.Lock()
		close(d.replays.closed)
		d.replays.lock.Unlock()
	})
	d.replays.running.Wait()
}
