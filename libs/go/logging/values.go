package logging

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"auralink.example/shared/internal/fault"
)

// Any value as JSON text, in one pass: redacted, cut to size, and never a panic. The form is that of every language
// (docs/design.md, "A log line"). All limits are bytes of the JSON text.
const (
	depthLimit = 8    // containers within each other, the context itself included
	valueLimit = 4096 // one value in the context
	keyLimit   = 256
	workLimit  = 65536 // bytes looked at in one container before the rest is left out
	mapLimit   = 4096  // members of a map that are sorted; more than fit a line
	binary     = 4 * valueLimit
)

// members are those of an object, in their order. Of its own groups log/slog drops the empty ones.
type members []slog.Attr

// types is what the contract says of keys below context: a JSON type, or more keys below.
type types map[string]any

// line is one line while it is written. Not to be used by two goroutines.
type line struct {
	b     []byte
	e     *entry
	cut   bool // whether anything was left out
	above []identityOf
	names [][2]int // where the names of the members stand, of every object that is being written
}

// identityOf tells containers apart, to find those that hold themselves.
type identityOf struct {
	place  uintptr
	length int
}

func (l *line) string(text string) { l.b = append(l.b, text...) }

// text writes a JSON string of at most limit bytes between its quotes, redacted: of a longer one the longest beginning
// that fits, or, with tail, the longest ending.
func (l *line) text(text string, limit int, tail bool) {
	if len(text) > 2*limit { // patterns over megabytes would stop the service
		text = l.within(text, 2*limit, tail)
	}
	l.quoted(l.e.redaction.text(text), limit, tail)
}

// within gives the first, or last, so many characters.
func (l *line) within(text string, most int, tail bool) string {
	at, count := 0, 0
	if tail {
		at = len(text)
	}
	for count < most && (tail && at > 0 || !tail && at < len(text)) {
		if tail {
			_, size := utf8.DecodeLastRuneInString(text[:at])
			at -= size
		} else {
			_, size := utf8.DecodeRuneInString(text[at:])
			at += size
		}
		count++
	}
	switch {
	case tail && at > 0:
		l.cut = true
		return text[at:]
	case !tail && at < len(text):
		l.cut = true
		return text[:at]
	}
	return text
}

// plain bytes stand in a JSON string as they are.
var plain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

func isPlain(text string) bool {
	for at := range len(text) {
		if !plain[text[at]] {
			return false
		}
	}
	return true
}

func (l *line) quoted(text string, limit int, tail bool) {
	l.b = append(l.b, '"')
	if isPlain(text) {
		if len(text) > limit {
			l.cut = true
			if tail {
				text = text[len(text)-limit:]
			} else {
				text = text[:limit]
			}
		}
		l.b = append(append(l.b, text...), '"')
		return
	}
	if tail && 6*len(text) > limit { // else all of it fits
		at, room := len(text), limit
		for at > 0 {
			r, size := utf8.DecodeLastRuneInString(text[:at])
			if room -= escapedSize(r); room < 0 {
				l.cut = true
				break
			}
			at -= size
		}
		text, limit = text[at:], math.MaxInt
	}
	for at := 0; at < len(text); {
		end := at
		for end < len(text) && end-at < limit && plain[text[end]] {
			end++
		}
		if end > at {
			l.b = append(l.b, text[at:end]...)
			limit -= end - at
			at = end
			continue
		}
		r, size := utf8.DecodeRuneInString(text[at:]) // what is no UTF-8 is U+FFFD
		if limit -= escapedSize(r); limit < 0 {
			l.cut = true
			break
		}
		l.b = appendEscaped(l.b, r)
		at += size
	}
	l.b = append(l.b, '"')
}

func escapedSize(r rune) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t' || r == '\f' || r == '\b':
		return 2
	case r < ' ':
		return 6
	}
	return utf8.RuneLen(r)
}

func appendEscaped(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(b, '\\', byte(r))
	case r >= ' ':
		return utf8.AppendRune(b, r)
	case r == '\n':
		return append(b, '\\', 'n')
	case r == '\r':
		return append(b, '\\', 'r')
	case r == '\t':
		return append(b, '\\', 't')
	case r == '\f':
		return append(b, '\\', 'f')
	case r == '\b':
		return append(b, '\\', 'b')
	}
	return append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
}

