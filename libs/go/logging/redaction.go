package logging

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const mark = "[REDACTED]"

// redaction is what must not be in a log, of one contract: values under its keys, and what looks like a credential in
// any text. The patterns are Python's (auralink_shared.logging.redaction); those that look ahead, which Go's regexp
// can't, are written out.
type redaction struct {
	words map[string]bool
	tails []string
	pairs *regexp.Regexp
	ends  [256]bool // bytes that the name of a pair can end in
}

// What Python's \s is.
const space = `\s\v\x1c-\x1f\x{85}\p{Z}`

func newRedaction(keys []string) *redaction {
	r := &redaction{words: map[string]bool{}}
	var names []string
	for _, key := range keys {
		name := word(key)
		if name == "" || r.words[name] {
			continue
		}
		r.words[name] = true
		r.tails = append(r.tails, "_"+name)
		names = append(names, strings.ReplaceAll(name, "_", "[-_ ]?"))
		last := name[len(name)-1]
		r.ends[last], r.ends[last&^0x20] = true, true
	}
	for at := utf8.RuneSelf; at < 256; at++ {
		r.ends[at] = true // letters that fold to ASCII ones
	}
	slices.Sort(names)
	if len(names) > 0 {
		// password=…, 'password': '…', "password":"…", the closing quote cut off or not; a bare `token: expired` is a
		// sentence
		r.pairs = regexp.MustCompile(`(?i)((?:` + strings.Join(names, "|") + `)(?:=|["'][` + space + `]*[:=][` + space +
			`]*))("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^` + space + `"',;&)}\]]+)`)
	}
	return r
}

// word is a key as the redaction compares it: `X-Api-Key`, `apiKey` and `api_key` are one.
func word(key string) string {
	b := make([]byte, 0, len(key)+4)
	var before rune
	gap := false
	for _, r := range key {
		lower := unicode.ToLower(r)
		ordinary := lower >= 'a' && lower <= 'z' || lower >= '0' && lower <= '9'
		camel := r >= 'A' && r <= 'Z' && (before >= 'a' && before <= 'z' || before >= '0' && before <= '9')
		if ordinary {
			if (gap || camel) && len(b) > 0 {
				b = append(b, '_')
			}
			b = append(b, byte(lower))
		}
		gap = !ordinary || r == 'İ' // whose lower case is two characters
		before = r
	}
	return string(b)
}

// key tells whether what stands under this key is secret: the key is one of the contract's or ends in one
// (`db_password`).
func (r *redaction) key(key string) bool {
	found := word(key)
	if r.words[found] {
		return true
	}
	for _, tail := range r.tails {
		if strings.HasSuffix(found, tail) {
			return true
		}
	}
	return false
}

// What a text must hold before a pattern is tried on it.
const (
	hasPair = 1 << iota // = " '
	hasAt
	hasSpace
	hasDot
	hasOther // what no identifier has
)

var hints = func() (table [256]byte) {
	for c := range table {
		switch {
		case c == '=' || c == '"' || c == '\'':
			table[c] = hasPair | hasOther
		case c == '@':
			table[c] = hasAt | hasOther
		case c == '.':
			table[c] = hasDot | hasOther
		case c >= utf8.RuneSelf || c <= ' ':
			table[c] = hasSpace | hasOther
		case c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		default:
			table[c] = hasOther
		}
	}
	return table
}()

// text gives the text with what looks like a credential replaced.
func (r *redaction) text(text string) string {
	var found byte
	digits := 0
	for at := range len(text) {
		found |= hints[text[at]]
		if text[at]-'0' <= 9 {
			digits++
		}
	}
	if digits < 13 && found&^(hasOther|hasSpace) == 0 && (found&hasSpace == 0 || !bears(text)) {
		return text
	}
	if len(text) < 24 && utf8.RuneCountInString(text) < 6 {
		return text
	}
	if found&hasDot != 0 && strings.Contains(text, "eyJ") {
		text = replace(text, "e", jwt)
	}
	if found&hasAt != 0 && strings.Contains(text, "://") {
		text = url.ReplaceAllString(text, "${1}"+mark+"@")
	}
	if found&hasPair != 0 && r.pairs != nil && r.mayPair(text) {
		text = r.pairs.ReplaceAllStringFunc(text, r.pair)
	}
	if found&hasSpace != 0 && bears(text) {
		text = replace(text, "bB", bearer)
	}
	if digits >= 13 {
		text = replace(text, "23456", card)
	}
	return text
}

// mayPair is what every match of pairs has: a name's last letter before `=` or a quote.
func (r *redaction) mayPair(text string) bool {
	for at := 1; at < len(text); at++ {
		if hints[text[at]]&hasPair != 0 && r.ends[text[at-1]] {
			return true
		}
	}
	return false
}

func (r *redaction) pair(found string) string {
	parts := r.pairs.FindStringSubmatch(found)
	value, quote := parts[2], ""
	if strings.Contains(value, mark[:len(mark)-1]) { // a bare value ends before the bracket
		return found
	}
	if value[0] == '"' || value[0] == '\'' {
		quote = value[:1]
	}
	return parts[1] + quote + mark + quote
}

