"""Each page of docs/checks/logs is a test: its lines trip the rule with the words it shows, their twins don't, and `--max` lets them be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Ran, Run
from obsgen.conformance.rules import RULES

PAGES = Path(__file__).parents[1] / "docs" / "checks" / "logs"
BASE = Path(__file__).parent / "checks" / "base.yaml"
LONG = "lorem ipsum " * 1400


class Lines(NamedTuple):
    """Lines, or with `run` a command that writes them; the options that the page names beside; the message under them."""

    text: str
    run: bool
    options: Sequence[str]
    message: str


class Page(NamedTuple):
    """What a page shows."""

    severity: str
    allowed: str
    trips: list[Lines]
    twins: list[Lines]
    allow: list[str]


def page(id: str) -> Page:
    text = (PAGES.parent / f"{id}.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert list(parts) == ["Trips", "Does not trip", "Allow"], f"{id}: other headings"
    head = re.match(rf"# {id}\n\nSeverity: (\w+)\. Allowed: (.+)\.\n\n\S[^#]+## Trips\n", text)
    assert head, f"{id}: a page begins with its name, its severity, what is allowed, and why one would care"
    trips, twins = blocks(parts["Trips"]), blocks(parts["Does not trip"])
    assert trips and twins and all(one.message for one in trips) and not any(one.message for one in twins)
    allow = re.fullmatch(r"\n`([^`]+)`(?:: .+)?\n", parts["Allow"])
    assert allow, f"{id}: Allow is one option"
    return Page(head[1], head[2], trips, twins, shlex.split(allow[1]))


def blocks(part: str) -> list[Lines]:
    """Fences `log` or `sh`, with options in a comment before and the message in a `text` fence after."""
    found: list[Lines] = []
    for options, language, body in re.findall(r"(?:<!-- (.+?) -->\n)?```(\w+)\n(.*?)\n```", part, re.DOTALL):
        if language == "text":
            found[-1] = found[-1]._replace(message=body)
        else:
            found.append(Lines(f"{body}\n".replace("LONG", LONG), language == "sh", shlex.split(options), ""))
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The base of the pages in a folder of its own, which is the working folder."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "test.yaml").write_text("{}\n", encoding="utf-8")
    (tmp_path / "observability.yaml").write_text(BASE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(run: Run, shop: Path, lines: Lines, *more: str) -> Ran:
    if lines.run:
        return run("logs", "check", "--profile", "test", "--run", lines.text, *lines.options, *more)
    (shop / "app.log").write_text(lines.text, encoding="utf-8")
    return run("logs", "check", "--profile", "test", "app.log", *lines.options, *more)


def told(said: Ran, id: str) -> list[str]:
    return [line for line in said.out.splitlines() if line.endswith(f"[{id}]")]


IDS = {rule.id: rule for rule in RULES}


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {f"logs/{path.stem}" for path in PAGES.glob("*.md")} == set(IDS)


@pytest.mark.parametrize("id", IDS)
def test_a_page_tells_what_its_lines_lead_to(id: str, run: Run, shop: Path) -> None:
    shown = page(id)
    assert shown.severity == IDS[id].severity
    for lines in shown.trips:
        said = ran(run, shop, lines)
        assert told(said, id) == lines.message.splitlines(), said.out
        assert said.code == 1 or shown.severity == "warning"
        assert ran(run, shop, lines, "--strict").code == 1


@pytest.mark.parametrize("id", IDS)
def test_the_twins_of_a_page_trip_no_rule_at_all(id: str, run: Run, shop: Path) -> None:
    for lines in page(id).twins:
        said = ran(run, shop, lines, "--strict")
        assert (said.code, [line for line in said.out.splitlines() if "[logs/" in line]) == (0, []), said.out


@pytest.mark.parametrize("id", IDS)
def test_what_a_page_allows_is_no_problem_and_still_counted(id: str, run: Run, shop: Path) -> None:
    shown = page(id)
    lines = shown.trips[0]
    if not lines.run:  # a share is one of many
        lines = lines._replace(text=lines.text + shown.twins[0].text * 2000)
    said = ran(run, shop, lines, *shown.allow)
    assert told(said, id) == []
    assert re.search(rf"^  {id} ", said.out, re.MULTILINE), said.out