// attr writes the value of an attribute.
func (l *line) attr(v slog.Value, limit, depth int) {
	switch v.Kind() {
	case slog.KindString:
		l.text(v.String(), limit, false)
	case slog.KindInt64:
		l.b = strconv.AppendInt(l.b, v.Int64(), 10)
	case slog.KindUint64:
		l.unsigned(v.Uint64())
	case slog.KindFloat64:
		l.float(v.Float64(), 64)
	case slog.KindBool:
		l.b = strconv.AppendBool(l.b, v.Bool())
	case slog.KindDuration:
		l.text(v.Duration().String(), limit, false)
	case slog.KindTime:
		l.time(v.Time(), limit)
	case slog.KindLogValuer:
		l.attr(v.Resolve(), limit, depth)
	case slog.KindGroup:
		l.container(identityOf{}, depth, func() { l.object(v.Group(), limit, depth-1, nil) })
	default:
		l.value(v.Any(), limit, depth)
	}
}

// value writes any value.
func (l *line) value(v any, limit, depth int) {
	switch known := v.(type) {
	case nil:
		l.string("null")
	case string:
		l.text(known, limit, false)
	case bool:
		l.b = strconv.AppendBool(l.b, known)
	case int:
		l.b = strconv.AppendInt(l.b, int64(known), 10)
	case int64:
		l.b = strconv.AppendInt(l.b, known, 10)
	case uint64:
		l.unsigned(known)
	case float64:
		l.float(known, 64)
	case float32:
		l.float(float64(known), 32)
	case []byte:
		l.bytes(known, limit)
	case time.Time:
		l.time(known, limit)
	case time.Duration:
		l.text(known.String(), limit, false)
	case json.Number:
		l.number(string(known), limit)
	case slog.Value:
		l.attr(known, limit, depth)
	case members:
		l.container(identityOf{}, depth, func() { l.object(known, limit, depth-1, nil) })
	default:
		l.other(v, limit, depth)
	}
}

// unsigned beyond 63 bits is text: most readers of numbers would round it or refuse the line.
func (l *line) unsigned(v uint64) {
	if v > math.MaxInt64 {
		l.b = append(strconv.AppendUint(append(l.b, `"0x`...), v, 16), '"')
		return
	}
	l.b = strconv.AppendUint(l.b, v, 10)
}

func (l *line) integer(v *big.Int) {
	switch {
	case v.IsInt64():
		l.b = v.Append(l.b, 10)
	case v.Sign() < 0:
		l.b = append(new(big.Int).Neg(v).Append(append(l.b, `"-0x`...), 16), '"')
	default:
		l.b = append(v.Append(append(l.b, `"0x`...), 16), '"')
	}
}

// float is the shortest form that reads back, always with a point or an exponent; an exponent from 1e16 and below 1e-4.
func (l *line) float(v float64, bits int) {
	switch {
	case math.IsNaN(v):
		l.string(`"NaN"`)
		return
	case math.IsInf(v, 1):
		l.string(`"Infinity"`)
		return
	case math.IsInf(v, -1):
		l.string(`"-Infinity"`)
		return
	}
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e16) {
		form = 'e'
	}
	start := len(l.b)
	l.b = strconv.AppendFloat(l.b, v, form, -1, bits)
	if form == 'f' && !strings.Contains(string(l.b[start:]), ".") {
		l.string(".0")
	}
}

// number is one that JSON had as text: an integer stays one, whatever its size.
func (l *line) number(text string, limit int) {
	if whole, ok := new(big.Int).SetString(text, 10); ok && len(text) <= valueLimit {
		l.integer(whole)
	} else if v, ok := asFloat(text); ok {
		l.float(v, 64)
	} else {
		l.text(text, limit, false)
	}
}

func (l *line) time(v time.Time, limit int) {
	l.text(v.Format(time.RFC3339Nano), limit, false)
}

func (l *line) bytes(v []byte, limit int) {
	l.text(string(v[:min(len(v), binary)]), limit, false)
}

// container keeps what is too deep, or holds itself, out of the line.
func (l *line) container(which identityOf, depth int, write func()) {
	if which.place != 0 {
		for _, one := range l.above {
			if one == which {
				l.string(`"<circular>"`)
				return
			}
		}
	}
	if depth <= 1 {
		l.cut = true
		l.string(`"<too deep>"`)
		return
	}
	if which.place == 0 {
		write()
		return
	}
	l.above = append(l.above, which)
	write()
	l.above = l.above[:len(l.above)-1]
}

// object writes attributes as an object of at most limit bytes; members that don't fit are left out, in order.
func (l *line) object(members []slog.Attr, limit, depth int, declared types) {
	o := l.open(limit, depth, declared)
	for at := range members {
		if !l.member(&o, members[at].Key, members[at].Value) {
			break
		}
	}
	l.end(&o)
}

// object is one while it is written.
type object struct {
	room, work, limit, depth int
	declared                 types
	first                    int // of its names
	many                     map[string]bool
}

func (l *line) open(limit, depth int, declared types) object {
	l.b = append(l.b, '{')
	return object{
		room: limit - 2, work: workLimit, limit: min(limit, valueLimit), depth: depth, declared: declared, first: len(l.names),
	}
}

