"""Values enter YAML, and Alloy's language, through one door: a filter that quotes, applied to the whole value."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[1] / "templates"
VALUE = re.compile(r"\[=(.*?)=\]")
DOORS = {
    ".yaml.j2": re.compile(r"\| (yaml( \| expand_env)?|compose|(block|nested|verbatim)\(\d+\)|expression\(\d+\)) $"),
    ".alloy.j2": re.compile(r"\| alloy $"),
}
# Not values: our own words, and texts that are in comments or already quoted.
MACRO = re.compile(r" (of|discover)\.\w+\(.*\) | dlq_environment\(.*\) ")
WORDS = {" header ", " rule.kind ", " kind.key ", " kind.config(channel, title) "}


def quoted_templates() -> list[Path]:
    return sorted(path for path in TEMPLATES.rglob("*.j2") if door(path))


def door(path: Path) -> re.Pattern[str] | None:
    return DOORS.get("".join(path.suffixes[-2:]))


@pytest.mark.parametrize("path", quoted_templates(), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_value_goes_through_a_quoting_filter(path: Path) -> None:
    quoting = door(path)
    assert quoting
    lines = path.read_text(encoding="utf-8").splitlines()
    bare = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        for value in VALUE.findall(line)
        if not quoting.search(value)
        and value not in WORDS
        and not MACRO.fullmatch(value)
        and not line.lstrip().startswith("#")
    ]

    assert bare == []


@pytest.mark.parametrize("path", quoted_templates(), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_the_filter_quotes_the_whole_value_and_not_its_last_piece(path: Path) -> None:
    """`a ~ b | yaml` is `a ~ (b | yaml)` to Jinja: quotes in the middle of a value, which no reader minds."""
    values = VALUE.findall(path.read_text(encoding="utf-8"))
    unbracketed = [
        value
        for value in values
        if re.search(r" ~ | if .* else ", re.sub(r"\([^()]*(\([^()]*\)[^()]*)*\)|\"[^\"]*\"|'[^']*'", "", value))
    ]

    assert unbracketed == []


@pytest.mark.parametrize("path", quoted_templates(), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_quoted_value_has_nothing_glued_to_it(path: Path) -> None:
    """`[= url | yaml =]/push` is `"…"/push` as soon as the url needs quotes."""
    glued = [
        line.strip()
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"[\w/.=-]\[=[^=]*\| (yaml|alloy) =\]|\| (yaml|alloy) =\][\w/.=-]", line)
    ]

    assert glued == []


MARKDOWN = sorted(TEMPLATES.glob("runbooks/*.j2"))
MARKDOWN_DOOR = re.compile(r"\| (markdown|code|prose|fence\(.*\)|link\([^|]*\)) $")


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_value_in_markdown_goes_through_a_filter_of_markdown(path: Path) -> None:
    values = re.findall(r"\[=(.*?)=\]", path.read_text(encoding="utf-8"), re.DOTALL)
    bare = [value for value in values if not MARKDOWN_DOOR.search(value)]
    # our own words: the header, the line of places that another template filters, a word chosen between two
    ours = re.compile(r" (header|to\.places\(.*\)|\"[^\[]*\" if .* else \"[^\[]*\"|\{.*\}\[name\]) ")
    assert values
    assert [value for value in bare if not ours.fullmatch(value)] == []