var url = regexp.MustCompile(`(://[^` + space + `/:@"']*:)[^` + space + `/@"']+@`)

// replace goes through a text as Python's re.sub does. A pattern tells where a match that begins at `at`, with one of
// the bytes in first, ends (-1: none), and what stands in its place.
func replace(text, first string, pattern func(text string, at int) (end int, instead string)) string {
	var b []byte
	last := 0
	var begins [256]bool
	for _, c := range []byte(first) {
		begins[c] = true
	}
	for at := 0; at < len(text); {
		if !begins[text[at]] {
			at++
			continue
		}
		end, instead := pattern(text, at)
		if end < 0 {
			at++
			continue
		}
		b = append(append(b, text[last:at]...), instead...)
		at, last = end, end
	}
	if last == 0 {
		return text
	}
	return string(append(b, text[last:]...))
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// afterWord tells whether a character of a word stands before `at`; in the middle of a character too.
func afterWord(text string, at int) bool {
	if at == 0 {
		return false
	}
	if !utf8.RuneStart(text[at]) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	return isWord(before)
}

// run is where characters of a kind, from `at` on, end, and how many they are.
func run(text string, at int, kind func(rune) bool) (end, count int) {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if !kind(r) {
			break
		}
		at += size
		count++
	}
	return at, count
}

// jwt is \beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?
func jwt(text string, at int) (int, string) {
	if !strings.HasPrefix(text[at:], "eyJ") || afterWord(text, at) {
		return -1, ""
	}
	part := func(r rune) bool { return r == '-' || isWord(r) }
	end, count := run(text, at+3, part)
	if count < 5 || end == len(text) || text[end] != '.' {
		return end, text[at:end] // nor is any that begins within: a long text takes no square of its length
	}
	end, _ = run(text, end+1, part)
	if end < len(text) && text[end] == '.' {
		end, _ = run(text, end+1, part)
	}
	return end, mark
}

// bears tells whether a text may say how somebody signed in; so spelt, since words in mixed case are none.
func bears(text string) bool {
	for _, part := range []string{"earer", "asic", "EARER", "ASIC"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

var scheme = regexp.MustCompile(`^(?i:bearer|basic)`)

// bearer is (?i)\b(bearer|basic)(\s+)(?:(?=[^\s"',]*\d)[\w.~+/=-]{12,}|[\w.~+/=-]{32,}): a digit or 32 characters, since
// "Bearer authentication failed" holds no token.
func bearer(text string, at int) (int, string) {
	if c := text[at] | 0x20; c != 'b' || afterWord(text, at) {
		return -1, ""
	}
	named := scheme.FindString(text[at:min(len(text), at+10)])
	if named == "" {
		return -1, ""
	}
	start, spaces := run(text, at+len(named), isSpace)
	end, count := run(text, start, func(r rune) bool { return isWord(r) || strings.ContainsRune(".~+/=-", r) })
	if spaces == 0 || count < 12 {
		return -1, ""
	}
	if count < 32 {
		ahead, _ := run(text, start, func(r rune) bool { return !isSpace(r) && r != '"' && r != '\'' && r != ',' })
		if !strings.ContainsFunc(text[start:ahead], unicode.IsDigit) {
			return -1, ""
		}
	}
	return end, text[at:start] + mark
}

func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

// card is a card number by issuer (Visa, Mastercard, American Express, Discover), so that 19-digit ids and epochs stay
// whole: (?<![\w.])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[47]\d\d|6\d{3})(?:[ -]?\d){9,15}(?![\w])
func card(text string, at int) (int, string) {
	first := text[at]
	if first < '2' || first > '6' || afterWord(text, at) || at > 0 && text[at-1] == '.' || len(text) < at+13 {
		return -1, ""
	}
	switch second := text[at+1]; {
	case first == '5' && (second < '1' || second > '5'), first == '2' && (second < '2' || second > '7'),
		first == '3' && second != '4' && second != '7':
		return -1, ""
	}
	digits := make([]byte, 0, 19)
	end, best := at, -1
	for len(digits) < 19 && end < len(text) {
		if len(digits) >= 4 && (text[end] == ' ' || text[end] == '-') && end+1 < len(text) {
			end++
		}
		if text[end] < '0' || text[end] > '9' {
			break
		}
		digits = append(digits, text[end])
		end++
		if len(digits) >= 13 {
			if next, _ := utf8.DecodeRuneInString(text[end:]); end == len(text) || !isWord(next) {
				best = end
			}
		}
	}
	if best < 0 {
		return -1, ""
	}
	digits = digits[:0]
	for _, c := range []byte(text[at:best]) {
		if c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	if !cardLength(first, len(digits)) || !luhn(digits) {
		return best, text[at:best]
	}
	return best, mark
}

func cardLength(first byte, length int) bool {
	switch first {
	case '4':
		return length == 13 || length == 16 || length == 19
	case '3':
		return length == 15
	}
	return length == 16
}

func luhn(digits []byte) bool {
	total := 0
	for at, digit := range digits {
		value := int(digit - '0')
		if (len(digits)-at)%2 == 0 {
			value *= 2
		}
		if value > 9 {
			value -= 9
		}
		total += value
	}
	return total%10 == 0
}
