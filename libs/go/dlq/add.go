package dlq

import (
	"context"
	"fmt"
)

// Add keeps a letter and returns its id once Redis has acknowledged it, or else the spool's disk. Adding the same
// message again changes nothing.
//
// It does not end early where ctx is cancelled: nobody else has the message. The client's own timeouts bound it.
// Errors: ErrConflict where another letter has the id, ErrTooLarge, and Redis' own where neither Redis nor a spool
// took the letter.
func (d *DLQ) Add(ctx context.Context, message Message) (id string, err error) {
	ctx = context.WithoutCancel(ctx)
	defer func() {
		if err != nil {
			d.counters.addFailure()
		}
	}()
	k, err := keysOf(message.OriginalQueue)
	if err != nil {
		return "", err
	}
	message = message.filledIn(d.now())
	if !letterID.MatchString(message.ID) {
		return "", fmt.Errorf("%q is no id: 1 to 250 printable ASCII characters", message.ID)
	}
	one := spooled{k.queue, message.ID, message.Body(), message.CreatedAt.UnixMilli(), message.Reason, message.Replays}
	if len(one.Body) > d.settings.BodyLimit { // before a spool takes what Redis would refuse for ever
		return "", fmt.Errorf("letter %s of %s: %d bytes, %d at most: %w", one.ID, one.Queue, len(one.Body),
			d.settings.BodyLimit, ErrTooLarge)
	}
	answer, err := d.store(ctx, k, one)
	if d.counted(one.Queue, "add", err) != nil {
		if d.spool == nil {
			return "", err
		}
		if spoolErr := d.spool.append(one); spoolErr != nil {
			return "", fmt.Errorf("letter %s of %s: %w, and the spool: %w", one.ID, one.Queue, err, spoolErr)
		}
		d.wake()
		return one.ID, nil
	}
	if err := failure(answer, one.Queue, one.ID); err != nil {
		return "", err
	}
	if d.spool != nil && d.spool.waiting() {
		if _, err := d.ReplaySpool(ctx); err != nil {
			d.log.WarnContext(ctx, "the spool waits on", "spool", d.spool.path, "error", err)
		}
	}
	return one.ID, nil
}

func (d *DLQ) store(ctx context.Context, k keys, one spooled) (string, error) {
	limit := max(d.settings.BodyLimit, len(one.Body)) // a limit that was lowered must not hold up the spool
	return d.run(ctx, "add", k.index, one.ID, one.Body, one.Milliseconds, one.Reason, one.Replays,
		d.settings.ReplayCap, limit).Text()
}

// ReplaySpool gives Redis what the spool kept for it, and tells how many. It stops at Redis' first error, and returns
// it. A letter whose id another one has by now is kept as ID~HASH. It happens by itself.
func (d *DLQ) ReplaySpool(ctx context.Context) (int, error) {
	if d.spool == nil {
		return 0, nil
	}
	return d.spool.replay(func(one spooled) error {
		k, err := keysOf(one.Queue)
		if err != nil {
			return err
		}
		answer, err := d.store(ctx, k, one)
		if err == nil && answer == "conflict" {
			one.ID += "~" + digest(one.Body)[:8]
			answer, err = d.store(ctx, k, one)
		}
		if d.counted(one.Queue, "add", err) != nil {
			return err
		}
		return failure(answer, one.Queue, one.ID)
	})
}

// known gives id and replays of a message that an operator had sent back; nothing of any other, or while Redis is away.
func (d *DLQ) known(ctx context.Context, k keys, payload []byte) (id string, replays int) {
	var meta struct {
		ID      string `redis:"id"`
		Replays int    `redis:"replays"`
	}
	if d.client.HGetAll(ctx, k.meta(digest(payload))).Scan(&meta) != nil {
		return "", 0
	}
	return meta.ID, meta.Replays
}
