"""The pack `services` asks of each service what it declares, and what Loki evaluates for it is missed when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from obsgen import road
from obsgen.requests import example

SERVICES = """
services:
  web: {team: all, metrics: {port: 80, requests: {total: http_requests_total, errors: 'code=~"5.."', seconds: http_seconds}}}
  api: {team: all, metrics: {port: 80, requests: {total: http_requests_total, errors: 'code=~"5.."'}}}
  rpc: {team: all, metrics: {port: 80, requests: {total: rpc_calls_total, errors: 'ok!="true"'}}}
  job: {team: all, metrics: {port: 80}}
  cron: {team: all}
severities: {critical: {priority: P0, notify: [chat]}, warning: {priority: P1, notify: [chat]}}
"""


def declared(fleet: Path, text: str, profile: str = "") -> road.Declared:
    lines = (fleet / "observability.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    ours = text.splitlines()
    replaced = {line.partition(":")[0] for line in ours if line[:1].isalpha()}
    kept, keep = [], True
    for line in lines:
        keep = line.partition(":")[0] not in replaced if line[:1].isalpha() else keep
        kept += [line] if keep else []
    (fleet / "observability.yaml").write_text("".join(kept) + text, encoding="utf-8")
    with (fleet / "profiles" / "one.yaml").open("a", encoding="utf-8") as file:
        file.write(profile)
    return road.load(Path("observability.yaml"), "one")


def test_each_service_is_asked_for_what_it_declares_and_no_more(fleet: Path) -> None:
    alerts = declared(fleet, SERVICES + "packs: {services: {}}\n").packs["services"].alerts
    assert alerts["ServiceDown"].expr is not None
    assert 'absent(up{app="job"})' in alerts["ServiceDown"].expr
    assert "cron" not in alerts["ServiceDown"].expr
    assert alerts["ServiceErrorRatioHigh"].query is not None
    assert 'http_requests_total{app=~"api|web", code=~"5.."}' in alerts["ServiceErrorRatioHigh"].query
    assert 'rpc_calls_total{app=~"rpc", ok!="true"}' in alerts["ServiceErrorRatioHigh"].query
    assert alerts["ServiceLatencyHigh"].query is not None
    assert 'http_seconds_bucket{app=~"web"}' in alerts["ServiceLatencyHigh"].query
    assert alerts["ServiceErrorLogs"].logql is not None
    assert 'app=~"api|cron|job|rpc|web"' in alerts["ServiceErrorLogs"].logql


def test_services_without_metrics_are_asked_of_their_logs_alone(fleet: Path) -> None:
    severities = "severities: {warning: {priority: P1, notify: [chat]}}\n"
    assert list(declared(fleet, severities + "packs: {services: {}}\n").packs["services"].alerts) == [
        "ServiceErrorLogs"
    ]


def test_error_lines_are_counted_only_by_a_label(fleet: Path) -> None:
    line = "logging: {fields: {level: {required: true, store: metadata}}}\n"
    assert declared(fleet, line + "packs: {services: {}}\n").packs["services"].alerts == {}


PACKS = "packs: {log-pipeline: {}, services: {}}\n"


@pytest.mark.parametrize(
    ("profile", "rules"),
    [
        ("", 1),
        ("packs: {services: {alerts: {ServiceErrorLogs: {levels: {critical: {above: 9}}}}}}\n", 2),
        ("packs: {services: {alerts: {ServiceErrorLogs: null}}}\n", 0),
        ("packs: {services: null}\n", 0),
    ],
)
def test_rules_that_a_pack_gives_to_loki_are_missed_as_many_as_are_left(fleet: Path, profile: str, rules: int) -> None:
    alerts = declared(fleet, SERVICES + PACKS, profile).packs["log-pipeline"].alerts
    missing = alerts.get("LokiRulesMissing")
    assert (missing.levels["critical"].below if missing else 0) == rules


OWN = """
alerts:
  ServiceErrorLogs:
    group: logs
    logql: sum by (app) (rate({namespace="tiny", level="ERROR"}[5m])) > 1
    severity: warning
    summary: Errors.
    description: Errors.
"""


def test_an_alert_of_the_declaration_takes_the_place_of_the_packs_and_is_counted_once(fleet: Path) -> None:
    found = declared(fleet, SERVICES + OWN + PACKS)
    assert "ServiceErrorLogs" not in found.packs["services"].alerts
    assert found.packs["log-pipeline"].alerts["LokiRulesMissing"].levels["critical"].below == 1


@pytest.mark.parametrize(
    ("matchers", "failed", "passed"),
    [
        ('code=~"5.."', 'code="500"', 'code="404"'),
        ('code!~"2..|404"', 'code="500"', 'code="404"'),
        ('outcome="broken"', 'outcome="broken"', 'outcome="500"'),
        ('ok!="true"', 'ok="500"', 'ok="true"'),
        ('code=~"4..|5..", code!="404"', 'code="500"', 'code="404"'),
        ('code="500", path!="/ping"', 'code="500",path="500"', 'code="503",path="500"'),
    ],
)
def test_the_example_of_a_failed_request_is_one_that_the_matchers_pick(matchers: str, failed: str, passed: str) -> None:
    assert example(matchers) == {"failed": failed, "passed": passed}


@pytest.mark.parametrize("matchers", ['code=~"[xyz]{40}"', 'code=~"("', 'code="', 'code=~".*"'])
def test_where_no_typical_value_is_picked_there_is_no_example(matchers: str) -> None:
    assert example(matchers) is None
