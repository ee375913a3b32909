package dlq

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
)

// payloadOf gives what a retry gives back to the queue, as it stands in the body; nil where it holds none.
//
// Nothing is decoded: numbers beyond 2^53, `<b>`, bytes that are no UTF-8 and Python's NaN stay as they are.
func payloadOf(body []byte) []byte {
	if found := fieldOf(body, "payload"); found != nil {
		return found
	}
	var text string
	if json.Unmarshal(fieldOf(body, "payload_base64"), &text) != nil {
		return nil
	}
	payload, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(payload) == 0 {
		return nil
	}
	return payload
}

// fieldOf gives the text of a field of the outermost object; of a name that stands twice the last, as every reader has
// it. nil where there is none.
func fieldOf(body []byte, wanted string) []byte {
	s := scanner{text: body}
	s.space()
	if !s.next('{') {
		return nil
	}
	var found []byte
	for {
		s.space()
		start := s.at
		if !s.string() {
			return nil
		}
		var name string
		if json.Unmarshal(body[start:s.at], &name) != nil {
			return nil
		}
		s.space()
		if !s.next(':') {
			return nil
		}
		s.space()
		start = s.at
		if !s.value(maxDepth) {
			return nil
		}
		if name == wanted {
			found = body[start:s.at]
		}
		s.space()
		if !s.next(',') {
			return found
		}
	}
}

const maxDepth = 10000 // as encoding/json

// scanner finds where a JSON value ends.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) next(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t' || s.text[s.at] == '\n' || s.text[s.at] == '\r') {
		s.at++
	}
}

var scalar = regexp.MustCompile(`^(?:true|false|null|NaN|-?Infinity|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)`)

func (s *scanner) value(depth int) bool {
	switch s.peek() {
	case '"':
		return s.string()
	case '{':
		return s.members(depth, '}', func() bool {
			if !s.string() {
				return false
			}
			s.space()
			if !s.next(':') {
				return false
			}
			s.space()
			return s.value(depth - 1)
		})
	case '[':
		return s.members(depth, ']', func() bool { return s.value(depth - 1) })
	}
	end := scalar.FindIndex(s.text[s.at:])
	if end == nil {
		return false
	}
	s.at += end[1]
	return true
}

func (s *scanner) members(depth int, last byte, one func() bool) bool {
	if depth == 0 {
		return false
	}
	s.at++
	s.space()
	if s.next(last) {
		return true
	}
	for {
		s.space()
		if !one() {
			return false
		}
		s.space()
		if s.next(last) {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

var escape = regexp.MustCompile(`^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})`)

func (s *scanner) string() bool {
	if !s.next('"') {
		return false
	}
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			end := escape.FindIndex(s.text[s.at:min(len(s.text), s.at+6)])
			if end == nil {
				return false
			}
			s.at += end[1]
		case c < ' ':
			return false
		default:
			s.at++
		}
	}
	return false
}

// fieldsOf gives the body's fields, each as its JSON text; none where it is no JSON object.
func fieldsOf(body []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return nil
	}
	return fields
}
