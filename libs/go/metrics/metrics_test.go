package metrics

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"auralink.example/shared/dlq"
	"auralink.example/shared/logging"
)

// What the rules and dashboards ask for: every declared queue and value, from 0.
func TestEveryNumberIsExportedFromZero(t *testing.T) {
	t.Setenv("OBSGEN_CONTRACT", "")
	letters, err := dlq.New(redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}), dlq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(DLQ(letters), Logger(logging.New("s", logging.Options{Output: io.Discard})))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, family := range families {
		found[family.GetName()] = len(family.GetMetric())
	}
	for name, count := range map[string]int{
		"dlq_processing_errors_total": 3 * len(dlq.Operations), "dlq_add_failures_total": 1, "dlq_spool_messages": 1,
		"log_lines_dropped_total": 6, "log_lines_without_trace_total": 1, "log_failures_total": 1,
	} {
		if found[name] != count {
			t.Errorf("%s: %d samples, not %d", name, found[name], count)
		}
	}
}

func TestTheOperationsAreThoseOfTheRules(t *testing.T) {
	text, err := os.ReadFile("../../../upstream/dlq/metrics.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "op: ["+strings.Join(dlq.Operations, ", ")+"]") {
		t.Error("upstream/dlq/metrics.yaml has other operations")
	}
}
