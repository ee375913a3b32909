package dlq

import (
	"errors"
	"fmt"
	"strings"
)

// What an operation on a letter can meet; nothing was changed then. Ask with errors.Is. Redis' errors pass through.
var (
	// ErrUnknown: no such letter where it was looked for; never there, or somebody was faster.
	ErrUnknown = errors.New("unknown")
	// ErrConflict: the letter is not the one that was seen, another has its id, or a retry of it is under way.
	ErrConflict = errors.New("conflict")
	// ErrQuarantined: it was replayed as often as allowed; a person may force it.
	ErrQuarantined = errors.New("quarantined")
	// ErrRefused: the queue's key holds something else than a list, so the letter stays.
	ErrRefused = errors.New("refused")
	// ErrTooLarge: its body is over the limit.
	ErrTooLarge = errors.New("too large")
	// ErrNoPayload: its body holds no payload that could be sent; edit it, or remove it.
	ErrNoPayload = errors.New("holds no payload: edit it, or remove it")
)

var answers = map[string]error{
	"unknown":     ErrUnknown,
	"conflict":    ErrConflict,
	"quarantined": ErrQuarantined,
	"refused":     ErrRefused,
	"too_large":   ErrTooLarge,
}

// failure is a script's answer as an error; nil for one that says that it was done.
func failure(answer, queue, id string) error {
	switch answer {
	case "ok", "added", "known":
		return nil
	}
	found, ok := answers[answer]
	if !ok {
		found = fmt.Errorf("unexpected answer %s", strings.ToValidUTF8(answer, "?"))
	}
	return fmt.Errorf("letter %s of %s: %w", id, queue, found)
}
