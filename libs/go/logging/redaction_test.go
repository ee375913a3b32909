package logging

import (
	"strings"
	"testing"
	"time"
)

// A text that a client wrote must not cost more than its length, whatever it looks like.
func TestNoTextIsSlow(t *testing.T) {
	e := testEntry(t)
	for _, part := range []string{"eyJ-", "eyJaaaaa.", "bearer ", "basic x", "://:", "://a:", "password=", `"token":"`, `token='`, "'", `"`,
		"4111 ", "4-", "4", "é", "\x00", "=", "secret='\\'", "4111111111111111 "} {
		text := strings.Repeat(part, 1_000_000/len(part))
		start := time.Now()
		e.write(func([]byte) {}, 2, text, said{}, identity{trace: zeros}, failure{error: text, stack: text}, start)
		took := time.Since(start)
		if took > 2*time.Second {
			t.Errorf("%q: %s", part, took)
		}
	}
}
