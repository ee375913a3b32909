"""What the live tests put in the place of images and of the services outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from live import images, sinks
from obsgen.judging import tools


def program(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_program_of_another_minor_version_stands_for_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSGEN_TOOLS", str(tmp_path))
    monkeypatch.setattr(tools, "_engine", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    newer, same = program(tmp_path, "redis_exporter-99.1.0"), program(tmp_path, "redis_exporter-1.86.7")
    stands = images.image("docker.io/oliver006/redis_exporter:v1.86.0").files()
    assert stands == {"/redis_exporter": same} and newer.exists()
    with pytest.raises(LookupError, match=r"redis_exporter 1\.85 is not here"):
        images.image("docker.io/oliver006/redis_exporter:v1.85.0").files()


@pytest.mark.parametrize(("key", "status"), [({"dedup_key": "a"}, 202), ({}, 400)], ids=["its incident", "none"])
def test_an_end_must_name_the_incident_that_it_ends(key: dict[str, str], status: int) -> None:
    event = {"routing_key": "of-a-service", "event_action": "resolve", **key}
    assert sinks._answer("pagerduty", "/v2/enqueue", json.dumps(event).encode())[0] == status
