"""Each page of docs/checks is a test: what it shows trips the check with the words it shows, and its twin does not."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from declaring import BASE, commit, declared, dumped, inside
from obsgen import overlay
from obsgen.checks import CHECKS, check
from obsgen.checks.__main__ import index
from obsgen.checks.ignore import QUESTIONS
from obsgen.problem import Problem
from obsgen.road import Declared, load

PAGES = Path(__file__).parents[1] / "docs" / "checks"
IDS = {row.id: row.severity for row in CHECKS} | {id: severity for id, severity, _ in QUESTIONS}
OF_COMMENTS = [id for id, _, _ in QUESTIONS]

Block = tuple[str, str]
"""Kind and text: "" merges into the declaration, `times500` so often, with NUMBER and a TEXT of 1,000 characters put in; `profile` is one,
`append` is added as it stands, `head` is in git's HEAD, `file NAME` is a file beside it,
`file NAME BYTES` one with blanks up to that size."""


class Page(NamedTuple):
    """What a page shows: blocks with the messages they lead to, the corrected twin, the silencing comment."""

    id: str
    severity: str
    trips: list[tuple[list[Block], str]]
    twin: list[Block]
    silence: str


def page(id: str) -> Page:
    text = (PAGES / f"{id}.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert list(parts) == ["Trips", "Does not trip", "Silence"], f"{id}: other headings"
    head = re.match(rf"# {id}\n\nSeverity: (\w+)\n\n\S[^#]+## Trips\n", text)
    assert head, f"{id}: a page begins with its name, its severity and why one would care"
    trips: list[tuple[list[Block], str]] = []
    blocks: list[Block] = []
    for kind, language, body in fences(parts["Trips"]):
        if language == "text":
            trips.append((blocks, body))
            blocks = []
        else:
            blocks.append((kind, body))
    assert trips, f"{id}: no message"
    assert not blocks, f"{id}: the last block has no message"
    return Page(
        id, head[1], trips, [(kind, body) for kind, _, body in fences(parts["Does not trip"])], parts["Silence"]
    )


def fences(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"(?:<!-- ([\w./ -]+) -->\n)?```(yaml|json|text)\n(.*?)\n```", text, re.DOTALL)


def repeated(kind: str, text: str) -> Iterator[tuple[str, Any]]:
    """(kind, what it merges) of a block."""
    if not kind.startswith("times"):
        yield kind, yaml.safe_load(text)
        return
    once = json.dumps(yaml.safe_load(text)).replace("TEXT", "text " * 200)
    for number in range(int(kind.removeprefix("times"))):
        yield "", json.loads(once.replace("NUMBER", str(number)))


def merged(blocks: Sequence[Block], kind: str) -> str | None:
    """The declaration of the blocks of one kind; the base as it stands where there are none."""
    every = (one for block in blocks if block[0] != "append" for one in repeated(*block))
    chosen = [data for found, data in every if found == kind]
    if not chosen:
        return None
    data = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    for patch in chosen:
        data = overlay.merge(data, patch)
    return dumped(data)


def written(folder: Path, blocks: Sequence[Block]) -> Declared:
    before = merged(blocks, "head")
    text = merged(blocks, "") or before or BASE.read_text(encoding="utf-8")
    text += "".join(f"{body}\n" for kind, body in blocks if kind == "append")
    for (_, name, *size), body in ((kind.split(), body) for kind, body in blocks if kind.startswith("file ")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{body}\n".ljust(int(*size or (0,))), encoding="utf-8")
    if before:
        declared(folder, before)
        commit(folder)
    return declared(folder, text, "".join(f"{body}\n" for kind, body in blocks if kind == "profile") or "{}\n")


def found(folder: Path, blocks: Sequence[Block]) -> list[Problem]:
    one = written(folder, blocks)
    with inside(folder):
        return check(one)


def shown(problems: Sequence[Problem], id: str) -> str:
    """The messages of one check without their lines, which the dumped file has of its own."""
    return "\n".join(str(dataclasses.replace(problem, line=0)) for problem in problems if problem.rule == id)


def test_every_check_has_a_page_and_every_page_a_check() -> None:
    pages = {path.relative_to(PAGES).with_suffix("").as_posix() for path in PAGES.rglob("*.md")} - {"README"}
    assert {page for page in pages if not page.startswith("logs/")} == set(IDS)  # those are of tests/test_log_rules.py


def test_the_index_lists_every_check_and_its_question() -> None:
    current = (PAGES / "README.md").read_text(encoding="utf-8")
    assert current == index(), "run: python -m obsgen.checks > docs/checks/README.md"


def test_the_base_of_the_pages_has_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, []) == []


@pytest.mark.parametrize("id", IDS)
def test_a_page_tells_what_obsgen_says(id: str, tmp_path: Path) -> None:
    told = page(id)
    assert told.severity == IDS[id]
    for number, (blocks, message) in enumerate(told.trips):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert shown(found(folder, blocks), id) == message


@pytest.mark.parametrize("id", IDS)
def test_the_corrected_twin_of_a_page_trips_nothing_of_it(id: str, tmp_path: Path) -> None:
    assert shown(found(tmp_path, page(id).twin), id) == ""


@pytest.mark.parametrize("id", [row.id for row in CHECKS])
def test_the_comment_of_a_page_silences_its_check(id: str, tmp_path: Path) -> None:
    told = page(id)
    comment = re.fullmatch(rf"\n`(# obsgen: ignore={id} \S.*)`\n", told.silence)
    assert comment, f"{id}: Silence is one comment"
    blocks, _ = told.trips[0]
    for problem in reversed([problem for problem in found(tmp_path, blocks) if problem.rule == id]):
        file = tmp_path / problem.file
        lines = file.read_text(encoding="utf-8").splitlines()
        if comment[1] not in lines[problem.line - 2]:
            indent = " " * (len(lines[problem.line - 1]) - len(lines[problem.line - 1].lstrip()))
            lines.insert(problem.line - 1, indent + comment[1])
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with inside(tmp_path):
        assert [p for p in check(load(Path("observability.yaml"), "test")) if p.rule in (id, *OF_COMMENTS)] == []
