package dlq

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"auralink.example/shared/logging"
)

var quick = Policy{Base: time.Microsecond}

func TestAMessageIsTriedAsOftenAsItsQueueSaysAndThenDies(t *testing.T) {
	d, now := letters(t, start(t).connect(t))
	ctx, trace := logging.NewTrace(t.Context())
	for _, one := range []struct {
		queue    string
		attempts int
	}{{queue, 3}, {other, 5}} {
		tried := 0
		id, err := d.Handle(ctx, one.queue, []byte("7"), func(_ context.Context, payload []byte) error {
			tried++
			now.now = now.now.Add(time.Second)
			defer clear(payload) // work may do with its bytes what it wants
			return &fs.PathError{Op: "open", Path: string(payload), Err: os.ErrNotExist}
		}, quick)
		must(t, err)
		equal(t, tried, one.attempts)
		letter, err := d.Get(t.Context(), one.queue, id)
		must(t, err)
		m := letter.Message()
		equal(t, fmt.Sprint(m.Attempts, m.Reason, m.ErrorType, m.Error, m.TraceID, string(m.Payload), m.Death),
			fmt.Sprint(one.attempts, "exhausted", "fs.PathError", "open 7: file does not exist", trace, "7", ""))
		equal(t, m.LastAttempt.Sub(m.FirstAttempt), time.Duration(one.attempts)*time.Second)
	}
}

func TestWorkThatSucceedsInTimeLeavesNothing(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	tried := 0
	id, err := d.Handle(t.Context(), queue, []byte("7"), func(context.Context, []byte) error {
		if tried++; tried < 3 {
			return errors.New("not yet")
		}
		return nil
	}, quick)
	must(t, err)
	equal(t, id, "")
	page, err := d.List(t.Context(), queue, ListOptions{})
	must(t, err)
	equal(t, len(page.Letters), 0)
}

func TestRejectedMessagesAndPanicsDieAsTheyAre(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	cause := errors.New("no such room")
	for _, one := range []struct {
		work func(context.Context, []byte) error
		want string
	}{
		{func(context.Context, []byte) error { return fmt.Errorf("room: %w", Rejected(cause)) }, "1 rejected room: no such room"},
		{func(context.Context, []byte) error { panic("nil map") }, "3 exhausted panic: nil map"},
		{func(context.Context, []byte) error { var err *fs.PathError; return err }, "3 exhausted <unprintable *fs.PathError>"},
	} {
		id, err := d.Handle(t.Context(), queue, []byte("7"), one.work, quick)
		must(t, err)
		letter, err := d.Get(t.Context(), queue, id)
		must(t, err)
		m := letter.Message()
		equal(t, fmt.Sprint(m.Attempts, " ", m.Reason, " ", m.Error), one.want)
	}
	if !errors.Is(Rejected(cause), cause) {
		t.Fatal("the cause is hidden")
	}
}

func TestACancelledServiceLosesNoMessage(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	ctx, cancel := context.WithCancel(t.Context())
	id, err := d.Handle(ctx, queue, []byte("7"), func(ctx context.Context, _ []byte) error {
		cancel() // the service is told to stop while the work is under way
		return errors.New("interrupted")
	}, Policy{Base: time.Hour, Cap: time.Hour})
	must(t, err)
	letter, err := d.Get(t.Context(), queue, id)
	must(t, err)
	equal(t, letter.Message().Attempts, 1)
}

func TestAMessageThatComesBackKeepsItsIDAndIsQuarantinedOnceItCameTooOften(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	fail := func(context.Context, []byte) error { return errors.New("down") }
	first, err := d.Handle(t.Context(), queue, []byte("7"), fail, quick)
	must(t, err)
	for range replayCap {
		must(t, d.Retry(t.Context(), queue, first, Act{By: "ann"}))
		payload, err := d.client.RPop(t.Context(), queue).Bytes()
		must(t, err)
		id, err := d.Handle(t.Context(), queue, payload, fail, quick)
		must(t, err)
		equal(t, id, first)
	}
	is(t, d.Retry(t.Context(), queue, first, Act{By: "ann"}), ErrQuarantined)
	// another message of the same payload, which came back while the first one's letter is here
	id, err := d.Handle(t.Context(), queue, []byte("7"), fail, quick)
	must(t, err)
	if id == first {
		t.Fatal("two messages became one letter")
	}
}

func TestTheWaitIsExponentialWithFullJitterAndCapped(t *testing.T) {
	policy := Policy{}.filledIn(declared.Of(queue))
	var most []string
	for _, attempt := range []int{1, 2, 3, 7, 1000} {
		most = append(most, policy.Most(attempt).String())
	}
	equal(t, strings.Join(most, " "), "500ms 1s 2s 30s 30s")
}

