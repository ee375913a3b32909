"""A new type of channel is the two-file diff that docs/how-to/add-a-channel.md shows: applied to a copy, and read by amtool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import FLEETS, judge

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "add-a-channel.md"
SHIPPED = ("generator", "templates", "schemas", "upstream", "packs", "libs")


def shown() -> str:
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(diff)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of obsgen with the diff applied and the profile's schema made anew, and a fleet beside it that uses the channel."""
    folder = tmp_path_factory.mktemp("clone")
    for name in SHIPPED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "--verbose", "-"], cwd=folder, input=shown(), text=True, check=True)
    obsgen(folder, "-m", "obsgen.schema_profile")
    shutil.copytree(FLEETS / "smallest", folder / "fleet", ignore=shutil.ignore_patterns("rendered"))
    (folder / "fleet" / "profiles" / "one.yaml").write_text(
        "secrets: {discord: {secret: alertmanager-secrets, key: discord}}\n"
        "teams: {all: {channels: {chat: null, talk: {type: discord, webhook: {secret: discord}}}}}\n"
        "severities: {bad: {notify: [talk]}}\n"
        "routing: {unrouted: [talk]}\n",
        encoding="utf-8",
    )
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the copy's package."""
    env = os.environ | {"PYTHONPATH": str(folder / "generator")}
    return subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True)


def obsgen(folder: Path, *words: str) -> str:
    """What it prints; the test fails with what it says if it ends badly."""
    ran = run(folder, *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_diff_touches_two_files() -> None:
    assert re.findall(r"^\+\+\+ b/(.+)$", shown(), re.MULTILINE) == [
        "schemas/observability.schema.json",
        "templates/alertmanager/receivers/discord.yaml.j2",
    ]


RENDER = "-m", "obsgen", "render", "--config", "fleet/observability.yaml", "--profile", "one"


def rendered(clone: Path) -> str:
    obsgen(clone, *RENDER)
    manifest = next(yaml.safe_load_all((clone / "fleet/rendered/one/monitoring/alertmanager.yaml").read_text("utf-8")))
    return str(manifest["data"]["alertmanager.yaml"])


def test_a_channel_of_the_new_type_is_checked_and_rendered(clone: Path) -> None:
    config = yaml.safe_load(rendered(clone))
    bad = next(receiver for receiver in config["receivers"] if receiver["name"] == "bad")
    assert [one["webhook_url_file"] for one in bad["discord_configs"]] == ["/etc/alertmanager/secrets/discord"]
    assert "discord" in (clone / "fleet/rendered/one/SECRETS.md").read_text("utf-8")


def test_a_template_that_writes_a_secret_itself_is_refused_with_its_line(clone: Path) -> None:
    template = clone / "templates/alertmanager/receivers/discord.yaml.j2"
    written = template.read_text(encoding="utf-8")
    template.write_text(written.replace(" | secret_file", ""), encoding="utf-8")
    try:
        ran = run(clone, *RENDER)
    finally:
        template.write_text(written, encoding="utf-8")
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[:-1] == [
        "templates/alertmanager/receivers/discord.yaml.j2:3:1: a secret stands here, of which only the file is written "
        "(write | secret_file | yaml) [template/render]"
    ]


def test_amtool_reads_the_new_receiver(clone: Path) -> None:
    amtool = judge("amtool", "0.34", "whether Alertmanager reads the new receiver was not asked")
    file = clone / "alertmanager.yaml"
    file.write_text(rendered(clone), encoding="utf-8")
    ran = subprocess.run([amtool, "check-config", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
