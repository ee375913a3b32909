"""Estimates multiply what is declared, and say nothing where they would guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from obsgen import agent
from obsgen.checks.estimates import BYTES_PER_SAMPLE, COMPRESSION, SERIES_PER_TARGET, log_bytes, sample_bytes
from obsgen.road import load
from obsgen.scrape import targets

VOLUME = "objectives: {log_volume: {max: 1GB, per: service}}\n"
BUCKET = "loki: {object_store: {type: s3, bucket: logs, region: eu-west-1, service_account: {annotations: {a: b}}}}\n"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("", 0),
        (VOLUME, 30e9 / COMPRESSION),
        (VOLUME.replace("per: service", "window: 12h"), 60e9 / COMPRESSION),
        (VOLUME + "services: {api: {team: all}}\n", 60e9 / COMPRESSION),
        (VOLUME + "loki: {retention: {default: 3d}}\n", 3e9 / COMPRESSION),
        (VOLUME + BUCKET, 0),
        (VOLUME + "loki: {deploy: false, url: 'http://loki.example.com'}\n", 0),
    ],
)
def test_logs_on_a_volume_are_services_times_days(fleet: Path, profile: str, expected: float) -> None:
    (fleet / "profiles" / "one.yaml").write_text(profile or "{}\n", encoding="utf-8")
    assert log_bytes(load(Path("observability.yaml"), "one").declaration) == pytest.approx(expected)


def test_samples_are_targets_times_intervals(fleet: Path) -> None:
    text = "prometheus: {scrape_interval: 10s, retention: 1d}\nservices: {web: {metrics: {port: 80}}}\n"
    (fleet / "profiles" / "one.yaml").write_text(text, encoding="utf-8")
    d = load(Path("observability.yaml"), "one").declaration
    assert len(targets(d)) == 5  # three servers, the agent, the service
    assert sample_bytes(d) == 5 * SERIES_PER_TARGET * 8640 * BYTES_PER_SAMPLE


def test_of_a_prometheus_of_somebody_else_nothing_is_estimated(fleet: Path) -> None:
    (fleet / "profiles" / "one.yaml").write_text("prometheus: {deploy: false}\n", encoding="utf-8")
    assert sample_bytes(load(Path("observability.yaml"), "one").declaration) == 0


def test_streams_are_services_times_levels_and_those_of_our_own_servers(fleet: Path) -> None:
    def streams(profile: str) -> int:
        (fleet / "profiles" / "one.yaml").write_text(profile, encoding="utf-8")
        return agent.streams(load(Path("observability.yaml"), "one").declaration)

    label = "logging: {levels: [INFO, ERROR], fields: {level: {store: label}}}\n"
    letters = "secrets: {redis: {secret: redis, key: password}}\ndlq: {redis: {password: {secret: redis}}}\n"
    assert streams(label) == 3 + 10  # one service; one level more: UNKNOWN
    assert streams(label + "services: {other: {team: all}}\n") == 2 * 3 + 10
    assert streams(label + letters) == 3 + 10 + 2  # the admin API's
