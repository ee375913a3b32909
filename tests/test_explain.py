"""Every value has a source: who wrote it, what it overrode, or why it is so where nobody wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conftest import FLEETS, Run

MINE = """
services:
  web: {team: all}
dlq:
  redis: {password: {secret: hook}}
  queues:
    rooms:create: {owner: web, max_attempts: 5}
    a.b: {owner: web}
alerts:
  Down: {group: g, expr: up == 0, severity: bad, summary: s, description: d}
packs:
  log-pipeline: {alerts: {LokiDown: {for: 7m}, LogAgentDown: null}}
tests:
  - {alert: {severity: bad}, notifies: [chat]}
loki:
  schema: {"2025-10-01": {store: tsdb, version: v13}}
  retention: {default: 30d}
  raw: {reason: small, patch: {querier: {max_concurrent: 8}}}
"""


@pytest.fixture
def mine(fleet: Path) -> Path:
    """A declaration whose last lines are MINE, and the profiles `one`, `two` and `three`."""
    smallest = (FLEETS / "smallest" / "observability.yaml").read_text(encoding="utf-8")
    rest = {key: value for key, value in yaml.safe_load(smallest).items() if key not in yaml.safe_load(MINE)}
    (fleet / "observability.yaml").write_text(f"{yaml.safe_dump(rest)}{MINE}", encoding="utf-8")
    (fleet / "profiles" / "two.yaml").write_text("loki: {retention: {default: 3d}, storage: 5Gi}\n", encoding="utf-8")
    text = "extends: two\nloki: {retention: {default: 90d}, raw: null}\ndlq: null\n"
    (fleet / "profiles" / "three.yaml").write_text(text, encoding="utf-8")
    return fleet


def place(folder: Path, text: str, after: str) -> str:
    """Where a value stands in the declaration, on the line that holds `text`, directly behind `after`."""
    lines = (folder / "observability.yaml").read_text(encoding="utf-8").split("\n")
    number, line = next((number, line) for number, line in enumerate(lines, 1) if text in line)
    return f"observability.yaml:{number}:{line.index(after) + len(after) + 1}"


def explained(run: Run, path: str, profile: str = "one") -> list[str]:
    ran = run("explain", path, "--profile", profile)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.splitlines()


def test_a_written_value_has_its_place_and_its_meaning(run: Run, mine: Path) -> None:
    assert explained(run, "loki.retention.default") == [
        'loki.retention.default = "30d"',
        f"  written at {place(mine, 'retention:', 'default: ')}",
        "  For every stream without its own; at least 24h, Loki's own minimum.",
    ]


def test_a_value_of_a_profile_tells_what_it_overrides(run: Run, mine: Path) -> None:
    assert explained(run, "loki.retention.default", "two")[:3] == [
        'loki.retention.default = "3d"',
        "  written at profiles/two.yaml:1:29",
        f'  overrides "30d" at {place(mine, "retention:", "default: ")}',
    ]


def test_a_profile_that_extends_another_overrides_both(run: Run, mine: Path) -> None:
    assert explained(run, "loki.retention.default", "three")[:4] == [
        'loki.retention.default = "90d"',
        "  written at profiles/three.yaml:2:29",
        '  overrides "3d" at profiles/two.yaml:1:29',
        f'  overrides "30d" at {place(mine, "retention:", "default: ")}',
    ]


def test_a_value_that_nobody_wrote_is_a_default_with_its_reason(run: Run, mine: Path) -> None:
    shown, default, *_ = explained(run, "loki.storage")
    assert shown == 'loki.storage = "10Gi"'
    assert default.startswith("  default: ")
    assert explained(run, "loki.storage", "two")[1] == "  written at profiles/two.yaml:1:43"


def test_a_value_without_a_default_is_not_set(run: Run, mine: Path) -> None:
    assert explained(run, "urls.grafana")[0] == "urls.grafana is not set"


def test_a_value_that_a_null_deletes_says_where(run: Run, mine: Path) -> None:
    assert explained(run, "loki.raw", "three")[0] == "loki.raw = {}"
    assert "  deleted at profiles/three.yaml:2:40" in explained(run, "loki.raw", "three")
    assert explained(run, "dlq", "three")[:2] == ["dlq is not set", "  deleted at profiles/three.yaml:3:6"]
    assert "  deleted at profiles/three.yaml:3:6" in explained(run, "dlq.max_attempts", "three")


def test_a_key_may_hold_colons_and_dots(run: Run, mine: Path) -> None:
    assert explained(run, "dlq.queues.rooms:create.max_attempts")[:2] == [
        "dlq.queues.rooms:create.max_attempts = 5",
        f"  written at {place(mine, 'rooms:create', 'max_attempts: ')}",
    ]
    assert explained(run, "dlq.queues.a.b.owner")[0] == 'dlq.queues.a.b.owner = "web"'
    assert explained(run, "dlq.queues.a.b.max_attempts")[0] == "dlq.queues.a.b.max_attempts is not set"


def test_an_entry_of_a_list_goes_by_its_number(run: Run, mine: Path) -> None:
    assert explained(run, "tests.0.notifies.0")[0] == 'tests.0.notifies.0 = "chat"'


def test_every_key_of_an_alert_is_known(run: Run, mine: Path) -> None:
    assert explained(run, "alerts.Down.summary")[0] == 'alerts.Down.summary = "s"'
    assert explained(run, "alerts.Down.for")[0] == 'alerts.Down.for = "0s"'
    assert explained(run, "alerts.Down.levels.bad.above")[0] == "alerts.Down.levels.bad.above is not set"


def test_a_channel_has_the_keys_of_its_type_only(run: Run, mine: Path) -> None:
    assert explained(run, "teams.all.channels.chat.send_resolved")[0] == "teams.all.channels.chat.send_resolved = true"
    ran = run("explain", "teams.all.channels.chat.smarthost", "--profile", "one")
    assert (ran.code, ran.out) == (2, "")
    assert "the grammar has no 'smarthost'" in ran.err


def test_a_pack_tells_what_it_ships(run: Run, mine: Path) -> None:
    assert explained(run, "packs.log-pipeline.alerts.LokiDown.severity")[:2] == [
        'packs.log-pipeline.alerts.LokiDown.severity = "critical"',
        "  shipped by the pack 'log-pipeline'",
    ]


def test_what_is_tuned_in_a_pack_overrides_what_it_ships(run: Run, mine: Path) -> None:
    assert explained(run, "packs.log-pipeline.alerts.LokiDown.for")[:3] == [
        'packs.log-pipeline.alerts.LokiDown.for = "7m"',
        f"  written at {place(mine, 'LokiDown', 'for: ')}",
        "  overrides \"5m\", which the pack 'log-pipeline' ships",
    ]
    removed = explained(run, "packs.log-pipeline.alerts.LogAgentDown")
    assert removed[0] == "packs.log-pipeline.alerts.LogAgentDown = null"
    assert removed[2].startswith("  overrides {")


def test_a_patch_has_the_keys_of_its_server(run: Run, mine: Path) -> None:
    assert explained(run, "loki.raw.patch.querier.max_concurrent")[0] == "loki.raw.patch.querier.max_concurrent = 8"
    assert explained(run, "loki.raw.patch.ruler")[0] == "loki.raw.patch.ruler is not set"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("loki.retentoin", "the grammar has no 'retentoin' in 'loki.retentoin' (did you mean 'retention'?)"),
        ("loky.retention", "the grammar has no 'loky' in 'loky.retention' (did you mean 'loki'?)"),
        ("loki.retention.zzz", "the grammar has no 'zzz' in 'loki.retention.zzz' (there are: default, streams)"),
        ("cluster.x", "the grammar has no 'x' in 'cluster.x' (there are: none)"),
        ("", "the grammar has no '' in ''"),
        ("loki.", "the grammar has no '' in 'loki.'"),
    ],
)
def test_a_path_that_the_grammar_lacks_is_refused_with_what_was_meant(
    run: Run, mine: Path, path: str, said: str
) -> None:
    ran = run("explain", path, "--profile", "one")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
