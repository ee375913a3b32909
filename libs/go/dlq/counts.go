package dlq

import (
	"maps"
	"slices"
	"sync"
)

// Operations are the values of `op`.
var Operations = []string{"add", "adopt", "list", "retry", "remove", "restore", "purge", "cleanup"}

// Counts is what this process counted itself, since a Redis that is down counts nothing.
type Counts struct {
	Errors      map[string]map[string]int64 // by queue and operation: those that Redis did not do; every declared queue, from 0
	AddFailures int64                       // letters that neither Redis nor the spool took
	Spooled     int64                       // letters in the spool now
}

type counters struct {
	lock        sync.Mutex
	errors      map[[2]string]int64
	addFailures int64
}

func (c *counters) error(queue, operation string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.errors[[2]string{queue, operation}]++
}

func (c *counters) addFailure() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.addFailures++
}

// Counts gives the numbers of `dlq_processing_errors_total`, `dlq_add_failures_total` and `dlq_spool_messages`; package
// metrics hands them to Prometheus' client.
func (d *DLQ) Counts() Counts {
	d.counters.lock.Lock()
	defer d.counters.lock.Unlock()
	found := Counts{Errors: map[string]map[string]int64{}, AddFailures: d.counters.addFailures}
	if d.spool != nil {
		found.Spooled = int64(d.spool.Count())
	}
	queues := slices.Collect(maps.Keys(d.settings.Queues))
	for key := range d.counters.errors {
		queues = append(queues, key[0])
	}
	for _, queue := range queues {
		found.Errors[queue] = map[string]int64{}
		for _, operation := range Operations {
			found.Errors[queue][operation] = d.counters.errors[[2]string{queue, operation}]
		}
	}
	return found
}