func TestWhileRedisIsAwayLettersWaitOnDiskAndComeBackByThemselves(t *testing.T) {
	one := start(t)
	d, _ := letters(t, one.connect(t))
	must(t, one.root.ConfigSet(t.Context(), "maxmemory", "1").Err())
	for _, id := range []string{"1", "2"} {
		add(t, d, id, "1")
	}
	equal(t, d.Counts().Spooled, 2)
	equal(t, d.Counts().Errors[queue]["add"] >= 2, true)
	equal(t, d.Counts().AddFailures, 0)
	must(t, one.root.ConfigSet(t.Context(), "maxmemory", "0").Err())
	await(t, func() bool { return d.Counts().Spooled == 0 })
	page, err := d.List(t.Context(), queue, ListOptions{})
	must(t, err)
	equal(t, ids(page.Letters), "2 1")
}

func TestARedisOutOfMemoryLetsRoomBeMade(t *testing.T) {
	one := start(t)
	d, _ := letters(t, one.connect(t))
	add(t, d, "1", "1")
	must(t, one.root.ConfigSet(t.Context(), "maxmemory", "1").Err())
	err := d.Remove(t.Context(), queue, "1", Act{By: "ann"})
	if err != nil && !strings.Contains(err.Error(), "maxmemory") {
		t.Fatal(err)
	}
}

func TestWithoutRedisAndSpoolAddSaysSo(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	d, err := New(client, Options{Settings: &declared})
	must(t, err)
	if _, err := d.Add(t.Context(), Message{OriginalQueue: queue, Payload: []byte("1")}); err == nil {
		t.Fatal("a letter that nobody took was acknowledged")
	}
	equal(t, d.Counts().AddFailures, 1)
}

func TestASpoolKeepsOrderAndBytesAndPutsTornLinesAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there", "spool")
	s := NewSpool(path)
	one := func(id string) spooled { return spooled{queue, id, []byte("\xff{}"), 1000, "exhausted", 0} }
	must(t, s.append(one("1")))
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteString(`{"queue": "rooms:cr`)
	must(t, err)
	must(t, file.Close())
	must(t, s.append(one("2")))
	must(t, s.append(one("3")))
	var taken []string
	count, err := s.replay(func(one spooled) error {
		if one.ID == "3" {
			return errors.New("gone again")
		}
		equal(t, string(one.Body), "\xff{}")
		taken = append(taken, one.ID)
		return nil
	})
	equal(t, err != nil && count == 2, true)
	equal(t, strings.Join(taken, " "), "1 2")
	equal(t, s.Count(), 1)
	bad, err := os.ReadFile(path + ".bad")
	must(t, err)
	equal(t, string(bad), `{"queue": "rooms:cr`+"\n")
}

func TestTheContractSaysAttemptsAndABadOneIsAnError(t *testing.T) {
	t.Setenv("OBSGEN_CONTRACT", "")
	settings, err := ReadSettings()
	must(t, err)
	equal(t, settings.Of(other).MaxAttempts, 5)
	equal(t, settings.Of("any").MaxAttempts, 3)
	t.Setenv("OBSGEN_CONTRACT", filepath.Join(t.TempDir(), "none"))
	if _, err := ReadSettings(); err == nil {
		t.Fatal("a contract that isn't there was read")
	}
}

func FuzzAPayloadComesOutOfItsBodyAsItWentIn(f *testing.F) {
	for _, seed := range []string{"", "1", `{"n":9007199254740993}`, "NaN", " [] ", "\"\\ud800\"", "\xff", `{"a":1,"a":"<b>"}`,
		strings.Repeat("[", 600) + strings.Repeat("]", 600)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		message := Message{OriginalQueue: queue, Payload: payload, Error: string(payload)}.filledIn(time.Now())
		if got := payloadOf(message.Body()); string(got) != string(payload) {
			t.Fatalf("got %q, want %q", got, payload)
		}
	})
}

func FuzzAnyBodyIsRead(f *testing.F) {
	for _, seed := range []string{`{"payload":1}`, `{"payload":NaN}`, `{"payload`, `{"payload":"\`, `[`, `{"a":[{"b":"\u00"}]}`,
		`{"payload":1,"payload":{"a":2}} rest`, `{"payload_base64":"//4A"}`, "{\"payload\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		letter := Letter{Body: body}
		_, _, _ = letter.Payload(), letter.Message(), letter.Fingerprint()
		Filter{Error: "a", Text: "b", MinAttempts: 1}.takes(letter)
	})
}

// For libs/python/tests/test_go.py, which replays it.
func TestASpoolForPython(t *testing.T) {
	path := os.Getenv("SPOOL_FOR_PYTHON")
	if path == "" {
		path = filepath.Join(t.TempDir(), "spool")
	}
	s := NewSpool(path)
	must(t, s.append(spooled{queue, "go", []byte("\xff{}"), 1000, "exhausted", 0}))
	must(t, s.append(spooled{queue, "<&>", []byte{}, 2000, "rejected", 2}))
	equal(t, s.Count(), 2)
}
