package dlq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The same on one of each server that is promised, and on a Cluster.
func everywhere(t *testing.T, test func(t *testing.T, d *DLQ, time *clock)) {
	for _, which := range servers {
		t.Run(which[0], func(t *testing.T) {
			d, time := letters(t, startKind(t, which).connect(t))
			test(t, d, time)
		})
	}
	t.Run("cluster", func(t *testing.T) {
		_, client := cluster(t)
		d, time := letters(t, client)
		test(t, d, time)
	})
}

func ids(letters []Letter) string {
	var found []string
	for _, letter := range letters {
		found = append(found, letter.ID)
	}
	return strings.Join(found, " ")
}

func equal[T comparable](t testing.TB, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func is(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func add(t testing.TB, d *DLQ, id, payload string) {
	t.Helper()
	_, err := d.Add(t.Context(), Message{ID: id, OriginalQueue: queue, Payload: []byte(payload)})
	must(t, err)
}

func TestALetterIsAddedListedSentBackAndRemovedByteForByte(t *testing.T) {
	everywhere(t, func(t *testing.T, d *DLQ, time *clock) {
		payload := `{"n":9007199254740993,"t":"<b>","e":[]}`
		for _, id := range []string{"1", "2", "3"} {
			add(t, d, id, payload)
		}
		must(t, d.client.LPush(t.Context(), "dlq:"+queue, `{"id":"4", "payload": {"u": "\u003cb\u003e"}}`).Err())
		page, err := d.List(t.Context(), queue, ListOptions{OldestFirst: true})
		must(t, err)
		equal(t, ids(page.Letters), "1 2 3 4")
		must(t, d.Retry(t.Context(), queue, "1", Act{By: "ann"}))
		must(t, d.Retry(t.Context(), queue, "4", Act{By: "ann"}))
		must(t, d.Retry(t.Context(), queue, "2", Act{By: "ann", Payload: []byte("edited")}))
		must(t, d.Remove(t.Context(), queue, "3", Act{By: "ann"}))
		equal(t, strings.Join(queued(t, d.client, queue), "\n"), payload+"\n"+`{"u": "\u003cb\u003e"}`+"\nedited")
		page, err = d.List(t.Context(), queue, ListOptions{Place: InTrash, OldestFirst: true})
		must(t, err)
		equal(t, ids(page.Letters), "2 3")
		audited := d.client.XRange(t.Context(), Audit, "-", "+").Val()
		equal(t, len(audited), 4)
		equal(t, fmt.Sprint(audited[2].Values["what"], audited[2].Values["by"], audited[2].Values["result"]), "editannok")
	})
}

func TestWhatAnOperatorRunsIntoIsToldApart(t *testing.T) {
	everywhere(t, func(t *testing.T, d *DLQ, time *clock) {
		is(t, d.Retry(t.Context(), queue, "1", Act{}), ErrUnknown)
		is(t, d.Remove(t.Context(), queue, "1", Act{}), ErrUnknown)
		_, err := d.Get(t.Context(), queue, "1")
		is(t, err, ErrUnknown)
		add(t, d, "1", "1")
		is(t, d.Retry(t.Context(), queue, "1", Act{Seen: strings.Repeat("0", 40)}), ErrConflict)
		is(t, d.Remove(t.Context(), queue, "1", Act{Seen: strings.Repeat("0", 40)}), ErrConflict)
		_, err = d.Add(t.Context(), Message{ID: "1", OriginalQueue: queue, Payload: []byte("other")})
		is(t, err, ErrConflict)
		_, err = d.Add(t.Context(), Message{OriginalQueue: queue, Payload: make([]byte, bodyLimit)})
		is(t, err, ErrTooLarge)
		must(t, d.client.LPush(t.Context(), "dlq:"+queue, "no json").Err())
		page, err := d.List(t.Context(), queue, ListOptions{Only: Filter{Text: "NO json"}})
		must(t, err)
		is(t, d.Retry(t.Context(), queue, page.Letters[0].ID, Act{}), ErrNoPayload)
		_, err = d.Add(t.Context(), Message{ID: "5", OriginalQueue: queue, Payload: []byte("1"), Replays: 5})
		must(t, err)
		is(t, d.Retry(t.Context(), queue, "5", Act{}), ErrQuarantined)
		must(t, d.Retry(t.Context(), queue, "5", Act{Force: true}))
		if _, err := d.Get(t.Context(), "Rooms", "1"); err == nil {
			t.Fatal("a name that no declaration could hold was taken")
		}
	})
}

func TestAQueueOfTheWrongTypeRefusesAndTheLetterStays(t *testing.T) {
	one := start(t)
	d, _ := letters(t, one.connect(t))
	add(t, d, "1", "1")
	must(t, one.root.Set(t.Context(), queue, "no list", 0).Err())
	is(t, d.Retry(t.Context(), queue, "1", Act{}), ErrRefused)
	must(t, one.root.Del(t.Context(), queue).Err())
	must(t, d.Retry(t.Context(), queue, "1", Act{}))
}

func TestAddingTheSameMessageTwiceIsOneLetter(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	message := Message{ID: "1", OriginalQueue: queue, Payload: []byte("1"), CreatedAt: time.UnixMilli(5)}
	message = message.filledIn(d.now())
	for range 2 {
		_, err := d.Add(t.Context(), message)
		must(t, err)
	}
	page, err := d.List(t.Context(), queue, ListOptions{})
	must(t, err)
	equal(t, ids(page.Letters), "1")
	equal(t, page.Letters[0].Age, 5000)
}

func TestPagesSkipNothingAndFiltersHold(t *testing.T) {
	d, now := letters(t, start(t).connect(t))
	for number := range 25 {
		if number == 20 {
			now.now = now.now.Add(time.Hour)
		}
		_, err := d.Add(t.Context(), Message{
			ID: fmt.Sprint(number), OriginalQueue: queue, Payload: []byte("1"), Attempts: number,
			Error: map[bool]string{true: "Timed out", false: "refused"}[number%2 == 0],
		})
		must(t, err)
	}
	var newest, oldest, timed []string
	for letter, err := range d.All(t.Context(), queue, ListOptions{Limit: 7}) {
		must(t, err)
		newest = append(newest, letter.ID)
	}
	for letter, err := range d.All(t.Context(), queue, ListOptions{Limit: 7, OldestFirst: true}) {
		must(t, err)
		oldest = append([]string{letter.ID}, oldest...)
	}
	for letter, err := range d.All(t.Context(), queue, ListOptions{Limit: 1, OldestFirst: true, Only: Filter{
		Error: "timed", MinAttempts: 10, Until: now.now.Add(-time.Minute), Text: "TIMED",
		Match: func(letter Letter) bool { return letter.ID != "12" },
	}}) {
		must(t, err)
		timed = append(timed, letter.ID)
	}
	equal(t, len(newest), 25)
	equal(t, strings.Join(newest, " "), strings.Join(oldest, " "))
	equal(t, strings.Join(timed, " "), "10 14 16 18")
}

func TestTwoOperatorsAtOnceSendItOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, d *DLQ, _ *clock) {
		for number := range 20 {
			add(t, d, fmt.Sprint(number), fmt.Sprint(number))
		}
		var group sync.WaitGroup
		for range 4 {
			group.Add(1)
			go func() {
				defer group.Done()
				for number := range 20 {
					if err := d.Retry(t.Context(), queue, fmt.Sprint(number), Act{By: "ann"}); err != nil &&
						!errors.Is(err, ErrUnknown) && !errors.Is(err, ErrConflict) {
						t.Error(err)
					}
				}
			}()
		}
		group.Wait()
		equal(t, len(queued(t, d.client, queue)), 20)
	})
}

