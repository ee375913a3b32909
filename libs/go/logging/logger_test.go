package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/slogtest"
	"time"

	"auralink.example/shared/internal/contract"
)

// written is a logger that writes into a buffer, and what it wrote.
type written struct {
	*Logger
	lock   sync.Mutex
	text   bytes.Buffer
	writes int
}

func (w *written) Write(line []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.writes++
	return w.text.Write(line)
}

func logger(t testing.TB, options Options) *written {
	t.Helper()
	t.Setenv(contract.Variable, "")
	w := &written{}
	options.Output, options.InstanceID, options.Version, options.Environment = w, metadata[0], metadata[1], metadata[2]
	w.Logger = New("dashboard-service", options)
	return w
}

// lines are held to what every line must be: one JSON object, at most so many bytes, one write.
func (w *written) lines(t testing.TB) (found []map[string]any) {
	t.Helper()
	w.lock.Lock()
	defer w.lock.Unlock()
	text := w.text.String()
	w.text.Reset()
	for _, line := range strings.SplitAfter(text, "\n") {
		if line == "" {
			continue
		}
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil || len(line) > lineLimit || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%v: %.500s", err, line)
		}
		found = append(found, one)
	}
	if len(found) != w.writes {
		t.Fatalf("%d lines in %d writes", len(found), w.writes)
	}
	w.writes = 0
	return found
}

func (w *written) line(t testing.TB) map[string]any {
	t.Helper()
	found := w.lines(t)
	if len(found) != 1 {
		t.Fatalf("%d lines", len(found))
	}
	return found[0]
}

func (w *written) context(t testing.TB) string {
	t.Helper()
	found, _ := json.Marshal(w.line(t)["context"])
	return string(found)
}

type broken struct{ Name string }

func (broken) String() string               { panic("String") }
func (broken) MarshalJSON() ([]byte, error) { panic("MarshalJSON") }

type wrong struct{}

func (wrong) MarshalJSON() ([]byte, error) { return []byte("no json"), nil }

type failing struct{ code string }

func (f *failing) Error() string { return "failed with " + f.code }
func (f *failing) Code() string  { return f.code }

type state int

func (s state) String() string { return [...]string{"open", "closed"}[s] }

type person struct {
	Name     string `json:"name"`
	Password string
	Age      int       `json:"age,omitempty"`
	Secret   string    `json:"-"`
	Since    time.Time `json:"since,omitzero"`
	inner    func()    // not exported: nobody's
	*address
	Friend *person `json:"friend,omitempty"`
}

type address struct{ City string }

type valued struct{}

func (valued) LogValue() slog.Value { panic("LogValue") }

