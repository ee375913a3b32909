package dlq

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Place is where a letter is.
type Place string

// Where a letter can be.
const (
	InQueue Place = "queue"
	InTrash Place = "trash"
)

// Letter is a body as it was written, and what the index knows of it.
type Letter struct {
	Queue string
	ID    string
	// Age is microseconds since 1970, of no two letters the same; of one that List found in the trash its removal.
	Age   int64
	Body  []byte
	State State
	Place Place
	// Edited is an edited payload on its way to another slot, else nil.
	Edited []byte
}

// State is what happened to a letter since.
type State struct {
	Replays     int    `json:"replays"`
	Quarantined bool   `json:"quarantined"`
	Token       string `json:"token"` // a retry into another slot was begun and not settled
}

func read(queue, id, age, state, body string, place Place) (Letter, error) {
	found := Letter{Queue: queue, ID: id, Body: []byte(body), Place: place}
	number, err := strconv.ParseFloat(age, 64)
	if err == nil {
		err = json.Unmarshal([]byte(state), &found.State)
	}
	if err != nil {
		return found, fmt.Errorf("letter %s of %s: its index can't be read: %w", id, queue, err)
	}
	found.Age = int64(number)
	return found, nil
}

// SHA1 of the body: what an operator has seen.
func (l Letter) SHA1() string { return digest(l.Body) }

// Payload is what a retry gives back to the queue; nil of a body that holds none.
func (l Letter) Payload() []byte { return payloadOf(l.Body) }

// What changes from one time to the next in an error's text: texts in quotes, UUIDs, hexadecimal and long numbers, other
// numbers.
var changing = regexp.MustCompile("(?i)\"[^\"\n]*\"|`[^`\n]*`|\\B'[^'\n]*'" +
	`|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?:0x[0-9a-f]+|[0-9a-f]{8,})\b|[0-9]+`)

// Fingerprint is the same of errors that differ only in ids, numbers and names: 12 hex digits, with which the SHA-1 of
// type, line break and the text with `*` for what changes begins.
func (l Letter) Fingerprint() string {
	fields := fieldsOf(l.Body)
	shape := shown(fields["error_type"]) + "\n" + changing.ReplaceAllLiteralString(shown(fields["error"]), "*")
	return digest([]byte(shape))[:12]
}

// Pending tells whether a retry into another slot was begun and not settled.
func (l Letter) Pending() bool { return l.State.Token != "" }

// Message is what can be read of the body, whoever wrote it: what is missing or of another type stays empty. It is for
// people and programs to look at; what is in Redis is never made of it.
func (l Letter) Message() Message {
	fields := fieldsOf(l.Body)
	var m Message
	for name, into := range map[string]any{
		"id": &m.ID, "original_queue": &m.OriginalQueue, "attempts": &m.Attempts, "reason": &m.Reason,
		"trace_id": &m.TraceID, "replays": &m.Replays, "death": &m.Death,
	} {
		_ = json.Unmarshal(fields[name], into)
	}
	m.Error, m.ErrorType = shown(fields["error"]), shown(fields["error_type"])
	m.FirstAttempt, m.LastAttempt = timeOf(fields["first_attempt"]), timeOf(fields["last_attempt"])
	m.CreatedAt = timeOf(fields["created_at"])
	m.Payload = l.Payload()
	return m
}

// timeOf reads RFC 3339, without a zone too, as Python writes it.
func timeOf(field json.RawMessage) time.Time {
	var text string
	if json.Unmarshal(field, &text) != nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if found, err := time.Parse(layout, text); err == nil {
			return found.UTC()
		}
	}
	return time.Time{}
}

// Filter says which letters: every condition that is given holds. Letter case is ignored in Error and Text.
type Filter struct {
	Error       string // part of error or error_type
	Text        string // part of the whole body
	Fingerprint string
	MinAttempts int
	Since       time.Time // inclusive, as is Until
	Until       time.Time
	Match       func(Letter) bool
}

// takes tells whether the letter is meant; times are asked of the index instead.
func (f Filter) takes(letter Letter) bool {
	if f.Error != "" || f.MinAttempts > 0 {
		fields := fieldsOf(letter.Body)
		if !contains(shown(fields["error"])+"\n"+shown(fields["error_type"]), f.Error) {
			return false
		}
		var attempts int
		if f.MinAttempts > 0 && (json.Unmarshal(fields["attempts"], &attempts) != nil || attempts < f.MinAttempts) {
			return false
		}
	}
	if f.Text != "" && !contains(string(letter.Body), f.Text) {
		return false
	}
	if f.Fingerprint != "" && letter.Fingerprint() != f.Fingerprint {
		return false
	}
	return f.Match == nil || f.Match(letter)
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// shown is a field as text, whatever its type.
func shown(field json.RawMessage) string {
	var text string
	if len(field) == 0 || json.Unmarshal(field, &text) == nil { // null is none
		return text
	}
	return string(field)
}

func digest(text []byte) string {
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}
