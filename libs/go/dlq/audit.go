package dlq

import (
	"context"
	"log/slog"
	"strings"
)

// audited says in the audit stream what is asked, does it, and says how it ended in the place of the first entry. So no
// change is without an entry, and a client that died between the two is seen: its entry says `asked`.
//
// Nothing is done where the entry can't be written, except that a Redis out of memory must be let go on: what makes room
// may not depend on it, and the log says who did it.
func (d *DLQ) audited(
	ctx context.Context, what string, k keys, id string, act Act, do func() (string, error), more ...string,
) (string, error) {
	entry := append([]string{"what", what, "queue", k.queue, "id", id, "by", act.By}, more...)
	entry = append(entry, "note", act.Note)
	asked, err := d.entry(ctx, "", append(entry, "result", "asked"))
	if err != nil {
		if !strings.Contains(err.Error(), "maxmemory") {
			return "", err
		}
		d.log.LogAttrs(ctx, slog.LevelWarn, "the audit stream takes no entry", slog.Any("error", err))
	}
	result, err := do()
	if err != nil {
		return "", err // nobody knows whether Redis did it
	}
	entry = append(entry, "result", result)
	attributes := make([]slog.Attr, 0, len(entry)/2)
	for at := 0; at < len(entry); at += 2 {
		if entry[at+1] != "" {
			attributes = append(attributes, slog.String(entry[at], entry[at+1]))
		}
	}
	d.log.LogAttrs(ctx, slog.LevelInfo, "dead letter", attributes...)
	if _, err := d.entry(ctx, asked, entry); err != nil { // what happened has happened, and the line above says so
		d.log.LogAttrs(ctx, slog.LevelError, "the audit stream took no entry", slog.Any("error", err))
	}
	return result, nil
}

func (d *DLQ) entry(ctx context.Context, answers string, entry []string) (string, error) {
	arguments := []any{answers}
	for at := 0; at < len(entry); at += 2 {
		if entry[at+1] != "" {
			arguments = append(arguments, entry[at], entry[at+1])
		}
	}
	return d.run(ctx, "audit", []string{Audit}, arguments...).Text()
}
