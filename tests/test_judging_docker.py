"""An agent's start on one machine: what its judge accepts, and that it refuses what no reading of the configuration shows.

Promtail and Alloy come from no registry: without them these tests skip, and the kept verdicts stand alone.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from conftest import FLEETS, judge
from obsgen.judging import dockerd, dockerrun, inpod
from obsgen.judging.task import Outcome, Text
from obsgen.road import load, texts

ROOT = Path(__file__).parents[1]
AGENTS = {
    "alloy": (load(ROOT / "observability.yaml", "local"), "agent/config.alloy", "1.19"),
    "promtail": (load(FLEETS / "everything" / "observability.yaml", "compose"), "agent/promtail.yaml", "3.6"),
}


def started(agent: str, work: Path, wrong: tuple[str, str] = ("", "")) -> Outcome:
    declared, path, version = AGENTS[agent]
    program = judge(agent, version, "it was not started")
    files = texts(declared)
    assert wrong[0] in files[path]
    config = Text(path, files[path].replace(*wrong) if wrong[0] else files[path])
    return dockerrun.task(agent, config, Text("compose.yaml", files["compose.yaml"]), declared.plan).run(program, work)


@pytest.mark.parametrize("agent", AGENTS)
def test_the_rendered_configuration_ships_each_line_once_with_the_declared_labels(agent: str, tmp_path: Path) -> None:
    assert started(agent, tmp_path) == Outcome(True)


@pytest.mark.parametrize(
    ("agent", "wrong", "said"),
    [
        ("alloy", ('regex         = "false"', 'regex         = "never"'), "lines of shop-silent-1 are shipped"),
        ("alloy", ('name   = "network"', 'name   = "label"'), "lines of other-checkout-1 are shipped"),
        ("alloy", ('target_label  = "stream"', 'target_label  = "strim"'), '"stream": "stdout"'),
        ("promtail", ('action: drop, regex: "false"', 'action: drop, regex: "never"'), "lines of shop-silent-1 are"),
        ("promtail", ("filters: [{name: network", "filters: [{name: label"), "lines of other-checkout-1 are shipped"),
        ("promtail", ("target_label: stream", "target_label: strim"), '"stream": "stdout"'),
    ],
)
def test_what_it_gets_wrong_is_told(
    agent: str, wrong: tuple[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpod, "PATIENCE", 15)
    outcome = started(agent, tmp_path, wrong)
    assert not outcome.accepted
    assert said in outcome.message


def test_a_long_line_is_told_in_frames_of_which_each_has_the_time_of_the_line() -> None:
    line = "é" * 20_000
    frames = list(dockerd.frames(dockerd.MadeUp("one", ["net"], [("stdout", "short"), ("stderr", line)]).written(0)))
    heads = [struct.unpack(">BxxxI", frame[:8]) for frame in frames]
    assert [stream for stream, _ in heads] == [1, 2, 2, 2]
    assert all(length == len(frame) - 8 for (_, length), frame in zip(heads, frames, strict=True))
    times, parts = zip(*(frame[8:].split(b" ", 1) for frame in frames), strict=True)
    assert len(set(times[1:])) == 1
    assert b"".join(parts[1:]).decode() == f"{line}\n"
