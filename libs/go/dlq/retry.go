package dlq

import (
	"context"
	"fmt"
	"regexp"
)

// Act is who decides about a letter, and on what grounds.
type Act struct {
	By   string // the operator, for the audit
	Seen string // SHA-1 of the body that was looked at; another one is refused. By default what is there now
	// Payload, if not nil, is sent instead of the letter's; the letter goes to the trash with its old body.
	Payload []byte
	Force   bool   // a quarantined letter too
	Note    string // why, for the audit
}

var editedBefore = regexp.MustCompile(`~[0-9a-f]{8}$`) // what an earlier edit put behind an id

// Retry sends the message back to its queue, then takes the letter away.
//
// Errors: ErrUnknown, ErrConflict (the letter is another by now), ErrQuarantined, ErrRefused, ErrNoPayload. At least
// once: a crash between push and answer can leave the message in the queue and say nothing. Once it is begun, it is
// not ended by ctx.
func (d *DLQ) Retry(ctx context.Context, queue, id string, act Act) error {
	k, err := keysOf(queue)
	if err != nil {
		return err
	}
	letter, err := d.Get(ctx, queue, id)
	if err != nil {
		return err
	}
	sent, edited := act.Payload, true
	if sent == nil {
		sent = letter.Edited
	}
	if sent == nil {
		sent, edited = letter.Payload(), false
	}
	if sent == nil {
		return fmt.Errorf("letter %s of %s %w", id, queue, ErrNoPayload)
	}
	if act.Seen == "" {
		act.Seen = letter.SHA1()
	}
	what := "retry"
	if edited {
		what = "edit"
	}
	ctx = context.WithoutCancel(ctx)
	answer, err := d.audited(ctx, what, k, id, act, func() (string, error) {
		return d.send(ctx, k, letter, sent, edited, act)
	}, "sha1", digest(sent))
	if d.counted(queue, "retry", err) != nil {
		return err
	}
	return failure(answer, queue, id)
}

func (d *DLQ) send(ctx context.Context, k keys, letter Letter, sent []byte, edited bool, act Act) (string, error) {
	token, sha1, knownAs := newToken(), digest(sent), letter.ID
	if edited {
		knownAs = editedBefore.ReplaceAllString(letter.ID, "") + "~" + sha1[:8]
	}
	take := []any{letter.ID, act.Seen, token, flag(act.Force), sent, flag(edited)}
	now := d.now().UnixMicro()
	if !d.elsewhere() {
		places := append(k.index[:6:6], k.queue, k.seen(letter.ID, token), k.meta(sha1))
		return d.run(ctx, "retry", places, append(take, knownAs, now, seenSeconds)...).Text()
	}
	taken, err := d.run(ctx, "take", k.index, take...).Slice()
	if err != nil {
		return "", err
	}
	if len(taken) != 3 {
		return texts(append(taken, ""))[0], nil
	}
	token = texts(taken)[1]
	replays, _ := taken[2].(int64)
	places := []string{k.queue, k.seen(letter.ID, token), k.meta(sha1)}
	pushed, err := d.run(ctx, "push", places, sent, knownAs, replays+1, seenSeconds).Text()
	if err != nil {
		return "", err
	}
	if pushed == "refused" {
		return "refused", d.run(ctx, "release", k.index, letter.ID, token).Err()
	}
	settled, err := d.run(ctx, "settle", k.index, letter.ID, token, now).Text()
	if err == nil && settled == "unknown" && pushed == "pushed" {
		settled = "ok" // it was we who sent it; the client asked twice, or a sweep was faster with the rest
	}
	return settled, err
}

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// Remove puts a letter into the trash, from where Python's `restore` brings it back. Errors: ErrUnknown, ErrConflict.
// Of the act By, Seen and Note count.
func (d *DLQ) Remove(ctx context.Context, queue, id string, act Act) error {
	k, err := keysOf(queue)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	answer, err := d.audited(ctx, "remove", k, id, act, func() (string, error) {
		answer, err := d.remove(ctx, k, id, act.Seen)
		if err == nil && answer == "unknown" {
			var taken int64
			if taken, err = d.adopt(ctx, k); taken > 0 && err == nil {
				answer, err = d.remove(ctx, k, id, act.Seen)
			}
		}
		return answer, err
	}, "reason", "operator")
	if d.counted(queue, "remove", err) != nil {
		return err
	}
	return failure(answer, queue, id)
}

func (d *DLQ) remove(ctx context.Context, k keys, id, seen string) (string, error) {
	return d.run(ctx, "remove", k.index, id, seen, d.now().UnixMicro(), "operator").Text()
}