func TestAnyValueIsShownOrSaysWhyNot(t *testing.T) {
	self := map[string]any{}
	self["self"] = self
	list := []any{nil}
	list[0] = list
	ann := &person{Name: "ann", Password: "hunter2", inner: func() {}}
	ann.Friend = ann
	var none *failing
	for _, one := range []struct {
		value any
		want  string
	}{
		{nil, `null`}, {math.NaN(), `"NaN"`}, {float32(0.1), `0.1`}, {uint8(7), `7`}, {uint64(math.MaxUint64), `"0xffffffffffffffff"`},
		{new(big.Int).Lsh(big.NewInt(-1), 64), `"-0x10000000000000000"`},
		{func() {}, `"<unencodable func()>"`}, {make(chan int), `"<unencodable chan int>"`}, {(func())(nil), `null`},
		{complex(1, -2), `"(1-2i)"`}, {errors.New("e"), `"e"`}, {fmt.Errorf("w: %w", os.ErrNotExist), `"w: file does not exist"`},
		{none, `null`}, {error((*fs.PathError)(nil)), `null`}, {broken{}, `"<unencodable logging.broken>"`}, {&broken{}, `"<unencodable *logging.broken>"`},
		{wrong{}, `"<unencodable logging.wrong>"`}, {state(1), `"closed"`}, {state(7), `"<unprintable logging.state>"`},
		{self, `{"self":"<circular>"}`}, {list, `["<circular>"]`},
		{ann, `{"Password":"[REDACTED]","friend":"<circular>","name":"ann"}`},
		{person{Name: "b", Age: 3, address: &address{"Rome"}}, `{"City":"Rome","Password":"[REDACTED]","age":3,"name":"b"}`},
		{json.RawMessage(`{"b":1,"token":"x","a":[]}`), `{"a":[],"b":1,"token":"[REDACTED]"}`}, {json.Number("12.50"), `12.5`},
		{map[int]string{2: "b", 10: "a"}, `{"10":"a","2":"b"}`}, {map[state]int{0: 1}, `{"open":1}`}, {[2]bool{true}, `[true,false]`},
		{[]byte("by\xfftes"), `"by�tes"`}, {time.Second + time.Millisecond, `"1.001s"`},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), `"2026-01-02T03:04:05.000006Z"`}, {net.IPv4(10, 0, 0, 1), `"10.0.0.1"`},
		{&neturl.URL{Scheme: "http", Host: "h", User: neturl.UserPassword("u", "pw")}, `"http://u:[REDACTED]@h"`},
		{http.Header{"Authorization": {"Bearer x"}, "Accept": {"*"}}, `{"Accept":["*"],"Authorization":"[REDACTED]"}`},
		{&sync.Mutex{}, `"<unencodable sync.Mutex>"`}, {bytes.NewBufferString("text"), `"text"`}, {struct{}{}, `{}`},
		{slog.GroupValue(slog.Int("b", 1), slog.Int("a", 2)), `{"a":2,"b":1}`},
		{any(ptr(ptr(7))), `7`}, {map[any]any{"1": 1}, `{"1":1}`},
	} {
		w := logger(t, Options{})
		w.Info(t.Context(), "m", map[string]any{"v": one.value})
		if got := w.context(t); got != `{"v":`+strings.ReplaceAll(one.want, "<", `\u003c`)+`}` && got != `{"v":`+one.want+`}` {
			var want, have any
			_ = json.Unmarshal([]byte(`{"v":`+one.want+`}`), &want)
			_ = json.Unmarshal([]byte(got), &have)
			if fmt.Sprint(want) != fmt.Sprint(have) {
				t.Errorf("%T: got %s, want %s", one.value, got, one.want)
			}
		}
	}
	w := logger(t, Options{})
	w.Info(t.Context(), "m", map[string]any{"v": valued{}})
	if got := w.context(t); !strings.Contains(got, "LogValue panicked") {
		t.Error(got)
	}
}

func ptr[T any](v T) *T { return &v }

func TestNothingThatIsGivenBreaksTheService(t *testing.T) {
	w := logger(t, Options{SpanContext: func(context.Context) ([16]byte, [8]byte, bool) { panic("tracer") }})
	var none *fs.PathError
	//lint:ignore SA1012 that is the point
	w.Info(nil, "nil context", nil)
	w.Error(t.Context(), "typed nil", none, nil)
	w.Error(t.Context(), "none", nil, nil)
	w.Fatal(t.Context(), strings.Repeat("\xff\x00", 100_000), errors.New(strings.Repeat("e", 100_000)), map[string]any{
		"huge": strings.Repeat("h", 1_000_000), strings.Repeat("k", 10_000): 1, "many": make([]int, 1_000_000), "id": 7,
	})
	found := w.lines(t)
	if len(found) != 4 {
		t.Fatalf("%d lines of 4", len(found))
	}
	if found[1]["error"] != "<unprintable *fs.PathError>" || found[1]["error_type"] != "fs.PathError" {
		t.Error(found[1])
	}
	if found[3]["truncated"] != true || found[3]["context"].(map[string]any)["id"] != 7.0 {
		t.Error(found[3]["truncated"], found[3]["context"])
	}
}

