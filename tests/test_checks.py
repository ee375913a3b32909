"""What the checks say beyond their pages (tests/test_check_pages.py): places, comments, profiles, and many inputs for one check."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from declaring import BASE, commit, declared, dumped, inside
from obsgen import overlay
from obsgen.checks import check, check_all, raw
from obsgen.problem import Problem
from obsgen.road import load


def base(*changes: tuple[str, str]) -> str:
    """The base as text, with parts of it replaced."""
    text = BASE.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} does not stand there once"
        text = text.replace(old, new)
    return text


def checked(folder: Path, text: str, profile: str = "{}\n") -> list[Problem]:
    one = declared(folder, text, profile)
    with inside(folder):
        return check(one)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def marked(problem: Problem) -> str:
    """What the caret stands under."""
    line, carets = problem.excerpt.split("\n")
    return line[carets.index("^") : len(carets)]


PROMQL = '    expr: sum by (app) (rate(http_requests_total{app="checkout", code=~"5.."}[5m])) > 1\n'
LOGQL = '    logql: sum by (app) (rate({namespace="shop", level="ERROR"} [5m]))\n'


@pytest.mark.parametrize(
    ("old", "new", "rule", "token"),
    [
        (PROMQL, "    expr: sum by (app) (rate(http_requests_total[5m]))) > 1\n", "query/promql", ")"),
        (PROMQL, "    expr: |\n      sum by (app) (\n        rate(up[5m])\n      )) > 1\n", "query/promql", ")"),
        (PROMQL, "    expr: |-\n\n      sum(up{) > 1\n", "query/promql", ")"),
        (PROMQL, "    expr: >-\n      sum by (app)\n      (rate(upp[5m])) > 1\n", "query/unknown-metric", "upp"),
        (PROMQL, "    expr: sum(rate(up[5m]))\n      + sum(upp) > 1\n", "query/unknown-metric", "upp"),
        (PROMQL, "    expr: 'up{pod=~''a''} > upp'\n", "query/unknown-metric", "upp"),
        (PROMQL, '    expr: "up{pod=\\"a\\"}\\n > \\\n        upp"\n', "query/unknown-metric", "upp"),
        (LOGQL, '    logql: sum by (app) (rate({app="x"} |= error [5m]))\n', "query/logql", "error"),
        (LOGQL, '    logql: |\n      sum by (app) (\n        rate({app="x"} |= error [5m])\n      )\n', "query/logql", "error"),
        (LOGQL, '    logql: |\n      sum by (app) (rate(\n        {job="x"} [5m]))\n', "query/unknown-label", "job"),
    ],
)  # fmt: skip
def test_the_caret_stands_under_the_token_wherever_the_query_is_written(
    old: str, new: str, rule: str, token: str, tmp_path: Path
) -> None:
    text = base((old, new))
    problem = next(problem for problem in checked(tmp_path, text) if problem.rule == rule)
    line = text.splitlines()[problem.line - 1]
    assert marked(problem) == token
    assert line[problem.column - 1 :].startswith(token)
    assert problem.excerpt.split("\n")[0] == f"    {line}"


def test_a_line_that_looks_like_a_later_one_does_not_attract_the_caret(tmp_path: Path) -> None:
    text = base((PROMQL, "    expr: |\n      (sum(up)\n      )\n      )\n"))
    problem = next(problem for problem in checked(tmp_path, text) if problem.rule == "query/promql")
    assert problem.line == line_of(text, "      (sum(up)") + 2


def test_a_problem_in_a_profile_is_told_in_the_profile(tmp_path: Path) -> None:
    profile = "cluster: main\nalerts:\n  CheckoutErrors:\n    expr: sum(\n"
    problems = checked(tmp_path, base(), profile)
    assert [(p.file, p.line, p.rule) for p in problems] == [("profiles/test.yaml", 4, "query/promql")]


def test_all_findings_are_told_at_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = checked(
        tmp_path,
        base(
            ("team: payments\n    language", "team: payment\n    language"),
            ("trace_id: {required: true, store: metadata}", "trace_id: {required: true, store: label}"),
            ("default: 30d\n", "default: 12h\n"),
            (PROMQL, "    expr: sum(\n"),
            ("{owner: warehouse}", "{owner: stock}"),
        ),
    )
    assert [problem.rule for problem in problems] == [
        "reference/team",
        "log/identifier-label",
        "retention/too-short",
        "retention/objective",
        "query/promql",
        "reference/service",
    ]
    assert problems == sorted(problems)


@pytest.mark.parametrize(
    "profile",
    [
        "teams: {platform: {default: false}}\n",
        "alerts: {CheckoutErrors: {service: nobody}}\n",
        "dlq: {queues: {orders:create: {owner: nobody}}}\n",
        'versions: {loki: "9.9"}\n',
        "packs: {dlq: {alerts: {DLQSpooling: {team_of: null, service: nobody}}}}\n",
        "alertmanager: {raw: {patch: {route: {routes: [{matchers: [nonsense]}]}}}}\n",
        "alertmanager: {raw: {patch: {route: 5}}}\n",
        "logging: {redact: {password: null, token: null}}\n",
    ],
)
def test_a_name_that_leads_nowhere_is_a_problem_and_no_traceback(profile: str, tmp_path: Path) -> None:
    problems = checked(tmp_path, base(), profile)
    assert all(problem.line for problem in problems)
    assert problems or "redact" in profile


def test_a_comment_above_the_key_silences_what_is_found_deep_in_its_block(tmp_path: Path) -> None:
    comment = "    # obsgen: ignore=query/unknown-metric the service counts it\n    # a second comment\n"
    text = base((PROMQL, comment + "    expr: |\n      sum(\n        orders_lost_total\n      ) > 1\n"))
    assert "query/unknown-metric" not in {problem.rule for problem in checked(tmp_path, text)}
    assert not {"ignore/unused", "ignore/unknown"} & {problem.rule for problem in checked(tmp_path, text)}


def test_a_comment_silences_neither_its_neighbours_nor_other_checks(tmp_path: Path) -> None:
    text = base(
        (
            "    trace_id: {required: true",
            "    # obsgen: ignore=log/level-label because\n    trace_id: {required: true",
        ),
        ("metadata}", "label}"),
    )
    assert {"log/identifier-label", "ignore/unused"} <= {problem.rule for problem in checked(tmp_path, text)}


def test_without_a_reason_the_finding_stays(tmp_path: Path) -> None:
    text = base(("store: metadata}", "store: label} # obsgen: ignore=log/identifier-label"))
    assert [problem.rule for problem in checked(tmp_path, text)] == ["log/identifier-label", "ignore/reason"]


def test_a_leftover_is_one_only_where_no_profile_uses_it(tmp_path: Path) -> None:
    text = base(("secrets:\n", "secrets:\n  only-prod: {secret: a, key: b}\n"))
    one = declared(tmp_path, text)
    (tmp_path / "profiles" / "prod.yaml").write_text(
        "teams: {platform: {channels: {page: {routing_key: {secret: only-prod}}}}}\n", encoding="utf-8"
    )
    with inside(tmp_path):
        other = load(Path("observability.yaml"), "prod")
        assert {problem.rule for problem in check(one)} == {"secret/unused"}
        assert check_all([one, other]) == []
        assert [problem.rule for problem in check_all([one])] == ["secret/unused"]
        assert check_all([one], complete=False) == []


def test_the_history_of_a_declaration_in_another_folder_is_read_from_its_own_repository(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    declared(folder, base())
    commit(folder)
    (folder / "observability.yaml").write_text(
        base(('{"2025-10-01": {store', '{"2026-10-01": {store')), encoding="utf-8"
    )
    with inside(tmp_path):
        problems = check(load(Path("shop/observability.yaml"), "test"))
    assert [problem.rule for problem in problems] == ["loki/schema-history"]


def rules_of(folder: Path, patch: dict[str, Any], profile: str = "{}\n") -> set[str]:
    text = dumped(overlay.merge(yaml.safe_load(BASE.read_text(encoding="utf-8")), patch))
    return {problem.rule for problem in checked(folder, text, profile)} - {"version/end-of-life"}


ORDINARY = {
    "a link with a port": "see https://grafana.shop.example:8443/d/abc?var-queue=@all and redis://:$PASSWORD@redis:6379",
    "a placeholder": "psql postgres://USER:PASSWORD@host/db or https://user:<password>@host or https://hooks.slack.com/services/…",
    "code": "`kubectl -n shop exec deploy/checkout -- env | grep TOKEN`; sk-learn, desk-1234, eyJust {{ $value }}",
    "a digest": "registry.shop.example/checkout@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "a role": "arn:aws:iam::111122223333:role/ObservabilityLokiWriterProductionEuCentral1",
    "a long name": "CheckoutServiceErrorRateAbove5PercentForTenMinutes",
    "a path": "/internal/Metrics/Of/The/Checkout/Service/V2/prometheus",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_text_is_no_secret(text: str, tmp_path: Path) -> None:
    patch = {"alerts": {"CheckoutErrors": {"runbook": {"meaning": text}}}, "tests": [], "name": "shop"}
    assert rules_of(tmp_path, patch) == set()


SECRETS = {
    "AWS key": "AKIA" + "IOSFODNN7EXAMPLE",
    "AWS secret": "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "Slack webhook": "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "Slack token": "xoxb-" + "123456789012-abcdefABCDEF",
    "GitHub token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "PagerDuty key": "0f3c" + "9e2b7a64d15803be9f7c2a6d1e48",
    "URL with a password": "amqp://shop:" + "hunter2@rabbit:5672/",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "JWT": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_seen_wherever_it_stands_and_never_printed(text: str, tmp_path: Path) -> None:
    patch = {"alerts": {"CheckoutErrors": {"runbook": {"meaning": text}}}}
    problems = checked(tmp_path, dumped(overlay.merge(yaml.safe_load(BASE.read_text(encoding="utf-8")), patch)))
    (problem,) = [problem for problem in problems if problem.rule == "secret/literal"]
    assert text not in f"{problem}{problem.excerpt}"


@pytest.mark.parametrize(
    "name", ["region", "environment", "version", "error_code", "tier", "zone", "valid", "grid", "skip"]
)
def test_a_field_of_few_values_may_be_a_label(name: str, tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"logging": {"fields": {name: {"store": "label"}}}}) == set()


@pytest.mark.parametrize("name", ["user_id", "userId", "requestId", "client_ip", "url", "email", "error", "session"])
def test_a_field_with_a_value_per_request_may_not(name: str, tmp_path: Path) -> None:
    assert "log/identifier-label" in rules_of(tmp_path, {"logging": {"fields": {name: {"store": "label"}}}})


@pytest.mark.parametrize(
    "description",
    [
        '{{ printf "%.2f" $value }} {{ $value | humanize }} {{ $value | humanizePercentage | printf "%s!" }}',
        '{{ range query "up" }}{{ .Value }}{{ .Labels.instance }}{{ end }}',
        '{{ with query "up" }}{{ . | first | value }}{{ end }}',
        "{{ $x := $labels.app }}{{ $x }}{{- /* a }} comment */ -}}",
        "{{ if and (gt $value 1.5) (not (eq $labels.app `}}`)) }}a{{ else if true }}b{{ end }}",
        '{{ define "t" }}{{ .Labels.nothing }}{{ end }}{{ template "t" . }}',
        'costs 5$, {"json": {"a": 1}} and {{ "{{" }}',
        '{{ index $labels "app" }} {{ .Labels.app }} {{ $.Labels.app }} {{ with $labels.app }}{{ . }}{{ end }}',
        '{{ $externalURL }} {{ $externalLabels.region }} {{ args 1 2 }} {{ 0x1F }} {{ 1e3 }} {{ len "é" }}',
    ],
)
def test_a_template_that_prometheus_takes_is_left_alone(description: str, tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"alerts": {"CheckoutErrors": {"description": description}}}) == set()


@pytest.mark.parametrize(
    ("description", "rule"),
    [
        ("{{ humanize $valu }}", "alert/template"),
        ("{{ $value | humaniz }}", "alert/template"),
        ("{{ range query `up` }}{{ .Value }}", "alert/template"),
        ("{{ end }}", "alert/template"),
        ("{{ $value }", "alert/template"),
        ("{{ with $labels.pod }}{{ . }}{{ end }}", "alert/lost-label"),
        ('{{ index $labels "pod" }}', "alert/lost-label"),
        ("{{ .Labels.pod }}", "alert/lost-label"),
        ("{{ $x := $labels.pod }}{{ $x }}", "alert/lost-label"),
        ("{{ $labels.severity }}", "alert/lost-label"),
    ],
)
def test_a_template_that_says_nothing_is_seen(description: str, rule: str, tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"alerts": {"CheckoutErrors": {"description": description}}}) == {rule}


@pytest.mark.parametrize(
    "expr",
    [
        "histogram_quantile(0.99, sum by (le, app) (rate(loki_request_duration_seconds_bucket[5m]))) > 1",
        'rate(loki_request_duration_seconds_count{route="loki_api_v1_push"}[5m]) > 1',
        'ALERTS{alertname="X", alertstate="firing", team="ai", anything="x"} > 0',
        "max_over_time(sum by (app) (rate(http_requests_total[2m]))[30m:30s]) > 1",
        'label_replace(up, "zone", "$1", "pod", "(.*)") == 0 and on (zone) count_values("zone", up) > 0',
        'sum by (zone) (label_replace(up, "zone", "$1", "pod", "(.*)")) == 0',
        'sum by (kind) (label_join(up, "kind", "-", "app", "pod")) == 0',
        "go_goroutines > 1000 or process_resident_memory_bytes > 1e9",
        'promtail_custom_log_bytes_total{exported_app="x"} > 0',
        'sum({__name__=~"dlq_.*", queue="orders:create"}) > 1',
        'http_requests_total{tenant="any label of a metric that only the service knows"} > 1',
        'dlq_messages_total{queue=~"orders:.*", reason!="adopted"} > 1',
        'up{namespace="shop", cluster="main"} == 0',
    ],
)  # fmt: skip
def test_a_query_that_can_fire_is_left_alone(expr: str, tmp_path: Path) -> None:
    alert = {"expr": expr, "description": "It is so.", "examples": None}
    assert rules_of(tmp_path, {"alerts": {"CheckoutErrors": alert}}) == {"alert/examples"}


@pytest.mark.parametrize(
    ("expr", "rule"),
    [
        ('rate(loki_request_duration_seconds_bucket{rout="x"}[5m]) > 1', "query/metric-label"),
        ("sum by (ap) (up) == 0", "query/metric-label"),
        ("up == 0 and on (ap) up", "query/metric-label"),
        ("loki_request_duration_seconds > 1", "query/unknown-metric"),
        ('up{namespace="auralink"} == 0', "query/unknown-value"),
        ('dlq_messages_total{reason=~"bda|oops"} > 0', "query/unknown-value"),
        ("irate(up[1m30s]) > 0", "query/rate-window"),
        ("up > bool 0", "alert/always-fires"),
        ("up + on (pod) up", "alert/always-fires"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_do_what_it_looks_like_is_seen(expr: str, rule: str, tmp_path: Path) -> None:
    alert = {"expr": expr, "description": "It is so.", "examples": None}
    assert rules_of(tmp_path, {"alerts": {"CheckoutErrors": alert}}) == {"alert/examples", rule}


@pytest.mark.parametrize(
    "logql",
    [
        'sum by (app) (rate({namespace="shop"} | trace_id!="" | pod="x" [5m]))',
        'sum by (app) (count_over_time({app="checkout"} | json | context_duration_ms > 1000 and __error__="" [5m]))',
        'sum by (app) (count_over_time({app="checkout"} | json d="context.duration_ms" | d > 1000 | __error__="" [5m]))',
        'sum by (app) (sum_over_time({app="checkout"} | json d="context.duration_ms" | unwrap d [5m]))',
        'sum by (app) (count_over_time({app="checkout"} | label_format who=pod | who="x" [5m]))',
        'sum by (app) (count_over_time({app="checkout"} | regexp `(?P<verb>\\w+) /` | verb="GET" [5m]))',
        'sum by (app) (count_over_time({app="checkout"} | pattern `<verb> <_>` | verb="GET" [5m]))',
        'sum by (app, dst) (label_replace(rate({app="checkout"}[5m]), "dst", "$1", "pod", "(.*)"))',
        'sum by (app) (rate({namespace="shop", level=~"ERR.*", level!="fatal"} [5m]))',
    ],
)  # fmt: skip
def test_a_query_of_the_logs_that_can_find_something_is_left_alone(logql: str, tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"alerts": {"ManyErrorLines": {"logql": logql}}}) == set()


def test_what_a_prometheus_of_somebody_else_scrapes_is_not_known(tmp_path: Path) -> None:
    alert = {"examples": None, "expr": 'orders_lost_total{cluster="any"} > 1', "description": "It is so."}
    theirs = {"prometheus": {"deploy": False}, "alerts": {"CheckoutErrors": alert}}
    assert rules_of(tmp_path, theirs) == {"alert/examples"}
    alert["expr"] = "dlq_mesages_total > 1"
    assert rules_of(tmp_path, theirs) == {"alert/examples", "query/unknown-metric"}


def test_tuning_of_a_pack_is_checked_where_it_is_written(tmp_path: Path) -> None:
    profile = "packs:\n  dlq:\n    alerts:\n      DLQSpooling:\n        query: sum by (app) (dlq_spool_mesages)\n"
    problems = checked(tmp_path, base(), profile)
    (problem,) = [problem for problem in problems if problem.rule == "query/unknown-metric"]
    assert {problem.rule for problem in problems} == {"query/unknown-metric", "alert/example-metric"}
    assert (problem.file, problem.line, problem.rule) == ("profiles/test.yaml", 5, "query/unknown-metric")
    assert marked(problem) == "dlq_spool_mesages"


def test_a_name_that_reads_like_a_reference_is_none(tmp_path: Path) -> None:
    patch = {"logging": {"redact": {"password": None, "token": None}, "fields": {"secret": {}}}}
    assert rules_of(tmp_path, patch) == set()


@pytest.mark.parametrize(("day", "late"), [("2027-01-31", False), ("2027-02-01", True)])
def test_a_patch_is_late_from_the_day_after_its_last(
    day: str, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "today", lambda: datetime.date.fromisoformat(day))
    patch = {"patch": {"server": {"log_level": "debug"}}, "reason": "to see more", "until": "2027-01-31"}
    assert ("server/raw-expired" in rules_of(tmp_path, {"loki": {"raw": patch}})) == late


# What Go's strconv.FormatFloat(f, 'g', -1, 64) gives, which writes them.
STORED = {
    "1": "1.0",
    "2.5": "2.5",
    "100000": "100000.0",
    "1000000": "1e+06",
    "1234567": "1.234567e+06",
    "0.00005": "5e-05",
}


@pytest.mark.parametrize(("written", "stored"), STORED.items())
def test_a_bound_is_found_as_prometheus_3_stores_it_and_not_as_it_is_counted(
    written: str, stored: str, tmp_path: Path
) -> None:
    alert = {"examples": None, "description": "It is so."}
    question = 'rate(http_request_duration_seconds_bucket{{le="{}"}}[5m]) > 1'
    for bound, wrong in ((stored, False), (written, written != stored)):
        found = rules_of(tmp_path, {"alerts": {"CheckoutErrors": {**alert, "expr": question.format(bound)}}})
        assert ("query/bucket-bound" in found) == wrong, bound


@pytest.mark.parametrize(
    "metric",
    ["dlq_depth_messages", "http_requests_total", "jobs_total", "shop:jobs:sum", "loki_ingester_memory_streams"],
)
def test_a_metric_is_known_by_who_exports_it(metric: str, tmp_path: Path) -> None:
    """Of the dead-letter libraries, of a service's requests, of its own exports, of a server in `upstream/`; and a made-up one."""
    exports = {"services": {"warehouse": {"metrics": {"exports": {"jobs_total": ["kind"]}}}}}
    alert = {"CheckoutErrors": {"expr": f"{metric} > 1", "examples": None, "description": "It is so."}}
    found = rules_of(tmp_path, {**exports, "alerts": alert})
    assert ("query/unknown-metric" in found) == (metric == "shop:jobs:sum")


@pytest.mark.parametrize(
    ("patch", "metric"),
    [
        ({"loki": {"deploy": False, "url": "http://loki.example.com"}}, "loki_ingester_memory_streams"),
        ({"alertmanager": {"deploy": False, "url": "http://am.example.com"}}, "alertmanager_alerts"),
        ({"dlq": None}, "redis_up"),
        ({}, "loki_write_dropped_bytes_total"),
    ],
)
def test_the_metric_of_a_server_that_is_not_scraped_is_nobodys(
    patch: dict[str, Any], metric: str, tmp_path: Path
) -> None:
    alert = {"CheckoutErrors": {"expr": f"{metric} > 1", "examples": None, "description": "It is so."}}
    assert "query/unknown-metric" in rules_of(tmp_path, {**patch, "alerts": alert})
    theirs = {**patch, "prometheus": {"deploy": False}, "alerts": alert}
    assert "query/unknown-metric" not in rules_of(tmp_path, theirs)
