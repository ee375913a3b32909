"""The servers' own programs refuse what would be broken in the cluster, one fault a test.

A judge that is absent makes its tests skip, saying so. Under OBSGEN_REQUIRE_JUDGES=1 they fail instead, but for those that no registry
carries (loki, promtail, …): their verdicts are kept in tests/verdicts.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from conftest import judge
from obsgen.judging import alertmanager, loki, prometheus, promtail
from obsgen.judging.task import Outcome, Task
from obsgen.model import Declaration, Examples
from obsgen.plan import Plan
from obsgen.rules import Group, Rule


def asked(tasks: Iterator[Task], subject: str, tool: str, tmp_path: Path) -> Outcome:
    """What the real program says to the one question about `subject`."""
    (task,) = [task for task in tasks if task.subject == subject and task.tool == tool]
    version = {"promtool": "3.13", "amtool": "0.34", "promtail": "3.6"}.get(tool, "")
    return task.run(judge(tool, version, "nothing shows that it refuses this fault"), tmp_path)


def plan(*groups: Group) -> Plan:
    data = {
        "apiVersion": "obsgen/v1",
        "kind": "Observability",
        "name": "small",
        "namespace": "small",
        "cluster": "c",
        "teams": {
            "platform": {"default": True, "channels": {"chat": {"type": "slack"}}},
            "ai": {"channels": {"chat": {"type": "slack"}}},
        },
        "severities": {"critical": {"priority": "P0", "notify": ["chat"]}, "info": {"priority": "P2", "notify": []}},
        "routing": {"unrouted": ["chat"], "watchdog": {"type": "webhook"}},
        "logging": {
            "levels": ["INFO", "ERROR"],
            "fields": {
                "timestamp": {},
                "level": {"store": "label"},
                "service": {},
                "trace_id": {"store": "metadata"},
                "message": {},
                "duration_ms": {"path": ["context", "duration_ms"], "type": "number"},
            },
        },
    }
    return Plan(msgspec.convert(data, Declaration), "prod", (), {}, groups, {})


# promtool

SCRAPES = "rule_files: [/etc/prometheus/rules/*.yaml]\nscrape_configs: [{job_name: a, bearer_token_file: /run/token}]\n"


def config_verdict(text: str, tmp_path: Path) -> Outcome:
    name = "prometheus/prometheus.yaml"
    return asked(prometheus.tasks({name: text}, plan()), name, "promtool", tmp_path)


def test_a_configuration_passes_although_the_files_of_the_pod_are_not_here(tmp_path: Path) -> None:
    assert config_verdict(SCRAPES, tmp_path) == Outcome(True)


def test_a_broken_scrape_configuration_is_refused(tmp_path: Path) -> None:
    verdict = config_verdict(SCRAPES.replace("job_name", "jobname"), tmp_path)
    assert "field jobname not found" in verdict.message
    assert str(tmp_path) not in verdict.message


FIRES = Rule(
    "alert",
    "Slow",
    "slow > 1",
    for_="2m",
    labels={"severity": "critical", "team": "ai", "service": "{{ $labels.app }}"},
    annotations={
        "summary": "{{ $labels.app }} is slow",
        "description": '{{ $value }} of "{{ $labels.app }}"\nand more',
    },
    examples=Examples(fires={'slow{app="x"}': "2x10"}),
)
RULE_FILE = """groups:
  - name: g
    rules:
      - alert: Slow
        expr: slow > 1
        for: 2m
        labels: {severity: critical, team: ai, service: "{{ $labels.app }}"}
        annotations: {summary: "{{ $labels.app }} is slow", description: "{{ $value }} of \\"{{ $labels.app }}\\"\\nand more"}
"""
TEST_FILE = """rule_files: [g.yaml]
tests:
  - input_series: [{series: 'slow{app="x"}', values: 2x10}]
    promql_expr_test: [{expr: 'count(ALERTS{alertstate="firing"})', eval_time: 5m, exp_samples: [{labels: "{}", value: 1}]}]
