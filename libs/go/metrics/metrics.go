// Package metrics hands what the loggers and the dead-letter queue count to Prometheus' client. It is a package of its
// own so that a service without that client doesn't build it.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"auralink.example/shared/dlq"
	"auralink.example/shared/logging"
)

// DLQ exports dlq_processing_errors_total, dlq_add_failures_total and dlq_spool_messages of this process. What is kept
// in Redis (depth, arrivals, replays) the admin API alone exports, so that nobody counts it twice.
func DLQ(letters *dlq.DLQ) prometheus.Collector { return letterCollector{letters} }

// Logger exports log_lines_dropped_total, log_lines_without_trace_total and log_failures_total.
func Logger(logger *logging.Logger) prometheus.Collector { return logCollector{logger} }

var (
	errors      = prometheus.NewDesc("dlq_processing_errors_total", "Operations that Redis did not do.", []string{"queue", "op"}, nil)
	addFailures = prometheus.NewDesc("dlq_add_failures_total", "Letters that neither Redis nor the spool took.", nil, nil)
	spooled     = prometheus.NewDesc("dlq_spool_messages", "Letters in the local spool.", nil, nil)

	dropped  = prometheus.NewDesc("log_lines_dropped_total", "Log lines that could not be written.", []string{"service", "level"}, nil)
	without  = prometheus.NewDesc("log_lines_without_trace_total", "Log lines that belong to no trace.", []string{"service"}, nil)
	failures = prometheus.NewDesc("log_failures_total", "Log lines that could not be rendered, and say only so.", []string{"service"}, nil)
)

type letterCollector struct{ letters *dlq.DLQ }

func (c letterCollector) Describe(out chan<- *prometheus.Desc) {
	out <- errors
	out <- addFailures
	out <- spooled
}

func (c letterCollector) Collect(out chan<- prometheus.Metric) {
	found := c.letters.Counts()
	for queue, operations := range found.Errors {
		for operation, count := range operations {
			out <- prometheus.MustNewConstMetric(errors, prometheus.CounterValue, float64(count), queue, operation)
		}
	}
	out <- prometheus.MustNewConstMetric(addFailures, prometheus.CounterValue, float64(found.AddFailures))
	out <- prometheus.MustNewConstMetric(spooled, prometheus.GaugeValue, float64(found.Spooled))
}

type logCollector struct{ logger *logging.Logger }

func (c logCollector) Describe(out chan<- *prometheus.Desc) {
	out <- dropped
	out <- without
	out <- failures
}

func (c logCollector) Collect(out chan<- prometheus.Metric) {
	found := c.logger.Counts()
	for level, count := range found.Dropped {
		out <- prometheus.MustNewConstMetric(dropped, prometheus.CounterValue, float64(count), found.Service, level)
	}
	out <- prometheus.MustNewConstMetric(without, prometheus.CounterValue, float64(found.WithoutTrace), found.Service)
	out <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(found.Failures), found.Service)
}