func TestAnErrorHasItsTextTypeCodeAndStack(t *testing.T) {
	w := logger(t, Options{})
	w.Error(t.Context(), "m", fmt.Errorf("call: %w", &failing{"E42"}), nil)
	slog.New(w.Handler()).ErrorContext(t.Context(), "m", "err", syscall.ETIMEDOUT, "a", 1)
	slog.New(w.Handler()).Warn("m", "error", errors.New("soon"))
	w.Warn(t.Context(), "m", map[string]any{"error": errors.New("soon")})
	found := w.lines(t)
	for at, want := range []string{"call: failed with E42 logging.failing E42", "connection timed out syscall.Errno ETIMEDOUT",
		"soon errors.errorString", "soon errors.errorString"} {
		got := strings.TrimSuffix(fmt.Sprint(found[at]["error"], " ", found[at]["error_type"], " ", found[at]["error_code"]), " <nil>")
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		stack, _ := found[at]["stack_trace"].(string)
		if at < 2 != strings.Contains(stack, "TestAnErrorHasItsTextTypeCodeAndStack\n\t") || strings.Contains(stack, "log/slog.") {
			t.Errorf("stack: %s", stack)
		}
	}
}

func TestTheTraceIsOpenTelemetrysElseTheCallersElseTheUnitOfWork(t *testing.T) {
	spanned := false
	w := logger(t, Options{SpanContext: func(context.Context) (trace [16]byte, span [8]byte, ok bool) {
		return [16]byte{1}, [8]byte{2}, spanned
	}})
	ctx, unit := NewTrace(WithRequest(WithUser(t.Context(), "user_789"), "r-1"))
	caller, _ := ContinueTrace(ctx, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	fresh, id := ContinueTrace(ctx, "00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	w.Info(t.Context(), "m", nil)
	w.Info(ctx, "m", nil)
	w.Info(caller, "m", nil)
	w.Info(fresh, "m", nil)
	w.Info(WithTrace(ctx, "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", ""), "m", nil)
	spanned = true
	slog.New(w.Handler()).InfoContext(caller, "m")
	found := w.lines(t)
	for at, want := range []string{zeros, unit, "4bf92f3577b34da6a3ce929d0e0e4736", id, "4bf92f3577b34da6a3ce929d0e0e4736",
		"01000000000000000000000000000000"} {
		if found[at]["trace_id"] != want {
			t.Errorf("%d: %v, want %s", at, found[at]["trace_id"], want)
		}
	}
	if found[1]["user_id"] != "user_789" || found[1]["request_id"] != "r-1" || found[2]["span_id"] != "00f067aa0ba902b7" {
		t.Error(found[1], found[2])
	}
	if w.TraceID(t.Context()) == "" || TraceID(ctx) != unit || w.Counts().WithoutTrace != 1 {
		t.Error("the trace is not told")
	}
}

func TestLevelsAreHonouredAndCanBeChanged(t *testing.T) {
	level := &slog.LevelVar{}
	level.Set(LevelFatal)
	w := logger(t, Options{Level: level})
	all := func() {
		w.Trace(t.Context(), "TRACE", nil)
		w.Debug(t.Context(), "DEBUG", nil)
		w.Info(t.Context(), "INFO", nil)
		w.Warn(t.Context(), "WARN", nil)
		w.Error(t.Context(), "ERROR", nil, nil)
		w.Fatal(t.Context(), "FATAL", nil, nil)
	}
	all()
	level.Set(LevelTrace)
	all()
	slog.New(w.Handler()).Log(t.Context(), slog.LevelInfo+2, "INFO")
	for _, one := range w.lines(t) {
		if one["level"] != one["message"] {
			t.Error(one)
		}
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Error("loud is no level")
	}
}

func TestWhatIsBoundStaysAndACallsOwnFieldsWin(t *testing.T) {
	w := logger(t, Options{})
	bound := w.With(map[string]any{"a": 1, "b": 2, "state": nil}).With(map[string]any{"c": 3})
	bound.Info(t.Context(), "m", map[string]any{"a": 9, "z": 0})
	slog.New(bound.Handler()).WithGroup("g").With("x", 1).Info("m", "a", 5, "x", 2)
	slog.New(bound.Handler()).WithGroup("empty").Info("m")
	for at, want := range []string{`{"a":9,"b":2,"c":3,"z":0}`, `{"a":1,"b":2,"c":3,"g":{"a":5,"x":2}}`, `{"a":1,"b":2,"c":3}`} {
		if got, _ := json.Marshal(w.lines1(t, at)); string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

var kept []map[string]any

func (w *written) lines1(t *testing.T, at int) any {
	if at == 0 {
		kept = w.lines(t)
	}
	return kept[at]["context"]
}

// A map that others write to while a call reads it ends a process of Go. What a call was given is nothing to the logger
// once it has returned; run with -race.
func TestMapsThatChangeAfterTheCallAreNothingToTheLogger(t *testing.T) {
	w := logger(t, Options{})
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			nested := map[string]any{"deep": 1}
			fields := map[string]any{"nested": nested, "list": []any{nested}}
			bound := w.With(fields)
			for number := range 100 {
				w.Info(t.Context(), "m", fields)
				fields["number"], nested["deep"] = number, number
				bound.Info(t.Context(), "m", nil)
				delete(fields, "number")
			}
		}()
	}
	shared := w.With(map[string]any{"shared": map[string]any{"a": 1}})
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 100 {
				shared.Info(t.Context(), "m", nil)
				slog.New(shared.Handler()).With("x", 1).Info("m", "y", 2)
			}
		}()
	}
	group.Wait()
	if count := len(w.lines(t)); count != 8*200+4*200 {
		t.Fatal(count)
	}
}

