"""What the project believes about the servers is complete, well formed, and says what the alerts rely on."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from obsgen import upstream
from obsgen.assets import UPSTREAM
from obsgen.model import Versions

TARGET = {"cluster", "namespace", "app", "pod", "container", "instance", "job"}
SECTIONS = {
    "versions.yaml": {"versions"},
    "options.yaml": {"removed", "deprecated", "added", "flipped"},
    "metrics.yaml": {"provoked", "ways", "metrics", "series"},
    "dashboards.yaml": {"schema_version", "panels", "replaced"},
}
SERVERS = sorted(path.parent.name for path in UPSTREAM.glob("*/versions.yaml"))
FILES = sorted(UPSTREAM.glob("*/*"))

# Every series that an alert, a recording rule or a panel of a pack reads, with the labels that it groups or selects by.
ALERTED = {
    "ALERTS": {"alertname", "alertstate", "severity", "service", "team"},
    "alertmanager_alerts_received_total": {"status"},
    "alertmanager_config_last_reload_successful": set(),
    "alertmanager_notification_latency_seconds_bucket": {"integration", "le"},
    "alertmanager_notification_requests_failed_total": {"integration"},
    "alertmanager_notifications_failed_total": {"integration", "reason"},
    "alertmanager_notifications_suppressed_total": {"reason"},
    "alertmanager_notifications_total": {"integration"},
    "alertmanager_silences": {"state"},
    "dlq_add_failures_total": set(),
    "dlq_depth_messages": {"queue"},
    "dlq_durability_ok": set(),
    "dlq_messages_total": {"queue", "reason"},
    "dlq_oldest_message_timestamp_seconds": {"queue"},
    "dlq_processing_errors_total": {"queue", "op"},
    "dlq_removed_messages_total": {"queue", "reason"},
    "dlq_replayed_messages_total": {"queue", "outcome"},
    "dlq_spool_messages": set(),
    "loki_canary_missing_entries_total": set(),
    "loki_canary_response_latency_seconds_bucket": {"le"},
    "loki_compactor_apply_retention_last_successful_run_timestamp_seconds": set(),
    "loki_compactor_apply_retention_operation_total": {"status"},
    "loki_discarded_samples_total": {"tenant", "reason"},
    "loki_distributor_bytes_received_total": {"tenant", "retention_hours"},
    "loki_distributor_lag_ms_total": {"userAgent"},
    "loki_ingester_chunks_flush_failures_total": set(),
    "loki_ingester_chunks_flush_requests_total": set(),
    "loki_ingester_memory_streams": {"tenant"},
    "loki_logql_querystats_latency_seconds_bucket": {"type", "range", "le"},
    "loki_logql_querystats_latency_seconds_count": {"type", "range"},
    "loki_process_custom_log_bytes_total": {"exported_app", "exported_namespace"},
    "loki_prometheus_notifications_alertmanagers_discovered": {"user"},
    "loki_prometheus_notifications_dropped_total": {"user"},
    "loki_prometheus_rule_group_rules": set(),
    "loki_request_duration_seconds_count": {"method", "route"},
    "loki_source_file_file_bytes_total": {"path"},
    "loki_source_file_read_bytes_total": {"path"},
    "loki_write_dropped_entries_total": {"reason"},
    "loki_write_entry_propagation_latency_seconds_bucket": {"le"},
    "prometheus_config_last_reload_successful": set(),
    "prometheus_notifications_dropped_total": {"alertmanager"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "prometheus_rule_group_iterations_missed_total": {"rule_group"},
    "promtail_custom_log_bytes_total": {"exported_app", "exported_namespace"},
    "promtail_docker_target_entries_total": set(),
    "promtail_dropped_entries_total": {"reason"},
    "promtail_file_bytes_total": {"path"},
    "promtail_read_bytes_total": {"path"},
    "promtail_request_duration_seconds_count": {"status_code"},
    "promtail_targets_active_total": set(),
    "promtail_targets_failed_total": {"reason"},
    "redis_aof_enabled": set(),
    "redis_instance_info": {"maxmemory_policy"},
    "redis_key_size": {"db", "key"},
    "redis_memory_max_bytes": set(),
    "redis_memory_used_bytes": set(),
    "redis_up": set(),
    "scrape_samples_scraped": set(),
    "up": set(),
}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_holds_only_the_sections_of_its_kind(path: Path) -> None:
    assert set(_yaml(path)) <= SECTIONS[path.name]


@pytest.mark.parametrize("path", sorted(UPSTREAM.glob("*/options.yaml")), ids=lambda path: path.parent.name)
def test_every_option_has_what_its_section_needs(path: Path) -> None:
    needs = {
        "removed": {"key", "since", "instead"},
        "deprecated": {"key", "instead"},
        "added": {"key", "since"},
        "flipped": {"key", "since", "was", "now"},
    }
    for section, rows in _yaml(path).items():
        for row in rows:
            assert needs[section] <= set(row) <= needs[section] | {"since"}
            assert all(isinstance(value, str) for value in row.values())
            assert upstream.number(row.get("since", "0")) >= (0,)


@pytest.mark.parametrize("server", SERVERS)
def test_every_version_lies_between_the_oldest_and_the_newest_of_its_row(server: str) -> None:
    for name in upstream.versions(server):
        row = upstream.version(server, name)
        assert row is not None
        exact = [upstream.number(v) for v in (row.oldest, row.tested, row.newest) if v]
        assert exact == sorted(exact)
        assert {v[:2] for v in exact} == {upstream.number(name)}


@pytest.mark.parametrize("server", Versions.__struct_fields__)
def test_every_default_version_is_known_with_an_image_of_that_version(server: str) -> None:
    target = getattr(Versions(), server)
    row = upstream.version(server, target)
    assert row is not None
    assert upstream.number(row.image.rpartition(":")[2].removeprefix("v"))[:2] == upstream.number(target)


def test_a_version_that_nobody_wrote_down_is_none() -> None:
    assert upstream.version("loki", "2.9") is None
    assert upstream.version("no-such-server", "1.0") is None


def test_versions_are_sorted_as_numbers() -> None:
    assert upstream.versions("prometheus").index("3.5") < upstream.versions("prometheus").index("3.13")


def test_every_promtail_has_reached_its_end_and_says_what_to_write() -> None:
    ends = [row.end_of_life for row in (upstream.version("promtail", v) for v in upstream.versions("promtail")) if row]
    assert [(end.date, end.change) for end in ends if end] == [("2026-03-02", "logging.agent.type: alloy")] * len(ends)


def test_the_reloader_beside_alertmanager_has_an_image() -> None:
    row = upstream.version("prometheus-config-reloader", upstream.versions("prometheus-config-reloader")[-1])
    assert row is not None and "prometheus-config-reloader:v" in row.image


def test_every_removed_key_says_what_to_write_instead() -> None:
    nothing = [(s, o.key) for s in SERVERS for o in upstream.removed(s, "9999.0") if not o.instead]
    assert nothing == []


def test_a_key_counts_as_removed_from_its_version_on() -> None:
    old = {option.key for option in upstream.removed("loki", "3.7")}
    new = {option.key for option in upstream.removed("loki", "4.0")}
    assert "storage_config.boltdb_shipper.shared_store" in old
    assert "table_manager" in new - old


def test_no_option_is_said_twice_and_none_was_both_removed_and_added() -> None:
    for server in SERVERS:
        removed = [option.key for option in upstream.removed(server, "9999.0")]
        added = [option.key for option in upstream.added(server)]
        assert len({*removed, *added}) == len(removed) + len(added)


def test_the_options_that_the_templates_choose_by_version_are_known() -> None:
    added = {option.key: option.since for option in upstream.added("alertmanager")}
    assert added["receivers[].webhook_configs[].url_file"] == "0.26"
    assert added["receivers[].pagerduty_configs[].routing_key_file"] == "0.25"
    assert {o.key: o.since for o in upstream.added("prometheus")}["groups[].rules[].keep_firing_for"] == "2.42"
    flips = {(o.key, o.since): (o.was, o.now) for o in upstream.flipped("loki")}
    assert flips["storage_config.use_thanos_objstore", "4.0"] == ("false", "true")


@pytest.mark.parametrize("path", sorted(UPSTREAM.glob("*/metrics.yaml")), ids=lambda path: path.parent.name)
def test_metrics_are_sorted_and_each_says_how_it_appeared(path: Path) -> None:
    data = _yaml(path)
    for section in (data["metrics"], data.get("series", {})):
        assert list(section) == sorted(section)
        assert all(row["labels"] == sorted(row["labels"]) for row in section.values())
    assert all(metric.provoked for metric in upstream.metrics(path.parent.name).values())


def test_no_metric_claims_a_label_of_the_target_as_its_own() -> None:
    assert {name: set(m.labels) & TARGET for name, m in upstream.all_metrics().items() if set(m.labels) & TARGET} == {}


def test_no_two_servers_export_the_same_series() -> None:
    names = [n for path in UPSTREAM.glob("*/metrics.yaml") for n in upstream.metrics(path.parent.name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "labels"), ALERTED.items(), ids=list(ALERTED))
def test_every_series_that_an_alert_reads_is_known_with_the_labels_it_reads(name: str, labels: set[str]) -> None:
    assert labels <= set(upstream.all_metrics()[name].labels)


def test_a_metric_that_people_expect_and_nobody_exports_is_not_there() -> None:
    assert {"redis_list_length", "promtail_stream_lag_seconds", "dlq_messages"}.isdisjoint(upstream.all_metrics())


def test_a_histogram_is_asked_for_by_its_parts_and_a_summary_by_its_quantiles() -> None:
    series = upstream.all_metrics()
    assert "loki_request_duration_seconds" not in series
    assert "le" not in series["loki_request_duration_seconds_count"].labels
    assert "quantile" in series["prometheus_engine_query_duration_seconds"].labels


def test_closed_values_are_those_of_a_label_that_the_metric_has() -> None:
    closed = {name: metric for name, metric in upstream.metrics("dlq").items() if metric.values}
    assert closed["dlq_messages_total"].values["reason"] == ("exhausted", "rejected", "adopted", "bad")
    assert all(set(metric.values) <= set(metric.labels) for metric in closed.values())


def test_records_are_read_once_and_can_not_be_changed() -> None:
    assert upstream.metrics("loki") is upstream.metrics("loki")
    with pytest.raises(AttributeError):
        upstream.metrics("dlq")["dlq_depth_messages"].type = "counter"  # type: ignore[misc]
    with pytest.raises(TypeError):
        upstream.all_metrics()["x"] = upstream.metrics("dlq")["dlq_depth_messages"]  # type: ignore[index]


def test_asking_for_a_version_reads_no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream._file.cache_clear()
    upstream._versions.cache_clear()
    asked: list[str] = []
    read = Path.read_text

    def noted(path: Path, encoding: str) -> str:
        asked.append(path.name)
        return read(path, encoding)

    monkeypatch.setattr(Path, "read_text", noted)
    assert upstream.version("loki", "3.7") is not None
    assert asked == ["versions.yaml"]
