package dlq

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// libs/fixtures/dead-letters.json: what is written and what is read of it, the same in Python and Go.

type fixtures struct {
	Queue   string
	NowMS   int64 `json:"now_ms"`
	Records []struct {
		Name, Body string
		BodySHA1   string `json:"body_sha1"`
		Given      struct {
			ID           string
			Payload      string
			Base64       *string `json:"payload_base64"`
			Error        any
			ErrorType    string `json:"error_type"`
			Reason       string
			Attempts     int
			TraceID      string `json:"trace_id"`
			Replays      int
			Death        string
			FirstAttempt int64 `json:"first_attempt_ms"`
			LastAttempt  int64 `json:"last_attempt_ms"`
			CreatedAt    int64 `json:"created_at_ms"`
		}
	}
	Letters []struct {
		Name, Body, ID, SHA1, Error, Fingerprint string
		BodyBase64                               *string `json:"body_base64"`
		Payload                                  *string
		PayloadBase64                            *string `json:"payload_base64"`
		ErrorType                                string  `json:"error_type"`
		AgeMS                                    int64   `json:"age_ms"`
	}
}

func fixturesOf(t *testing.T) (found fixtures) {
	t.Helper()
	text, err := os.ReadFile("../../fixtures/dead-letters.json")
	must(t, err)
	must(t, json.Unmarshal(text, &found))
	return found
}

func either(t *testing.T, text string, encoded *string) []byte {
	t.Helper()
	if encoded == nil {
		return []byte(text)
	}
	found, err := base64.StdEncoding.DecodeString(*encoded)
	must(t, err)
	return found
}

func TestAMessageIsWrittenByteForByte(t *testing.T) {
	all := fixturesOf(t)
	for _, one := range all.Records {
		t.Run(one.Name, func(t *testing.T) {
			given := one.Given
			message := Message{
				ID: given.ID, OriginalQueue: all.Queue, Payload: either(t, given.Payload, given.Base64),
				ErrorType: given.ErrorType, Reason: given.Reason, Attempts: given.Attempts, TraceID: given.TraceID,
				Replays: given.Replays, Death: given.Death, FirstAttempt: time.UnixMilli(given.FirstAttempt),
				LastAttempt: time.UnixMilli(given.LastAttempt), CreatedAt: time.UnixMilli(given.CreatedAt),
			}
			switch known := given.Error.(type) {
			case string:
				message.Error = known
			case map[string]any:
				parts := known["$repeat"].([]any)
				message.Error = strings.Repeat(parts[0].(string), int(parts[1].(float64)))
			}
			body := message.filledIn(time.Now()).Body()
			if one.Body == "" {
				equal(t, digest(body), one.BodySHA1)
			} else {
				equal(t, string(body), one.Body)
			}
			equal(t, string(payloadOf(body)), string(message.Payload))
		})
	}
}

func TestEveryLetterOfTheInboxIsFoundAndRead(t *testing.T) {
	all := fixturesOf(t)
	d, now := letters(t, start(t).connect(t))
	now.now = time.UnixMilli(all.NowMS)
	for _, one := range all.Letters {
		must(t, d.client.LPush(t.Context(), "dlq:"+all.Queue, either(t, one.Body, one.BodyBase64)).Err())
	}
	for _, one := range all.Letters {
		letter, err := d.Get(t.Context(), all.Queue, one.ID)
		must(t, err)
		equal(t, string(letter.Body), string(either(t, one.Body, one.BodyBase64)))
		equal(t, letter.SHA1(), one.SHA1)
		equal(t, letter.Age/1000, one.AgeMS)
		equal(t, letter.Payload() != nil, one.Payload != nil || one.PayloadBase64 != nil)
		if one.Payload != nil {
			equal(t, string(letter.Payload()), *one.Payload)
		} else if one.PayloadBase64 != nil {
			equal(t, string(letter.Payload()), string(either(t, "", one.PayloadBase64)))
		}
		message := letter.Message()
		equal(t, message.Error, one.Error)
		equal(t, message.ErrorType, one.ErrorType)
		equal(t, letter.Fingerprint(), one.Fingerprint)
	}
}

func TestTheScriptsAreThoseOfPython(t *testing.T) {
	paths, _ := filepath.Glob("lua/*.lua")
	equal(t, len(paths), len(scripts)+1)
	for _, path := range paths {
		want, err := os.ReadFile("../../" + path)
		must(t, err)
		got, err := os.ReadFile(path)
		must(t, err)
		if string(got) != string(want) {
			t.Fatalf("%s is another than in libs/lua: go generate ./dlq", path)
		}
	}
	sums, err := os.ReadFile("../../lua/SHA1SUMS")
	must(t, err)
	for name, script := range scripts {
		line := regexp.MustCompile(`(?m)^` + script.Hash() + `  ` + name + `$`)
		if !line.Match(sums) {
			t.Errorf("%s of %s is not in SHA1SUMS", script.Hash(), name)
		}
	}
}