func TestTheHandlerIsOneOfSlogs(t *testing.T) {
	var w *written
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		w = logger(t, Options{})
		return w.Handler()
	}, func(t *testing.T) map[string]any {
		line := w.line(t)
		found := map[string]any{slog.TimeKey: line["timestamp"], slog.LevelKey: line["level"], slog.MessageKey: line["message"]}
		for key, value := range line["context"].(map[string]any) {
			found[key] = value
		}
		if strings.HasSuffix(t.Name(), "zero-time") {
			delete(found, slog.TimeKey) // a line of ours always has one
		}
		return found
	})
}

func TestAContractThatCantBeReadIsSaidAndTheDefaultOneCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.json")
	t.Setenv(contract.Variable, path)
	w := &written{}
	New("s", Options{Output: w}).Info(t.Context(), "m", map[string]any{"password": "x"})
	found := w.lines(t)
	if len(found) != 2 || found[0]["level"] != "ERROR" || !strings.Contains(found[0]["error"].(string), path) ||
		found[1]["context"].(map[string]any)["password"] != mark {
		t.Error(found)
	}
}

func TestTheContractsOwnKeysAndLevelsCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.json")
	text := `{"version":1,"logging":{"levels":["INFO","ERROR"],"redact":["pin"],"fields":{
		"n":{"path":["context","a","n"],"type":"number"}}}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(contract.Variable, path)
	w := &written{}
	log := New("s", Options{Output: w})
	log.Warn(t.Context(), "pin=1234", map[string]any{"pin": 1, "password": "x", "a": map[string]any{"n": "5"}})
	log.Fatal(t.Context(), "m", nil, nil)
	found := w.lines(t)
	context, _ := json.Marshal(found[0]["context"])
	if found[0]["level"] != "ERROR" || found[1]["level"] != "ERROR" || found[0]["message"] != "pin="+mark ||
		string(context) != `{"a":{"n":5},"password":"x","pin":"[REDACTED]"}` {
		t.Error(found, string(context))
	}
}

func TestTheDefaultContractIsPythons(t *testing.T) {
	ours, err := os.ReadFile("../internal/contract/default_contract.json")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile("../../python/auralink_shared/default_contract.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Fatal("go generate ./internal/contract")
	}
}

type badWriter struct{ how func() (int, error) }

func (b badWriter) Write([]byte) (int, error) { return b.how() }

func TestAnOutputThatFailsOrPanicsIsCounted(t *testing.T) {
	t.Setenv(contract.Variable, "")
	for _, how := range []func() (int, error){
		func() (int, error) { return 0, errors.New("disk full") }, func() (int, error) { panic("writer") },
	} {
		log := New("s", Options{Output: badWriter{how}})
		log.Info(t.Context(), "m", nil)
		log.Info(t.Context(), "m", nil)
		if log.Counts().Dropped["INFO"] != 2 {
			t.Error(log.Counts())
		}
	}
}

func TestAReaderThatStallsStopsNobodyAndIsToldWhatItMissed(t *testing.T) {
	t.Setenv(contract.Variable, "")
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log := New("s", Options{Output: pipe})
	log.handler.core.writer.patience = 10 * time.Millisecond
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 200 {
				log.Info(t.Context(), strings.Repeat("m", 6000), nil)
			}
		}()
	}
	group.Wait()
	dropped := log.Counts().Dropped["INFO"]
	if dropped == 0 {
		t.Fatal("a pipe took more than 4 MB")
	}
	text := make(chan string)
	go func() {
		var all bytes.Buffer
		_, _ = all.ReadFrom(reader)
		text <- all.String()
	}()
	for said := false; !said; { // until the reader is seen to read again
		before := log.Counts().Dropped["INFO"]
		log.Info(t.Context(), "back", nil)
		said = log.Counts().Dropped["INFO"] == before
		dropped = log.Counts().Dropped["INFO"]
	}
	_ = pipe.Close()
	all := <-text
	lines := strings.Split(strings.TrimSuffix(all, "\n"), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("%.200s", line)
		}
	}
	told := int64(0)
	for _, notice := range regexp.MustCompile(`"context":{"dropped":(\d+)}`).FindAllStringSubmatch(all, -1) {
		count, _ := strconv.ParseInt(notice[1], 10, 64)
		told += count
	}
	if !strings.Contains(all, `"message":"back"`) || told != dropped {
		t.Errorf("%d dropped, %d told, and the end is %.600s", dropped, told, all[max(0, len(all)-600):])
	}
}

// A process whose stdout is closed gets SIGPIPE, which ends it. The child tells on stderr that it lived on.
func TestAClosedStdoutDoesNotEndTheService(t *testing.T) {
	if os.Getenv("LOGGING_CHILD") != "" {
		log := New("s", Options{})
		for range 3 {
			log.Info(context.Background(), "m", nil)
		}
		fmt.Fprintln(os.Stderr, "alive", log.Counts().Dropped["INFO"])
		os.Exit(0)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "LOGGING_CHILD=1")
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	var said bytes.Buffer
	child.Stdout, child.Stderr = pipe, &said
	if err := child.Run(); err != nil || !strings.Contains(said.String(), "alive 3") {
		t.Fatal(err, said.String())
	}
}

func FuzzAnyTextGivesOneValidLine(f *testing.F) {
	for _, seed := range []string{"", "password=x", `{"token": "x"}`, "Bearer abcdefghijkl0123", "4111 1111 1111 1111", "\xff\x00",
		"eyJhbGciOiJI.eyJ", "://a:b@", strings.Repeat("é", 5000)} {
		f.Add(seed, seed, 1.5)
	}
	e := newEntry("s", contract.Default().Logging, metadata)
	f.Fuzz(func(t *testing.T, message, text string, number float64) {
		fields := map[string]any{message: text, "n": number, "raw": json.RawMessage(text), "password": text, "duration_ms": text}
		e.write(func(line []byte) {
			if !json.Valid(line) || len(line) > lineLimit || bytes.Count(line, []byte("\n")) != 1 {
				t.Fatalf("%q", line)
			}
		}, 2, message, said{attrs: attrsOf(nil, fields)}, identity{trace: zeros}, failure{error: text, stack: message}, time.Now())
	})
}
