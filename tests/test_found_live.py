"""What only running servers have shown of what we render and write (docs/live.md, "What it has found"), kept from coming back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from obsgen.road import Declared
from test_agents import ROOT, alloy, each, promtail
from test_loki_modes import config, each_mode

QUARTER_OF_AN_HOUR = 15 * 60


@each
def test_promtail_tries_every_ten_seconds_for_a_quarter_of_an_hour(declared: Declared) -> None:
    """Promtail (3.6) by default pauses for up to 5 minutes and gives a batch up after 8: after a restart of Loki lines came late, after one
    that took long not at all."""
    (client,) = promtail(declared)["clients"]
    backoff = client["backoff_config"]
    assert backoff["max_period"] == "10s"
    assert backoff["max_retries"] * 10 >= QUARTER_OF_AN_HOUR


@each
def test_alloy_tries_every_ten_seconds_for_a_quarter_of_an_hour(declared: Declared) -> None:
    """Alloy (1.19) has Promtail's defaults, and lost lines in the same way."""
    endpoint = alloy(declared).one("loki.write").one("endpoint").attributes
    assert endpoint["max_backoff_period"] == "10s"
    assert int(endpoint["max_backoff_retries"]) * 10 >= QUARTER_OF_AN_HOUR


@each_mode
def test_loki_splits_no_stream(mode: str) -> None:
    """Loki (3.7) by default splits a stream of more than 1.5 MB a second, by a label that nobody declared: `__stream_shard__`."""
    assert config(mode)["limits_config"]["shard_streams"] == {"enabled": False}


@each_mode
def test_a_line_that_loki_cuts_says_so(mode: str) -> None:
    """Loki (3.7) cuts a line over `max_line_size`, and by default nothing in it says so."""
    limits = config(mode)["limits_config"]
    assert limits["max_line_size_truncate"] is True
    assert limits["max_line_size_truncate_identifier"] == "[cut: max_line_size]"


def test_a_move_to_alloy_waits_until_promtail_is_gone() -> None:
    """kubectl (1.36) returns while the Pods of a deleted DaemonSet are still ending: an Alloy that started then shipped the lines of the
    last seconds twice."""
    page = (ROOT / "docs" / "how-to" / "move-to-alloy.md").read_text(encoding="utf-8")
    gone = page.index("kubectl -n NAMESPACE delete daemonset promtail --cascade=foreground`")
    assert gone < page.index("Apply the new tree.")


COMPOSE = (ROOT / "rendered/local", ROOT / "tests/fleets/everything/rendered/compose")  # with Alloy, with Promtail
OF_FILES = re.compile(r"\b(?:promtail_(?:file|read)_\w+|promtail_targets_active_total|loki_source_file_\w+)")


@pytest.mark.parametrize("tree", COMPOSE, ids=["alloy", "promtail"])
def test_a_tree_of_docker_asks_nothing_of_files_alone(tree: Path) -> None:
    """Of Docker's logs neither agent exports what it does of files (Promtail 3.6, Alloy 1.19): two panels were empty for ever, and with
    Promtail `LogAgentBacklog` never spoke."""
    asked = [
        f"{path.name}: {line.strip()}"
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not path.stem.endswith("_test")
        for line in path.read_text(encoding="utf-8").splitlines()
        if OF_FILES.search(line) and "docker_target_entries_total" not in line
    ]
    assert asked == []