func (l *line) end(o *object) {
	l.b = append(l.b, '}')
	l.names = l.names[:o.first]
}

// begin writes the comma before a member, and tells where it and its name begin.
func (l *line) begin(o *object) (start, name int) {
	start = len(l.b)
	if len(l.names) > o.first {
		l.b = append(l.b, ',')
	}
	return start, len(l.b)
}

// member writes one, if it fits; false once enough was looked at.
func (l *line) member(o *object, key string, v slog.Value) bool {
	start, name := l.begin(o)
	known := l.e.key(key)
	l.string(known.name)
	l.cut = l.cut || known.cut
	end := len(l.b)
	declared, ok := o.declared[key]
	switch {
	case known.secret:
		l.string(`"` + mark + `"`)
	case ok:
		if end = l.declared(v, o.limit, o.depth, declared, end); end < 0 {
			l.b = l.b[:start]
			return true
		}
	default:
		l.attr(v, o.limit, o.depth)
	}
	return l.close(o, start, name, end)
}

// close counts the member that begins at start, with its name from name to end, or takes it out again.
func (l *line) close(o *object, start, name, end int) bool {
	cost := len(l.b) - start
	o.work -= cost
	if cost > o.room || l.twice(o, name, end) {
		l.cut = true
		l.b = l.b[:start]
	} else {
		l.names = append(l.names, [2]int{name, end})
		o.room -= cost
	}
	if o.work < 0 {
		l.cut = true
		return false
	}
	return true
}

// twice tells whether the object has such a member: of keys that are the same as they are written the first counts.
func (l *line) twice(o *object, name, end int) bool {
	const few = 32
	new, names := l.b[name:end], l.names[o.first:]
	if len(names) < few {
		for _, one := range names {
			if one[1]-one[0] == len(new) && string(l.b[one[0]:one[1]]) == string(new) {
				return true
			}
		}
		return false
	}
	if o.many == nil {
		o.many = map[string]bool{}
		for _, one := range names {
			o.many[string(l.b[one[0]:one[1]])] = true
		}
	}
	if o.many[string(new)] {
		return true
	}
	o.many[string(new)] = true
	return false
}

// declared writes a value whose type the contract names: brought to it, or under `KEY_text` where it can't be. Its
// answer is where the name ends; -1 of null, which is left out.
func (l *line) declared(v slog.Value, limit, depth int, declared any, start int) int {
	if below, ok := declared.(types); ok {
		v = v.Resolve()
		if members, which, ok := membersOf(v); ok && depth > 1 && !l.holds(which) {
			l.container(which, depth, func() { l.object(members, limit, depth-1, below) })
			return start
		}
		declared = "object"
	}
	l.attr(v, limit, depth)
	if string(l.b[start:]) == "null" {
		return -1
	}
	if isOf(l.b[start:], declared.(string)) {
		return start
	}
	text := string(l.b[start:])
	l.b = l.b[:start]
	if declared == "string" {
		l.text(text, limit, false)
		return start
	}
	if declared == "number" && text[0] == '"' {
		if number, ok := asFloat(text[1 : len(text)-1]); ok {
			l.float(number, 64)
			return start
		}
	}
	l.b = append(l.b[:start-2], `_text":`...)
	end := len(l.b)
	if text[0] == '"' {
		l.string(text)
	} else {
		l.text(text, limit, false)
	}
	return end
}

func (l *line) holds(which identityOf) bool {
	for _, one := range l.above {
		if which.place != 0 && one == which {
			return true
		}
	}
	return false
}

func isOf(text []byte, declared string) bool {
	switch declared {
	case "string":
		return text[0] == '"'
	case "boolean":
		return string(text) == "true" || string(text) == "false"
	case "object":
		return text[0] == '{'
	}
	return text[0] == '-' || text[0] >= '0' && text[0] <= '9'
}

// asFloat reads what Python's float reads, but for infinities and NaN.
func asFloat(text string) (float64, bool) {
	text = strings.TrimFunc(text, isSpace)
	digit := false
	for at := range len(text) {
		switch c := text[at]; {
		case c >= '0' && c <= '9':
			digit = true
			continue
		case c == '_': // between digits
			if !digit || at+1 == len(text) || text[at+1] < '0' || text[at+1] > '9' {
				return 0, false
			}
		case c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E':
			return 0, false
		}
		digit = false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	return v, err == nil
}

// unencodable is what stands for a value that can't be shown.
func (l *line) unencodable(v any) {
	l.quoted(fmt.Sprintf("<unencodable %T>", v), valueLimit, false)
}

func (l *line) error(err error, limit int) { l.text(fault.Text(err), limit, false) }
