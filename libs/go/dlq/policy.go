package dlq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"auralink.example/shared/internal/fault"
)

// Policy is how often a message is tried, and how long to wait between: exponential backoff with full jitter, before
// attempt n+1 between 0 and Base * 2^(n-1), Cap at most (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
// Blog, 2015). The zero value has the queue's own attempts, 500 ms and 30 s.
type Policy struct {
	MaxAttempts int
	Base, Cap   time.Duration
}

func (p Policy) filledIn(queue QueueSettings) Policy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = queue.MaxAttempts
	}
	if p.Base == 0 {
		p.Base = 500 * time.Millisecond
	}
	if p.Cap == 0 {
		p.Cap = 30 * time.Second
	}
	return p
}

// Most is the longest wait after the failed attempt `attempt` (1, 2, …); what is waited is between 0 and it.
func (p Policy) Most(attempt int) time.Duration {
	most := float64(p.Base) * math.Pow(2, float64(min(attempt-1, 60)))
	return time.Duration(min(most, float64(p.Cap)))
}

// Rejected makes an error say that trying again is of no use: the message dies at once, with reason `rejected`.
func Rejected(err error) error { return rejected{err} }

type rejected struct{ error }

func (r rejected) Unwrap() error { return r.error }

func isRejected(err error) (found bool) {
	defer func() { _ = recover() }() // an error whose Unwrap panics: one with a nil receiver
	return errors.As(err, new(rejected))
}

// panicked is what work panicked with; a message whose work panics is tried again, and dies like any other.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// Handle does the work on a message, up to the policy's attempts, then makes it a dead letter and returns that letter's
// id; "" where the work was done.
//
// The message is never lost: where ctx is cancelled between attempts, it dies with what it has so far, and an operator
// can send it back. A work that panics has failed. A message that an operator had replayed keeps its id and its replays,
// so that it is quarantined once it comes back too often. An error is that of Add: the message is nowhere but with the
// caller.
func (d *DLQ) Handle(
	ctx context.Context, queue string, payload []byte, work func(context.Context, []byte) error, policy Policy,
) (letter string, err error) {
	k, err := keysOf(queue)
	if err != nil {
		return "", err
	}
	policy = policy.filledIn(d.settings.Of(queue))
	first, attempt := d.now(), 0
	kept := bytes.Clone(payload) // whatever work does with its bytes, the next attempt and the letter have those that came
	var failed error
	for {
		attempt++
		if failed = attempted(ctx, bytes.Clone(kept), work); failed == nil {
			return "", nil
		}
		if isRejected(failed) || attempt >= policy.MaxAttempts || !wait(ctx, policy.Most(attempt)) {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	id, replays := d.known(ctx, k, kept)
	kind, _ := fault.Fields(failed)
	message := Message{
		ID: id, OriginalQueue: queue, Payload: kept, Error: fault.Text(failed), ErrorType: kind,
		Attempts: attempt, FirstAttempt: first, LastAttempt: d.now(), CreatedAt: d.now(), Reason: ReasonExhausted,
		TraceID: d.trace(ctx), Replays: replays,
	}
	if isRejected(failed) {
		message.Reason = ReasonRejected
	}
	if id != "" { // an id that may be another message's too: equal bytes would be taken for the same letter, added twice
		message.Death = newToken()
	}
	letter, err = d.Add(ctx, message)
	if errors.Is(err, ErrConflict) { // two messages of one payload were replayed, and the other came back first
		message.ID = newID()
		letter, err = d.Add(ctx, message)
	}
	return letter, err
}

func attempted(ctx context.Context, payload []byte, work func(context.Context, []byte) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked{value}
		}
	}()
	return work(ctx, payload)
}

// wait tells whether the whole time has passed: false where ctx was done first.
func wait(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(rand.N(most + 1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
