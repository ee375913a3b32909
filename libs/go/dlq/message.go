package dlq

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Reasons why a message died.
const (
	ReasonExhausted = "exhausted" // it failed as often as it may be tried
	ReasonRejected  = "rejected"  // its work knew that trying again is of no use
)

const (
	errorLength  = 4096 // characters of the error's text
	payloadDepth = 500  // deeper JSON stands as base64: Python reads about 1000 levels
)

// Message is what a service knows when it gives up. Payload is the message as its queue had it, byte for byte; it need
// not be JSON. Add fills in what is empty: ID, Reason (exhausted), Attempts (1) and the three times (now).
type Message struct {
	ID            string
	OriginalQueue string
	Payload       []byte
	Error         string // cut at 4096 characters, the payload never
	Attempts      int
	FirstAttempt  time.Time
	LastAttempt   time.Time
	CreatedAt     time.Time
	Reason        string
	ErrorType     string
	TraceID       string
	Replays       int    // how often operators had sent it back
	Death         string // tells two letters apart that would be the same bytes otherwise
}

func (m Message) filledIn(now time.Time) Message {
	if m.ID == "" {
		m.ID = newID()
	}
	if m.Reason == "" {
		m.Reason = ReasonExhausted
	}
	if m.Attempts == 0 {
		m.Attempts = 1
	}
	for _, at := range []*time.Time{&m.FirstAttempt, &m.LastAttempt, &m.CreatedAt} {
		if at.IsZero() {
			*at = now
		}
	}
	return m
}

// Body is the message as Redis keeps it: the same bytes that Python writes. A payload that is no JSON stands as
// `payload_base64`.
func (m Message) Body() []byte {
	b := make([]byte, 0, 512+len(m.Payload)+len(m.Error))
	b = appendText(append(b, `{"id":`...), m.ID)
	b = appendText(append(b, `,"original_queue":`...), m.OriginalQueue)
	if isJSON(m.Payload) {
		b = append(append(b, `,"payload":`...), m.Payload...)
	} else {
		b = append(b, `,"payload_base64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, m.Payload), '"')
	}
	b = appendText(append(b, `,"error":`...), cut(m.Error, errorLength))
	b = strconv.AppendInt(append(b, `,"attempts":`...), int64(m.Attempts), 10)
	b = appendTime(append(b, `,"first_attempt":`...), m.FirstAttempt)
	b = appendTime(append(b, `,"last_attempt":`...), m.LastAttempt)
	b = appendTime(append(b, `,"created_at":`...), m.CreatedAt)
	b = appendText(append(b, `,"reason":`...), m.Reason)
	if m.ErrorType != "" {
		b = appendText(append(b, `,"error_type":`...), m.ErrorType)
	}
	if m.TraceID != "" {
		b = appendText(append(b, `,"trace_id":`...), m.TraceID)
	}
	if m.Replays != 0 {
		b = strconv.AppendInt(append(b, `,"replays":`...), int64(m.Replays), 10)
	}
	if m.Death != "" {
		b = appendText(append(b, `,"death":`...), m.Death)
	}
	return append(b, '}')
}

// isJSON tells what can stand in a body as it is: UTF-8, as Python wants it too, no deeper than every reader reads, and
// without spaces around it, which are part of the message and which JSON would drop.
func isJSON(payload []byte) bool {
	return utf8.Valid(payload) && json.Valid(payload) && depth(payload) <= payloadDepth &&
		len(bytes.Trim(payload, " \t\n\r")) == len(payload)
}

func depth(text []byte) int {
	deepest, now, inString := 0, 0, false
	for at := 0; at < len(text); at++ {
		switch c := text[at]; {
		case inString && c == '\\':
			at++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

func cut(text string, most int) string {
	for at := range text {
		if most == 0 {
			return text[:at]
		}
		most--
	}
	return text
}

// appendTime writes UTC with three digits of a second, always: it sorts as text.
func appendTime(b []byte, at time.Time) []byte {
	return at.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string in ASCII, as Python's json does.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text { // what is no UTF-8 is U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
		default:
			b = appendUnit(b, r)
		}
	}
	return append(b, '"')
}

func appendUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