// dying ends a client after its n-th script, as kill -9 would: nothing of it runs on.
type dying struct{ left int }

func (d *dying) DialHook(next redis.DialHook) redis.DialHook { return next }
func (d *dying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (d *dying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		err := next(ctx, command)
		if err == nil && strings.HasPrefix(command.Name(), "eval") {
			if d.left--; d.left == 0 {
				panic(d)
			}
		}
		return err
	}
}

func TestAClientKilledAfterAnyStepLeavesOneMessage(t *testing.T) {
	nodes, client := cluster(t)
	d, _ := letters(t, client)
	var places []string
	for _, node := range nodes {
		places = append(places, node.root.Options().Addr)
	}
	for _, payload := range [][]byte{nil, []byte("edited")} {
		for after := 1; after <= 6; after++ { // get, audit, take, push, settle, audit
			id := fmt.Sprintf("%d%s", after, payload)
			add(t, d, id, "whole")
			mortal := redis.NewClusterClient(&redis.ClusterOptions{Addrs: places, Username: "dlq", Password: password})
			mortal.AddHook(&dying{after})
			victim, _ := letters(t, mortal)
			func() {
				defer func() {
					if recover() == nil {
						t.Fatal("it was not killed")
					}
				}()
				_ = victim.Retry(t.Context(), queue, id, Act{Payload: payload})
			}()
			_ = mortal.Close()
			err := d.Retry(t.Context(), queue, id, Act{Payload: payload})
			if after >= 5 {
				is(t, err, ErrUnknown)
			} else {
				must(t, err)
			}
			want := "whole"
			if payload != nil {
				want = "edited"
			}
			equal(t, strings.Join(queued(t, client, queue), " "), want)
		}
	}
}

func TestCancellationLosesNothing(t *testing.T) {
	d, _ := letters(t, start(t).connect(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Add(ctx, Message{ID: "1", OriginalQueue: queue, Payload: []byte("1")})
	must(t, err)
	equal(t, d.spool.Count(), 0)
	if _, err := d.Get(t.Context(), queue, "1"); err != nil {
		t.Fatal(err)
	}
}
