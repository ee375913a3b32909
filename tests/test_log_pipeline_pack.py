"""What the log pipeline's alerts see of Loki, and where there is none of ours to see."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import judge
from obsgen.road import load, texts

ROOT = Path(__file__).parents[1]


def must_pass(folder: Path, profile: str, test: str) -> None:
    """A test of promtool, of the rendered rules of a profile that its `rule_files` names."""
    promtool = judge("promtool", "3.13", "whether the log pipeline's alerts fire on made-up series was not asked")
    name = yaml.safe_load(test)["rule_files"][0]
    rules = texts(load(ROOT / "observability.yaml", profile))[f"monitoring/rules/{name}"]
    (folder / name).write_text(rules, encoding="utf-8")
    (folder / "test.yaml").write_text(test, encoding="utf-8")
    ran = subprocess.run([promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


BURST = """
rule_files: [log-pipeline-loki.yaml]
evaluation_interval: 30s
tests:
  - interval: 1m
    input_series:
      - {series: 'loki_discarded_samples_total{app="loki",pod="loki-0",tenant="fake",reason="stream_limit"}', values: "_x40 700x60"}
      - {series: 'up{app="loki",pod="loki-0"}', values: "FROMx100"}
      - {series: 'loki_distributor_replication_factor{app="loki",pod="loki-0"}', values: "1x100"}
    promql_expr_test:
      - expr: count(ALERTS{alertname="LokiDiscardingLogs", alertstate="firing"}) or vector(0)
        eval_time: 54m
        exp_samples: [{labels: "{}", value: FIRES}]
      - expr: count(ALERTS{alertname="LokiDiscardingLogs"}) or vector(0)
        eval_time: 75m
        exp_samples: [{labels: "{}", value: 0}]
"""


@pytest.mark.parametrize(("up", "fires"), [("1", 1), ("_x40 1", 0)], ids=["while it ran", "as it is first scraped"])
def test_a_single_burst_of_refusals_is_told_though_its_counter_begins_with_it(
    up: str, fires: int, tmp_path: Path
) -> None:
    """`rate` of a counter born at 700 is 0; a Loki that Prometheus has not seen before may have refused them long ago."""
    must_pass(tmp_path, "prod", BURST.replace("FROM", up).replace("FIRES", str(fires)))


GIVEN_UP = """
rule_files: [log-pipeline-agent.yaml]
evaluation_interval: 30s
tests:
  - interval: 1m
    input_series:
      - {series: 'METRIC{app="AGENT",pod="a",host="loki:3100",reason="ingester_error",tenant=""}', values: "0x16 100x32"}
    promql_expr_test:
      - expr: count(ALERTS{alertname="LogAgentDroppingLogs", alertstate="firing"}) or vector(0)
        eval_time: 29m
        exp_samples: [{labels: "{}", value: 1}]
      - expr: count(ALERTS{alertname="LogAgentDroppingLogs"}) or vector(0)
        eval_time: 40m
        exp_samples: [{labels: "{}", value: 0}]
"""


@pytest.mark.parametrize(
    ("profile", "agent", "metric"),
    [
        ("prod", "promtail", "promtail_dropped_entries_total"),
        ("staging", "alloy", "loki_write_dropped_entries_total"),
    ],
)
def test_a_single_batch_that_an_agent_gives_up_is_told(profile: str, agent: str, metric: str, tmp_path: Path) -> None:
    """An agent that does not reach Loki gives up one in a quarter of an hour, after 100 tries."""
    must_pass(tmp_path, profile, GIVEN_UP.replace("METRIC", metric).replace("AGENT", agent))


WAIT = """
rule_files: [log-pipeline-agent.yaml]
evaluation_interval: 30s
tests:
  - interval: 1m
    input_series:
      - {series: 'loki_write_entry_propagation_latency_seconds_bucket{app="alloy",pod="a",le="30"}', values: "0x40"}
      - {series: 'loki_write_entry_propagation_latency_seconds_bucket{app="alloy",pod="a",le="60"}', values: "LINES"}
      - {series: 'loki_write_entry_propagation_latency_seconds_bucket{app="alloy",pod="a",le="+Inf"}', values: "LINES"}
      - {series: 'loki_write_batch_retries_total{app="alloy",pod="a"}', values: "RETRIES"}
    promql_expr_test:
      - expr: count(ALERTS{alertname="LogAgentBacklog", alertstate="firing"}) or vector(0)
        eval_time: 30m
        exp_samples: [{labels: "{}", value: FIRES}]
"""


@pytest.mark.parametrize(
    ("lines", "retries", "fires"),
    [("0+60x40", "0x40", 1), ("0x40", "0+6x40", 1), ("0x40", "0x40", 0)],
    ids=["they wait for up to a minute", "none leaves", "there are none"],
)
def test_lines_that_wait_in_an_alloy_are_told_whether_they_leave_late_or_not_at_all(
    lines: str, retries: str, fires: int, tmp_path: Path
) -> None:
    test = WAIT.replace("LINES", lines).replace("RETRIES", retries).replace("FIRES", str(fires))
    must_pass(tmp_path, "staging", test)


THEIRS = "loki: {deploy: false, url: 'https://loki.example.com'}\npacks: {log-pipeline: {}}\nobjectives: {log_latency: {max: 5s}}\n"


def test_a_loki_that_our_prometheus_does_not_scrape_is_asked_nothing(fleet: Path) -> None:
    """`absent(up{app="loki"})` would fire for ever, and the rest never."""
    profile = fleet / "profiles" / "one.yaml"
    profile.write_text(THEIRS, encoding="utf-8")
    pack = load(Path("observability.yaml"), "one").packs["log-pipeline"]
    assert [name for name in (*pack.alerts, *pack.records) if "oki" in name or "Search" in name or "Lag" in name] == []
    assert "LogAgentDown" in pack.alerts
    profile.write_text(THEIRS + "prometheus: {deploy: false}\n", encoding="utf-8")
    assert "LokiFlushFailing" in load(Path("observability.yaml"), "one").packs["log-pipeline"].alerts
