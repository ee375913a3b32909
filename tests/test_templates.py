"""A template sees what its row of the table gives it, no more and no less, and says where it is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import meta, nodes

from conftest import FLEETS, Run
from obsgen import render
from obsgen.artifacts import artifacts
from obsgen.assets import PACKS, TEMPLATES
from obsgen.packs import CONTEXT
from obsgen.problem import ProblemsError
from obsgen.road import load
from obsgen.rows import TABLES
from obsgen.rows.row import Row

ENVIRONMENT = render.environment()
ROWS = [row for row in {id(row): row for table in TABLES.values() for row in table}.values() if row.template]
CHANNELS = [path.relative_to(TEMPLATES).as_posix() for path in sorted(TEMPLATES.glob("alertmanager/receivers/*"))]


def parsed(template: str) -> nodes.Template:
    assert ENVIRONMENT.loader
    return ENVIRONMENT.parse(ENVIRONMENT.loader.get_source(ENVIRONMENT, template)[0])


def named(template: nodes.Expr) -> list[str]:
    """The templates that an include or import can mean: one, or with a name made up at run time, all whose names fit."""
    if isinstance(template, nodes.Const):
        return [template.value]
    assert isinstance(template, nodes.Concat)
    pattern = "".join(node.value if isinstance(node, nodes.Const) else "*" for node in template.nodes)
    return [path.relative_to(TEMPLATES).as_posix() for path in sorted(TEMPLATES.glob(pattern))]


def family(template: str) -> Iterator[tuple[str, nodes.Template]]:
    """A template and all that it includes and imports."""
    tree = parsed(template)
    yield template, tree
    inner: list[nodes.Include | nodes.Import] = [*tree.find_all(nodes.Include), *tree.find_all(nodes.Import)]
    for node in inner:
        for other in named(node.template):
            yield from family(other)


def seen(template: str) -> set[str]:
    """The variables that a template and those it includes or imports take from outside."""
    return {name for _, tree in family(template) for name in meta.find_undeclared_variables(tree)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_row_gives_its_template_what_it_uses_and_nothing_else(row: Row) -> None:
    assert row.template
    assert seen(row.template) == set(row.context)


@pytest.mark.parametrize("pack", sorted(path.name.removesuffix(".yaml.j2") for path in PACKS.iterdir()))
def test_a_pack_uses_what_it_is_given_and_nothing_else(pack: str) -> None:
    assert seen(f"packs/{pack}.yaml.j2") == set(CONTEXT[pack])


def test_every_template_has_a_reader() -> None:
    used = {name for row in ROWS if row.template for name, _ in family(row.template)}
    assert used == {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.j2")}
    assert {path.name for path in PACKS.iterdir()} == {f"{name}.yaml.j2" for name in CONTEXT}


def test_a_template_has_no_variables_of_jinja() -> None:
    assert ENVIRONMENT.globals == {}


def test_two_texts_for_one_file_are_refused() -> None:
    made = artifacts(load(FLEETS / "smallest" / "observability.yaml", "one").plan)
    with pytest.raises(ProblemsError, match=f"{made[0].path}: this file is made twice"):
        render.render([made[0], made[0]])


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates to break."""
    folder = tmp_path / "mine" / "templates"
    shutil.copytree(TEMPLATES, folder)
    monkeypatch.setattr(render, "TEMPLATES", folder)
    render.environment.cache_clear()
    yield folder
    render.environment.cache_clear()


BUGS: dict[str, Any] = {
    "undefined": ("[= nothing =]", "'nothing' is undefined", "template/render"),
    "attribute": ("[= loki.nothing =]", "has no attribute 'nothing'", "template/render"),
    "filter": ("[= loki | upper =]", "No filter named 'upper'", "template/syntax"),
    "value": ("[= loki | yaml =]", "not JSON serializable", "template/render"),
    "undefined in a list": ("[= [nothing] | yaml =]", "'nothing' is undefined", "template/render"),
    "undefined in json": ("[= {'a': nothing} | json =]", "'nothing' is undefined", "template/render"),
    "syntax": ("{% if %}", "Expected an expression", "template/syntax"),
}


@pytest.mark.parametrize(("bug", "fact", "rule"), BUGS.values(), ids=BUGS)
def test_a_bug_in_a_template_is_told_with_its_file_and_line_and_nothing_is_written(
    run: Run, fleet: Path, templates: Path, bug: str, fact: str, rule: str
) -> None:
    (templates / "loki" / "config.yaml.j2").write_text(f"a: 1\nb: 2\nc: {bug}\n", encoding="utf-8")
    ran = run("render", "--profile", "one")
    line = next(line for line in ran.err.splitlines() if rule in line)
    assert ran.code == 2
    assert line.startswith("templates/loki/config.yaml.j2:3:1: ")
    assert fact in line
    assert not (fleet / "rendered").exists()


def test_a_missing_template_is_told_by_name(run: Run, fleet: Path, templates: Path) -> None:
    (templates / "loki" / "config.yaml.j2").unlink()
    ran = run("render", "--profile", "one")
    assert ran.code == 2
    assert "there is no template 'loki/config.yaml.j2' (write templates/loki/config.yaml.j2)" in ran.err
    assert not (fleet / "rendered").exists()
