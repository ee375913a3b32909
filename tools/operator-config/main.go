// What prometheus-operator makes of its objects, by its own packages and without a cluster.
//
//	operator-config crds KIND...            its CustomResourceDefinitions of these kinds
//	operator-config prometheus VERSION      PodMonitors and ServiceMonitors on stdin to the configuration of a Prometheus
//	operator-config alertmanager VERSION    an alertmanager.yaml on stdin to the one that it mounts, when it also reads AlertmanagerConfigs
//	operator-config rules                   PrometheusRules on stdin: its admission of each
//
// Exit 0 with the result on stdout; 1 with the operator's refusals on stderr, one a line; 2 for a wrong call.
package main

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/blang/semver/v4"
	"github.com/prometheus-operator/prometheus-operator/pkg/alertmanager"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// Copied beside this file from the module's example/prometheus-operator-crd before it is built: no other module can embed them.
//
//go:embed crds
var definitions embed.FS

func main() {
	err := errors.New("usage: operator-config crds KIND... | prometheus VERSION | alertmanager VERSION | rules")
	if len(os.Args) < 2 || (len(os.Args) == 2 && os.Args[1] != "rules") {
		fail(2, err)
	}
	var out []byte
	switch argument := os.Args[1]; argument {
	case "crds":
		out, err = crds(os.Args[2:])
	case "prometheus":
		out, err = scrapes(read(), os.Args[2])
	case "alertmanager":
		out, err = routes(read(), os.Args[2])
	case "rules":
		out, err = nil, admitted(read())
	default:
		fail(2, err)
	}
	if err != nil {
		fail(1, err)
	}
	os.Stdout.Write(out)
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}

func read() []byte {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(2, err)
	}
	return text
}

func crds(kinds []string) ([]byte, error) {
	var found [][]byte
	for _, kind := range kinds {
		name := fmt.Sprintf("crds/monitoring.coreos.com_%ss.yaml", strings.ToLower(kind))
		text, err := definitions.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("the operator has no kind %s", kind)
		}
		found = append(found, text)
	}
	return bytes.Join(found, []byte("\n")), nil
}

// The objects of one kind, each by namespace and name as the operator keys them.
func objects[T any](text []byte, kind string) (map[string]*T, error) {
	found := map[string]*T{}
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		one, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var is struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
		}
		if err := strict.Unmarshal(one, &is); err != nil {
			return nil, err
		}
		if is.Kind != kind {
			continue
		}
		made := new(T)
		if err := strict.UnmarshalStrict(one, made); err != nil {
			return nil, fmt.Errorf("%s %s/%s: %w", kind, is.Namespace, is.Name, err)
		}
		found[is.Namespace+"/"+is.Name] = made
	}
}

func scrapes(text []byte, version string) ([]byte, error) {
	pods, err := objects[monitoringv1.PodMonitor](text, monitoringv1.PodMonitorsKind)
	if err != nil {
		return nil, err
	}
	services, err := objects[monitoringv1.ServiceMonitor](text, monitoringv1.ServiceMonitorsKind)
	if err != nil {
		return nil, err
	}
	// as `helm install kube-prometheus-stack` leaves it: no enforced label, no scrape class, its own intervals
	server := &monitoringv1.Prometheus{
		ObjectMeta: metav1.ObjectMeta{Name: "any", Namespace: "any"},
		Spec: monitoringv1.PrometheusSpec{
			EvaluationInterval:     "30s",
			CommonPrometheusFields: monitoringv1.CommonPrometheusFields{Version: version, ScrapeInterval: "30s"},
		},
	}
	if err := relabelings(server, pods, services); err != nil {
		return nil, err
	}
	generator, err := prometheus.NewConfigGenerator(logger(), server)
	if err != nil {
		return nil, err
	}
	store := assets.NewTestStoreBuilder()
	return generator.GenerateServerConfiguration(server, services, pods, nil, nil, store, nil, nil, nil, nil)
}

// The operator leaves out a monitor whose relabelings it takes for invalid, and says so in an event only.
func relabelings(
	server *monitoringv1.Prometheus,
	pods map[string]*monitoringv1.PodMonitor,
	services map[string]*monitoringv1.ServiceMonitor,
) error {
	validator, err := prometheus.NewLabelConfigValidator(server)
	if err != nil {
		return err
	}
	var refused []error
	validate := func(name string, some ...[]monitoringv1.RelabelConfig) {
		for _, rules := range some {
			if err := validator.Validate(rules); err != nil {
				refused = append(refused, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	for name, monitor := range pods {
		for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
			validate("PodMonitor "+name, endpoint.RelabelConfigs, endpoint.MetricRelabelConfigs)
		}
	}
	for name, monitor := range services {
		for _, endpoint := range monitor.Spec.Endpoints {
			validate("ServiceMonitor "+name, endpoint.RelabelConfigs, endpoint.MetricRelabelConfigs)
		}
	}
	return errors.Join(refused...)
}

func routes(text []byte, version string) ([]byte, error) {
	of, err := semver.ParseTolerant(version)
	if err != nil {
		return nil, err
	}
	server := &monitoringv1.Alertmanager{ObjectMeta: metav1.ObjectMeta{Name: "any", Namespace: "any"}}
	builder := alertmanager.NewConfigBuilder(logger(), of, assets.NewTestStoreBuilder(), server)
	if err := builder.InitializeFromRawConfiguration(text); err != nil {
		return nil, err
	}
	if err := builder.AddAlertmanagerConfigs(context.Background(), nil); err != nil {
		return nil, err
	}
	return builder.MarshalJSON() // which is YAML
}

func admitted(text []byte) error {
	rules, err := objects[monitoringv1.PrometheusRule](text, monitoringv1.PrometheusRuleKind)
	if err != nil {
		return err
	}
	var refused []error
	for name, rule := range rules {
		for _, err := range operator.ValidateRule(rule.Spec) {
			refused = append(refused, fmt.Errorf("PrometheusRule %s: %w", name, err))
		}
	}
	return errors.Join(refused...)
}

// What the operator drops or changes on the way, it only logs: for us that is a refusal's explanation.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
