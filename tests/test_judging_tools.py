"""Which program is taken for a judge."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from obsgen.judging import tools

INSTALL = Path(__file__).parents[1] / "tools" / "install"


def program(path: Path, prints: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSGEN_TOOLS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shell = tmp_path / "shell"
    shell.mkdir()
    for name in ("sh", "cat", "env", "sed"):
        (shell / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{shell}")
    tools._engine.cache_clear()


def test_the_newest_of_the_wanted_minor_is_taken_from_the_cache(tmp_path: Path) -> None:
    for version in ("3.7.6", "3.7.10", "3.8.0", "3.7.11-rc.1", "3.7.11-rc.2"):
        program(tmp_path / "cache" / "obsgen" / "bin" / f"loki-{version}")
    found = tools.find("loki", "3.7")
    assert found is not None
    assert (found.version, found.source) == ("3.7.11-rc.2", "cache")


def test_a_release_is_newer_than_its_candidates(tmp_path: Path) -> None:
    for version in ("1.19.0-rc.3", "1.19.0"):
        program(tmp_path / "cache" / "obsgen" / "bin" / f"alloy-{version}")
    found = tools.find("alloy", "1.19")
    assert found is not None
    assert found.version == "1.19.0"


def test_a_program_with_a_longer_name_is_another(tmp_path: Path) -> None:
    program(tmp_path / "cache" / "obsgen" / "bin" / "loki-canary-3.7.6")
    assert tools.find("loki", "3.7") is None


def test_the_own_folder_comes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "cache" / "obsgen" / "bin" / "loki-3.7.6")
    program(tmp_path / "own" / "loki", "loki, version 3.7.5 (branch: , revision: unknown)")
    monkeypatch.setenv("OBSGEN_TOOLS", str(tmp_path / "own"))
    found = tools.find("loki", "3.7")
    assert found is not None
    assert (found.version, found.source) == ("3.7.5", "OBSGEN_TOOLS")


def test_another_minor_on_the_path_is_no_judge(tmp_path: Path) -> None:
    program(tmp_path / "path" / "promtool", "promtool, version 2.42.0 (branch: HEAD)")
    assert tools.find("promtool", "3.13") is None


def test_a_program_on_the_path_that_prints_no_version_is_no_judge(tmp_path: Path) -> None:
    program(tmp_path / "path" / "promtool", "promtool, version  (branch: , revision: unknown), go1.26.8")
    assert tools.find("promtool", "3.13") is None


def test_a_program_on_the_path_that_prints_the_wanted_version_is_one(tmp_path: Path) -> None:
    program(tmp_path / "path" / "kubectl", "Client Version: v1.36.3\nKustomize Version: v5.7.1")
    found = tools.find("kubectl", "1.36")
    assert found is not None
    assert (found.version, found.source) == ("1.36.3", "PATH")


def test_a_wrapped_image_sees_the_folder_the_arguments_and_the_variables(tmp_path: Path) -> None:
    engine = tmp_path / "docker"
    engine.write_text('#!/bin/sh\necho "$@"\n')
    engine.chmod(0o755)
    from obsgen.judging.task import ask

    wrapper = tools._wrapper(str(engine), "grafana/loki:3.7.6", "/usr/bin/loki")
    work = tmp_path / "work"
    work.mkdir()
    said = ask(wrapper, ["-verify-config"], work, variables={"S3_ACCESS_KEY": "x"}).stdout
    assert "--entrypoint /usr/bin/loki" in said
    assert "-e S3_ACCESS_KEY" in said
    assert said.endswith("grafana/loki:3.7.6 -verify-config\n")


def test_the_installer_names_the_judge_that_is_there_when_it_was_asked_for(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "XDG_CACHE_HOME": str(tmp_path)}

    def said(*names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([INSTALL, *names], env=environment, capture_output=True, text=True, check=True)

    pinned = said("--list").stdout.split()
    for name in pinned:
        program(tmp_path / "obsgen/bin" / name)
    amtool = next(name for name in pinned if name.startswith("amtool-"))
    words = f"tools/install: {amtool.replace('-', ' ')} is there: {tmp_path}/obsgen/bin/{amtool}\n"
    assert said("amtool").stderr == words
