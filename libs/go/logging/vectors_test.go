package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"auralink.example/shared/internal/contract"
)

var metadata = [3]string{"pod-1", "1.0.0", "production"}

const at = 1760570460000000000 // 2025-10-15T23:21:00.000Z, the plan's example

func testEntry(t testing.TB) *entry {
	t.Helper()
	return newEntry("dashboard-service", contract.Default().Logging, metadata)
}

type vector struct {
	Name  string
	Given struct {
		Level, At string
		Message   json.RawMessage
		Identity  map[string]string
		Failure   map[string]json.RawMessage
		Context   json.RawMessage
	}
	Line string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	path := "../../fixtures/log-lines.json"
	if named := os.Getenv("LOG_LINES"); named != "" { // others, that Python has written
		path = named
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found struct{ Vectors []vector }
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found.Vectors
}

// native is a vector's value: `{"$float": "NaN"}` is what JSON can't say, `{"$repeat": [TEXT, N]}` a long text.
func native(t testing.TB, text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return nativeOf(t, ordered(decoder))
}

func nativeOf(t testing.TB, v any) any {
	switch known := v.(type) {
	case json.Number:
		if strings.ContainsAny(string(known), ".eE") {
			found, _ := known.Float64()
			return found
		}
		if found, err := known.Int64(); err == nil {
			return found
		}
		found, _ := new(big.Int).SetString(string(known), 10)
		return found
	case []any:
		for at := range known {
			known[at] = nativeOf(t, known[at])
		}
	case members:
		if len(known) == 1 && strings.HasPrefix(known[0].Key, "$") {
			return marked(t, known[0])
		}
		for at := range known {
			known[at].Value = slog.AnyValue(nativeOf(t, known[at].Value.Any()))
		}
	}
	return v
}

func marked(t testing.TB, one slog.Attr) any {
	t.Helper()
	switch one.Key {
	case "$float":
		found, err := strconv.ParseFloat(one.Value.String(), 64)
		if err != nil {
			t.Fatal(err)
		}
		return found
	case "$repeat":
		parts := one.Value.Any().([]any)
		count, _ := parts[1].(json.Number).Int64()
		return strings.Repeat(parts[0].(string), int(count))
	}
	t.Fatalf("the vectors have a mark %s that this test doesn't know", one.Key)
	return nil
}

func textOf(t testing.TB, text json.RawMessage) string {
	found, _ := native(t, text).(string)
	return found
}

func rendered(t testing.TB, one vector, context said) string {
	given := one.Given
	level, err := ParseLevel(given.Level)
	if err != nil {
		t.Fatal(err)
	}
	who := identity{zeros, given.Identity["span_id"], given.Identity["user_id"], given.Identity["request_id"]}
	if trace := given.Identity["trace_id"]; trace != "" {
		who.trace = trace
	}
	f := failure{
		textOf(t, given.Failure["error"]), textOf(t, given.Failure["error_type"]),
		textOf(t, given.Failure["error_code"]), textOf(t, given.Failure["stack_trace"]),
	}
	when := int64(at)
	if given.At != "" {
		when, _ = strconv.ParseInt(given.At, 10, 64)
	}
	var found string
	testEntry(t).write(func(line []byte) { found = string(line) }, place(level), textOf(t, given.Message), context, who,
		f, time.Unix(0, when))
	return found
}

func TestALineIsTheSharedVectorByteForByte(t *testing.T) {
	for _, one := range vectors(t) {
		t.Run(one.Name, func(t *testing.T) {
			context, _ := native(t, one.Given.Context).(members)
			same(t, rendered(t, one, said{attrs: context}), one.Line)
		})
	}
}

func TestWhatIsBoundIsWrittenAsWhatIsGiven(t *testing.T) {
	for _, one := range vectors(t) {
		t.Run(one.Name, func(t *testing.T) {
			context, _ := native(t, one.Given.Context).(members)
			var none *bound
			same(t, rendered(t, one, said{bound: none.with(testEntry(t), context)}), one.Line)
		})
	}
}

func TestAMapWritesTheVectorsWhoseKeysAreSorted(t *testing.T) {
	tested := 0
	for _, one := range vectors(t) {
		context, _ := native(t, one.Given.Context).(members)
		if context == nil || !slices.IsSortedFunc(context, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) }) {
			continue
		}
		tested++
		fields := map[string]any{}
		for _, attr := range context {
			fields[attr.Key] = attr.Value.Any()
		}
		same(t, rendered(t, one, said{attrs: attrsOf(nil, fields)}), one.Line)
	}
	if tested < 5 {
		t.Fatal("hardly any")
	}
}

func same(t testing.TB, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	from := 0
	for from < len(got) && from < len(want) && got[from] == want[from] {
		from++
	}
	from = max(0, from-60)
	t.Fatalf("got  …%.300s\nwant …%.300s\n(%d and %d bytes)", got[from:], want[from:], len(got), len(want))
}
