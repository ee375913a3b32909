"""The packs' content: what a template sees, and what an alert must carry to be worth waking somebody for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2.meta
import msgspec
import pytest
import yaml

from obsgen import logql, loki_targets, promql, road, upstream
from obsgen import series as series_of
from obsgen.assets import PACKS
from obsgen.model import Alert, Loki
from obsgen.packs import CONTEXT, Expanded
from obsgen.query import Labels, allows
from obsgen.render import environment, pack
from obsgen.requests import example

COUNTED: list[Mapping[str, Any]] = [
    {"total": "http_requests_total", "errors": 'code=~"5.."', "apps": ["a"], "example": example('code=~"5.."')},
    {
        "total": "rpc_calls_total",
        "errors": 'ok="false"',
        "apps": ["b", "c-1"],
        "example": example('ok="false"'),
    },
]
EVERYTHING: Mapping[str, Mapping[str, Any]] = {
    "watchdog": {},
    "dlq": {"depth_max": 100, "queues": ["agents:create", "rooms:create"], "review_seconds": 3600},
    "log-pipeline": {
        "agent": "promtail",
        "agent_namespace": "logging",
        "bytes_per_day": 1e9,
        "docker": False,
        "hosts": loki_targets.hosts(Loki()),
        "lag_seconds": 5,
        "loki_rules": 3,
        "loki_scraped": True,
        "members": 3,
        "namespace": "auralink",
        "parts": loki_targets.workloads(Loki(mode="monolithic-ha")),
        "pods": 3,
        "retention_hours": [72, 720],
        "search_ratio": 0.9,
        "search_seconds": 2,
        "streams_limit": 5000,
    },
    "alertmanager": {
        "deployed": True,
        "namespace": "auralink",
        "pods": ["alertmanager-0", "alertmanager-1", "alertmanager-2"],
        "replicas": 3,
    },
    "objectives": {
        "alerts_examples": range(11),
        "alerts_max": 10,
        "alerts_window": "1d",
        "budgets": [
            {"budget": "0.001", "min_events": 100, "apps": ["a"]},
            {"budget": "0.05", "min_events": 0, "apps": ["b", "c-1"]},
        ],
        "cluster": "use1",
        "counted": COUNTED,
        "interval": "30",
        "namespace": "auralink",
        "pairs": {
            "fast": [{"seconds": 604_800, "apps": ["b"]}, {"seconds": 2_592_000, "apps": ["a", "c-1"]}],
            "steady": [{"seconds": 2_592_000, "apps": ["a", "c-1"]}],
            "slow": [{"seconds": 2_592_000, "apps": ["a", "c-1"]}],
        },
        "typical": {
            key: [{"total": "http_requests_total", "app": "a", **COUNTED[0]["example"]}]
            for key in ("fast", "steady", "slow")
        },
    },
    "redis": {"declared": True, "namespace": "auralink"},
    "services": {
        "error_levels": ["ERROR", "FATAL"],
        "errors": COUNTED,
        "latencies": [{"seconds": "http_seconds", "apps": ["a"]}, {"seconds": "rpc_seconds", "apps": ["b", "c-1"]}],
        "namespace": "auralink",
        "scraped": ["a", "b", "c-1"],
        "services": ["a", "b", "c-1", "d"],
    },
}
OF_SERVICES = {"http_requests_total", "rpc_calls_total"} | {
    f"{name}_seconds_{end}" for name in ("http", "rpc") for end in ("bucket", "count")
}
ALLOY = {**EVERYTHING, "log-pipeline": {**EVERYTHING["log-pipeline"], "agent": "alloy"}}
DOCKER = {**EVERYTHING, "log-pipeline": {**EVERYTHING["log-pipeline"], "docker": True}}
BARE: Mapping[str, Mapping[str, Any]] = {
    "watchdog": {},
    "dlq": {"depth_max": None, "queues": [], "review_seconds": None},
    "log-pipeline": {
        **EVERYTHING["log-pipeline"],
        **dict.fromkeys(("bytes_per_day", "lag_seconds", "search_ratio", "search_seconds")),
        "loki_rules": 0,
    },
    "alertmanager": {
        "deployed": False,
        "namespace": "auralink",
        "pods": ["alertmanager-0"],
        "replicas": 1,
    },
    "objectives": {
        "alerts_examples": range(0),
        "alerts_max": None,
        "alerts_window": "1d",
        "budgets": [],
        "cluster": "use1",
        "counted": [],
        "interval": "30",
        "namespace": "auralink",
        "pairs": {"fast": [], "steady": [], "slow": []},
        "typical": {"fast": [], "steady": [], "slow": []},
    },
    "redis": {"declared": False, "namespace": "auralink"},
    "services": {
        "error_levels": [],
        "errors": [],
        "latencies": [],
        "scraped": [],
        "namespace": "auralink",
        "services": ["d"],
    },
}
# Guard an objective that the context does not hold: log_retention is kept by what is configured, dlq_loss allows nothing.
ALWAYS_GUARDED = {"log_retention", "dlq_loss"}
SECTIONS = ("meaning", "impact", "diagnosis", "mitigation")
FILLER = re.compile(
    r"(?i)\b(TODO|TBD|FIXME|lorem|n/a|placeholder|as needed|investigate the issue|check the logs|contact support)\b"
)


def expanded(name: str, contexts: Mapping[str, Mapping[str, Any]] = EVERYTHING) -> Expanded:
    return msgspec.convert(yaml.safe_load(pack(name, contexts[name])), Expanded)


def shipped(contexts: Mapping[str, Mapping[str, Any]]) -> dict[str, Alert]:
    return {key: alert for name in contexts for key, alert in expanded(name, contexts).alerts.items()}


def recordings(contexts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {key: record.query for name in contexts for key, record in expanded(name, contexts).records.items()}


ALERTS = shipped(EVERYTHING)
RECORDED = recordings(EVERYTHING)
PER_AGENT = [
    *ALERTS.items(),
    *((key, alert) for one in (ALLOY, DOCKER) for key, alert in shipped(one).items() if alert != ALERTS[key]),
]
ON_METRICS = [(key, alert) for key, alert in PER_AGENT if not alert.logql]


def questions(alert: Alert) -> str:
    return alert.query or alert.expr or ""


def survivors_of(alert: Alert) -> Labels:
    return logql.parse(alert.logql).labels if alert.logql else promql.survivors(promql.parse(questions(alert)))


def metrics(query: str) -> set[str]:
    return {name for name, _ in promql.metrics(promql.parse(query))}


def read_by(query: str, recorded: Mapping[str, str]) -> set[str]:
    """Metrics of the query, and those behind its recordings."""
    names = metrics(query)
    return names.union(*(read_by(recorded[name], recorded) for name in names & set(recorded)))


def each_alert(alerts: list[tuple[str, Alert]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("alert", [alert for _, alert in alerts], ids=[key for key, _ in alerts])


def test_every_pack_that_ships_has_a_context_and_is_tested_here() -> None:
    assert {path.name.removesuffix(".yaml.j2") for path in PACKS.glob("*.yaml.j2")} == set(CONTEXT) == set(EVERYTHING)


def test_every_pack_of_the_grammar_ships() -> None:
    assert set(road.schema("observability")["properties"]["packs"]["propertyNames"]["enum"]) == set(CONTEXT)


@pytest.mark.parametrize("name", CONTEXT)
def test_a_template_uses_every_variable_of_its_context_and_no_other(name: str) -> None:
    source = (PACKS / f"{name}.yaml.j2").read_text(encoding="utf-8")
    assert jinja2.meta.find_undeclared_variables(environment().parse(source)) == set(CONTEXT[name])


@pytest.mark.parametrize("contexts", [EVERYTHING, ALLOY, DOCKER, BARE], ids=["everything", "alloy", "docker", "bare"])
def test_the_tests_give_a_template_exactly_what_its_context_gives(contexts: Mapping[str, Mapping[str, Any]]) -> None:
    assert {name: set(context) for name, context in contexts.items()} == {n: set(c) for n, c in CONTEXT.items()}


def test_without_queues_there_is_no_alert_on_dead_letters() -> None:
    assert expanded("dlq", BARE).alerts == {}


def test_an_objective_that_nobody_declared_is_guarded_by_no_alert() -> None:
    assert {alert.objective for alert in shipped(BARE).values()} - {None} <= ALWAYS_GUARDED


def test_a_declared_objective_is_guarded() -> None:
    guarded = {alert.objective for alert in ALERTS.values()} - {None}
    assert guarded == {
        "alerts",
        "dlq_depth",
        "dlq_review",
        "log_latency",
        "log_search",
        "log_volume",
        *ALWAYS_GUARDED,
    }


def test_rules_of_loki_are_missed_only_where_there_are_some() -> None:
    of_ruler = {"LokiRulesMissing", "LokiRulerCannotNotify"}
    assert of_ruler <= set(ALERTS)
    assert not of_ruler & set(shipped(BARE))


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.1, "0.25"), (0.5, "0.5"), (1.9, "1"), (2, "2"), (5, "4"), (3600, "128")]
)
def test_searches_are_measured_by_the_largest_bucket_of_loki_within_the_objective(seconds: float, bucket: str) -> None:
    record = msgspec.convert(
        yaml.safe_load(pack("log-pipeline", {**EVERYTHING["log-pipeline"], "search_seconds": seconds})), Expanded
    ).records["loki:search_within_objective:ratio1h"]
    assert f'le=~"{bucket}(\\\\.0)?"' in record.query


def test_a_search_objective_without_a_ratio_means_nine_of_ten() -> None:
    context = {**EVERYTHING["log-pipeline"], "search_ratio": None}
    alerts = msgspec.convert(yaml.safe_load(pack("log-pipeline", context)), Expanded).alerts
    assert alerts["LogSearchSlow"].levels["warning"].below == 0.9


def test_every_declared_queue_is_missed_by_name() -> None:
    missing = promql.metrics(promql.parse(questions(ALERTS["DLQMetricsMissing"])))
    assert missing == {("dlq_depth_messages", frozenset({"queue"}))}
    for queue in EVERYTHING["dlq"]["queues"]:
        assert f'absent(dlq_depth_messages{{queue="{queue}"}})' in questions(ALERTS["DLQMetricsMissing"])


@pytest.mark.parametrize(
    ("contexts", "prefix"), [(EVERYTHING, "promtail_"), (ALLOY, "loki_")], ids=["promtail", "alloy"]
)
def test_alerts_on_the_agent_read_the_metrics_of_the_declared_agent(
    contexts: Mapping[str, Mapping[str, Any]], prefix: str
) -> None:
    agents = [alert for alert in shipped(contexts).values() if alert.group == "log-pipeline-agent"]
    names = set().union(*(metrics(questions(alert)) for alert in agents)) - {"up"}
    assert len(names) == 5
    assert all(name.startswith(prefix) for name in names)


def test_counters_kept_in_redis_are_not_summed_over_the_replicas_that_export_them() -> None:
    kept = re.compile(r"dlq_(messages|replayed_messages|removed_messages)_total|dlq_depth|dlq_oldest")
    reading = [questions(alert) for alert in ALERTS.values() if kept.search(questions(alert))]
    assert reading
    assert not [question for question in reading if re.match(r"sum\b", question)]


@each_alert(ON_METRICS)
def test_an_alert_asks_a_question_that_prometheus_reads(alert: Alert) -> None:
    tree = promql.parse(questions(alert))
    assert promql.has_comparison(tree) or alert.levels or alert.severity == "none"


@pytest.mark.parametrize("name", EVERYTHING)
def test_recordings_are_promql_named_level_metric_operation(name: str) -> None:
    for key, record in expanded(name).records.items():
        assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9]+", key)
        assert promql.metrics(promql.parse(record.query))


def test_alert_names_are_short_camel_case() -> None:
    assert [key for key in ALERTS if not re.fullmatch(r"([A-Z]+[a-z0-9]+)+", key) or len(key) > 40] == []


def test_a_group_has_a_short_name_and_at_most_twenty_alerts() -> None:
    groups = [alert.group for alert in ALERTS.values()]
    assert [group for group in groups if not re.fullmatch(r"[a-z][a-z-]{1,39}", group)] == []
    assert max(map(groups.count, groups)) <= 20


@each_alert(PER_AGENT)
def test_a_summary_is_one_static_sentence(alert: Alert) -> None:
    assert re.fullmatch(r"[A-Z][^{}\n]+[a-z]\.", alert.summary)


@each_alert(PER_AGENT)
def test_a_description_uses_only_labels_that_survive_the_aggregation(alert: Alert) -> None:
    survivors = survivors_of(alert)
    used = set(re.findall(r"\$labels\.(\w+)", alert.description))
    assert {label for label in used if not allows(survivors, label)} == set()
    assert alert.description[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ{"
    assert alert.description.endswith(".")


@each_alert(PER_AGENT)
def test_the_owner_of_an_alert_is_read_from_a_label_of_its_result(alert: Alert) -> None:
    survivors = survivors_of(alert)
    assert alert.team_of is None or allows(survivors, alert.team_of)
    assert alert.service is None


@each_alert(PER_AGENT)
def test_no_alert_keeps_the_labels_that_every_rule_sets_itself(alert: Alert) -> None:
    # Two results that differ only in a label which the rule overwrites fail the evaluation of the whole rule.
    recorded = RECORDED.get(questions(alert))
    survivors = promql.survivors(promql.parse(recorded)) if recorded else survivors_of(alert)
    set_by_rules = ("cluster", "namespace", "severity", "service", "team")
    assert [label for label in (*set_by_rules, "pod", "instance") if allows(survivors, label)] == []


@each_alert(PER_AGENT)
def test_a_runbook_says_four_things_and_no_filler(alert: Alert) -> None:
    assert alert.runbook is not None
    for section in SECTIONS:
        text = getattr(alert.runbook, section)
        assert len(text) > 60
        assert not FILLER.search(text)


@each_alert(PER_AGENT)
def test_the_steps_of_a_runbook_are_numbered(alert: Alert) -> None:
    assert alert.runbook is not None
    for text in (alert.runbook.diagnosis, alert.runbook.mitigation):
        lines = (text or "").splitlines()
        assert [line.partition(".")[0] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]


def test_a_runbook_names_only_alerts_that_exist() -> None:
    told = {"DLQHighVolume"}  # of the plan, declared by the team
    named = {
        word
        for text in _runbooks()
        for word in re.findall(r"\b(?:Alertmanager|DLQ|Log|Loki|Prometheus|Redis|Service)[A-Z][A-Za-z]+\b", text)
    }
    assert named <= set(ALERTS) | told


def _runbooks() -> Iterator[str]:
    for alert in ALERTS.values():
        for section in SECTIONS:
            yield getattr(alert.runbook, section)


def test_every_alert_on_metrics_but_the_heartbeat_has_examples() -> None:
    shown = {key for key, alert in ON_METRICS if alert.examples and (alert.examples.silent or alert.examples.quiet)}
    assert [key for key, _ in ON_METRICS if key not in shown] == ["Watchdog"]


@each_alert(PER_AGENT)
def test_the_series_of_an_example_are_equally_long_and_tests_stay_short(alert: Alert) -> None:
    examples = alert.examples
    lengths = (
        [{series_of.samples(v) for v in part.values()} for part in (examples.fires, examples.silent)]
        if examples
        else []
    )
    assert all(len(found) <= 1 for found in lengths)
    # alerts that began are counted over a day, which must pass until there are few again
    assert sum(map(max, filter(None, lengths))) < (1600 if alert.objective == "alerts" else 420)


@each_alert(PER_AGENT)
def test_the_series_of_an_example_carry_the_labels_of_a_scrape(alert: Alert) -> None:
    series = [*alert.examples.fires, *alert.examples.silent] if alert.examples else []
    for selector in series:
        labels = set(re.findall(r'[{,](\w+)="', selector))
        made = {"alertname", "alertstate", "severity"}  # of a series that Prometheus makes itself, out of an alert
        assert {
            "cluster",
            "namespace",
            *(made if selector.startswith("ALERTS{") else ("app", "pod", "container")),
        } <= labels


@pytest.mark.parametrize("contexts", [EVERYTHING, ALLOY], ids=["promtail", "alloy"])
def test_the_series_of_an_example_are_metrics_that_the_alert_reads(contexts: Mapping[str, Mapping[str, Any]]) -> None:
    recorded = recordings(contexts)
    for alert in filter(questions, shipped(contexts).values()):
        read = read_by(questions(alert), recorded)
        series = [*alert.examples.fires, *alert.examples.silent] if alert.examples else []
        assert {selector.partition("{")[0] for selector in series} <= read


@pytest.mark.parametrize("name", sorted(CONTEXT))
def test_packs_ask_only_for_metrics_and_labels_that_a_server_exports(name: str) -> None:
    """Of expressions and of examples alike: an alert on a made-up metric passes its own test for ever."""
    known = upstream.all_metrics()
    target = {"cluster", "namespace", "app", "pod", "container", "job", "instance"}
    for context in (EVERYTHING, ALLOY, BARE):
        pack = expanded(name, context)
        texts = [record.query for record in pack.records.values()]
        for alert in pack.alerts.values():
            examples = [*alert.examples.fires, *alert.examples.silent] if alert.examples else []
            texts += [*filter(None, [questions(alert)]), *examples]
        for text in texts:
            for metric, labels in promql.metrics(promql.parse(text)):
                if metric in pack.records or metric in OF_SERVICES or not metric:
                    continue
                assert metric in known, text
                assert known[metric].open or labels <= {*known[metric].labels, *target}, text