"""
NAME = "monitoring/rules/g.yaml"


def rule_verdict(files: dict[str, str], subject: str, tmp_path: Path) -> Outcome:
    return asked(prometheus.tasks(files, plan(Group("g", "prometheus", "1m", (FIRES,)))), subject, "promtool", tmp_path)


def test_a_rule_file_is_accepted(tmp_path: Path) -> None:
    assert rule_verdict({NAME: RULE_FILE}, NAME, tmp_path) == Outcome(True)


def test_a_rule_that_is_no_promql_is_refused(tmp_path: Path) -> None:
    assert "parse error" in rule_verdict({NAME: RULE_FILE.replace("slow > 1", "sum(slow")}, NAME, tmp_path).message


def test_a_duplicate_rule_is_refused(tmp_path: Path) -> None:
    twice = RULE_FILE + RULE_FILE.partition("    rules:\n")[2]
    assert "duplicate rule(s)" in rule_verdict({NAME: twice}, NAME, tmp_path).message


def test_a_rule_test_is_run(tmp_path: Path) -> None:
    test = "monitoring/rules/g_test.yaml"
    assert rule_verdict({NAME: RULE_FILE, test: TEST_FILE}, test, tmp_path) == Outcome(True)
    assert not rule_verdict({NAME: RULE_FILE.replace("> 1", "> 9"), test: TEST_FILE}, test, tmp_path).accepted


def test_a_rule_test_that_reads_no_rendered_rules_is_refused(tmp_path: Path) -> None:
    test = "monitoring/rules/g_test.yaml"
    verdict = rule_verdict({NAME: RULE_FILE, test: TEST_FILE.replace("g.yaml", "h.yaml")}, test, tmp_path)
    assert verdict.message == "the test reads h.yaml, and no such rule file is rendered"


def written(text: str, tmp_path: Path) -> Outcome:
    return rule_verdict({NAME: text}, f"{NAME}: alerts as people read them", tmp_path)


def test_an_alert_that_reads_well_is_accepted(tmp_path: Path) -> None:
    assert written(RULE_FILE, tmp_path) == Outcome(True)


def test_an_annotation_that_fails_when_it_is_written_is_refused(tmp_path: Path) -> None:
    verdict = written(RULE_FILE.replace("{{ $value }}", "{{ (query `nothing` | first).Value }}"), tmp_path)
    assert verdict.message.startswith("Slow (critical): description: <error expanding template")


def test_an_owner_that_comes_out_empty_is_refused(tmp_path: Path) -> None:
    verdict = written(RULE_FILE.replace('service: "{{ $labels.app }}"', 'service: "{{ $labels.gone }}"'), tmp_path)
    assert verdict.message == "Slow (critical): label service comes out empty"


def test_a_summary_that_comes_out_empty_is_refused(tmp_path: Path) -> None:
    verdict = written(RULE_FILE.replace("{{ $labels.app }} is slow", "{{ $labels.gone }}"), tmp_path)
    assert verdict.message == "Slow (critical): annotation summary comes out empty"


def test_an_alert_that_does_not_fire_on_its_own_examples_is_refused(tmp_path: Path) -> None:
    assert written(RULE_FILE.replace("> 1", "> 9"), tmp_path).message == "no alert fires on its own examples"


# amtool

ROUTES = """templates: [/etc/alertmanager/templates/*.tmpl]
route:
  receiver: unrouted
  routes:
    - {receiver: watchdog, matchers: ['alertname="Watchdog"', 'cluster="c"']}
    - {receiver: critical, matchers: ['severity="critical"'], routes: [{receiver: critical-ai, matchers: ['team="ai"']}]}
    - {receiver: info, matchers: ['severity="info"']}
receivers:
  - {name: unrouted}
  - {name: watchdog}
  - name: critical
    slack_configs: [{api_url_file: /run/x, channel: "#a", title: '{{ template "title" . }}'}]
  - name: critical-ai
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "h:25", html: '<b>{{ .CommonLabels.team }}</b>'}]
  - {name: info}
"""
TEMPLATES = (
    '{{ define "title" }}{{ .Status | toUpper }}{{ range .Alerts }} {{ .Annotations.summary }}{{ end }}{{ end }}'
)
CONFIG = "alertmanager/alertmanager.yaml"


def routed(config: str, question: str, tmp_path: Path, templates: str = TEMPLATES) -> Outcome:
    files = {CONFIG: config, "alertmanager/templates/all.tmpl": templates}
    return asked(alertmanager.tasks(files, plan()), CONFIG + question, "amtool", tmp_path)


@pytest.mark.parametrize("question", ["", ": routes", ": messages"])
def test_a_working_alertmanager_is_accepted(question: str, tmp_path: Path) -> None:
    assert routed(ROUTES, question, tmp_path) == Outcome(True)


def test_an_undefined_receiver_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace("{name: info}", "{name: inform}"), "", tmp_path)
    assert 'undefined receiver "info" used in route' in verdict.message


def test_a_route_that_leads_to_another_receiver_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace("receiver: critical-ai", "receiver: info"), ": routes", tmp_path)
    assert verdict.message == 'alertname="Any" severity="critical" team="ai": expected critical-ai, got info'


def test_a_configuration_that_is_not_read_is_told_once_and_not_for_every_route(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace("{name: info}", "{name: inform}"), ": routes", tmp_path)
    (line,) = verdict.message.splitlines()
    assert 'undefined receiver "info"' in line


def test_a_route_that_swallows_the_heartbeat_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace('alertname="Watchdog"', 'alertname="Heartbeat"'), ": routes", tmp_path)
    assert 'alertname="Watchdog" cluster="c": expected watchdog, got unrouted' in verdict.message


def test_a_heartbeat_of_another_cluster_that_counts_as_ours_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace(""", 'cluster="c"\'""", ""), ": routes", tmp_path)
    assert 'alertname="Watchdog" cluster="not-c": expected unrouted, got watchdog' in verdict.message


def test_a_message_that_names_no_defined_template_is_refused_by_its_text(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace('template "title"', 'template "titel"'), ": messages", tmp_path)
    assert verdict.message.startswith('{{ template "titel" . }} (one firing): ')
    assert 'template "titel" not defined' in verdict.message


def test_a_broken_html_message_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace(".CommonLabels.team", ".CommonLabls.team"), ": messages", tmp_path)
    assert "can't evaluate field CommonLabls" in verdict.message


def test_a_message_that_fails_only_on_one_kind_of_notification_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES, ": messages", tmp_path, '{{ define "title" }}{{ (index .Alerts 1).Status }}{{ end }}')
    assert "(resolved)" in verdict.message
    assert "(three firing)" not in verdict.message


def test_a_message_that_always_comes_out_empty_is_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES, ": messages", tmp_path, '{{ define "title" }}{{ .CommonLabels.titel }}{{ end }}')
    assert verdict.message == '{{ template "title" . }}: says nothing, whatever the alert'


def test_templates_that_nobody_renders_are_refused(tmp_path: Path) -> None:
    verdict = routed(ROUTES.replace("*.tmpl", "*.template"), ": messages", tmp_path)
    assert verdict.message == "templates: *.template: no such file is rendered"


# loki, promtail: no registry carries them


def test_loki_refuses_a_key_it_does_not_know(tmp_path: Path) -> None:
    verdict = asked(loki.tasks({"loki/loki.yaml": "auth_enabld: false\n"}, plan()), "loki/loki.yaml", "loki", tmp_path)
    assert "line 1: field auth_enabld not found" in verdict.message


LOG_RULES = "groups: [{name: g, rules: [{alert: A, expr: 'rate({a=\"b\"} [5m]) > 1', labels: {severity: info}}]}]\n"
LOG_QUESTIONS = [
    ("lokitool", "loki/rules/g.yaml"),
    ("logcli", "loki/rules/g.yaml: A (info)"),
    ("lezer-logql", "loki/rules/g.yaml"),
]


@pytest.mark.parametrize(("tool", "subject"), LOG_QUESTIONS)
def test_a_log_alert_is_read_by_three_judges(tool: str, subject: str, tmp_path: Path) -> None:
    assert asked(loki.tasks({"loki/rules/g.yaml": LOG_RULES}, plan()), subject, tool, tmp_path) == Outcome(True)
    broken = {"loki/rules/g.yaml": LOG_RULES.replace("[5m])", "[5m]")}
    assert not asked(loki.tasks(broken, plan()), subject, tool, tmp_path).accepted


PIPELINE = """clients: [{url: "http://loki:3100/loki/api/v1/push"}]
scrape_configs:
  - job_name: pods
    pipeline_stages:
      - cri: {}
      - json: {expressions: {level: level, trace_id: trace_id}}
      - template:
          source: level
          template: >-
            {{ if not .Value }}UNKNOWN{{ else if eq (ToUpper .Value) "INFO" "ERROR" }}{{ ToUpper .Value }}
            {{- else }}UNKNOWN{{ end }}
      - labels: {level: }
      - structured_metadata: {trace_id: , stream: }
"""


def shipped(config: str, tmp_path: Path) -> Outcome:
    name = "agent/promtail.yaml"
    return asked(promtail.tasks({name: config}, plan()), f"{name}: sample lines", "promtail", tmp_path)


def test_lines_of_the_standard_pass_the_pipeline(tmp_path: Path) -> None:
    assert shipped(PIPELINE, tmp_path) == Outcome(True)


def test_a_level_taken_blindly_is_refused(tmp_path: Path) -> None:
    start, end = PIPELINE.index("      - template"), PIPELINE.index("      - labels")
    verdict = shipped(PIPELINE[:start] + PIPELINE[end:], tmp_path)
    assert "a level that is not declared: label level is 'user 77', not 'UNKNOWN'" in verdict.message


def test_a_line_without_a_level_that_gets_no_label_is_refused(tmp_path: Path) -> None:
    verdict = shipped(PIPELINE.replace("if not .Value }}UNKNOWN{{ else ", ""), tmp_path)
    assert "a line without a level: label level is missing" in verdict.message


def test_an_identifier_as_a_label_is_refused(tmp_path: Path) -> None:
    start = PIPELINE.index("      - labels")
    verdict = shipped(PIPELINE[:start] + "      - labels: {level: , trace_id: }\n", tmp_path)
    assert "label trace_id='the-trace_id' is not declared" in verdict.message


def test_lines_that_keep_the_runtimes_prefix_are_refused(tmp_path: Path) -> None:
    verdict = shipped(PIPELINE.replace("      - cri: {}\n", ""), tmp_path)
    assert verdict.message.startswith("7 entries went in, 8 came out; not as they went in: a line at INFO")


def test_a_pipeline_that_does_not_start_is_refused_though_its_syntax_is_right(tmp_path: Path) -> None:
    broken = PIPELINE.replace("ToUpper", "ToUppper")
    name = "agent/promtail.yaml"
    assert asked(promtail.tasks({name: broken}, plan()), name, "promtail", tmp_path).accepted
    assert r"function \"ToUppper\" not defined" in shipped(broken, tmp_path).message
