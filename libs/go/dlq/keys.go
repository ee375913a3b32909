package dlq

import (
	"fmt"
	"regexp"
)

// Audit is the stream of who did what to which letter.
const Audit = "{dlq}:audit"

// As `queue` in observability.schema.json. A brace would move the index into another slot than the inbox.
var queueName = regexp.MustCompile(`^[a-z0-9][a-z0-9:_.-]{0,99}$`)

// keys says where the letters of a queue are in Redis: docs/dead-letters.md.
type keys struct {
	queue string
	index []string // inbox, bodies, ages, states, trash, counters: what every script takes, all in the inbox's slot
}

func keysOf(queue string) (keys, error) {
	if !queueName.MatchString(queue) {
		return keys{}, fmt.Errorf("%q is no name of a queue (lower case letters, digits and : _ . -)", queue)
	}
	inbox := "dlq:" + queue
	index := []string{inbox}
	for _, part := range []string{"m", "z", "s", "t", "c"} {
		index = append(index, "{"+inbox+"}:"+part)
	}
	return keys{queue, index}, nil
}

// seen is the key that says that the retry of this token has reached the queue.
func (k keys) seen(letter, token string) string {
	return "{" + k.queue + "}:dlqseen:" + letter + ":" + token
}

// meta is the key that says which letter a payload was, by its SHA-1: a queue carries payloads only.
func (k keys) meta(digest string) string {
	return "{" + k.queue + "}:dlqmeta:" + digest
}
