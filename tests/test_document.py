"""What a YAML file may hide is told, with its place; everything else is data whose every value knows where it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from obsgen import yaml_reader
from obsgen.document import Document, did_you_mean, load, parse
from obsgen.problem import Problem, ProblemsError
from obsgen.yaml_surprises import Surprise, plain

BROKEN = Path(__file__).parent / "broken" / "yaml"
QUOTE = "put it in quotes"


def problems(text: str | bytes) -> list[Problem]:
    try:
        parse(text, "o.yaml")
    except ProblemsError as error:
        return error.problems
    return []


def told(name: str) -> list[str]:
    """Each problem of a broken file as `line:column fact (remedy) [rule]`."""
    try:
        load(BROKEN / name, name)
    except ProblemsError as error:
        return [str(problem).removeprefix(f"{name}:").strip() for problem in error.problems]
    return []


BROKEN_FILES = {
    "utf16.yaml": ["this file is UTF-16, not UTF-8 (save it as UTF-8) [yaml/not-utf-8]"],
    "utf16-without-mark.yaml": ["this file is UTF-16, not UTF-8 (save it as UTF-8) [yaml/not-utf-8]"],
    "latin1.yaml": ["2:16: the byte 0xDF is not UTF-8 (save the file as UTF-8) [yaml/not-utf-8]"],
    "utf8-mark-then-latin1.yaml": ["1:7: the byte 0xE9 is not UTF-8 (save the file as UTF-8) [yaml/not-utf-8]"],
    "control.yaml": [
        "2:11: the control character U+0007 is not allowed in YAML; 1 more follow "
        "(delete it, or write it as an escape in double quotes) [yaml/control-character]"
    ],
    "line-separator.yaml": [
        "2:11: the character U+2028 is a line break in YAML 1.1 only "
        "(delete it, or write it as an escape in double quotes) [yaml/line-separator]"
    ],
    "tabs.yaml": ["2:1: a tab is used for indentation (use spaces; 1 more lines begin with one) [yaml/tab]"],
    "nothing.yaml": [
        "this file is empty (write the declaration, or {} for a profile that changes nothing) [yaml/empty-document]"
    ],
    "comments-only.yaml": [
        "this file is empty (write the declaration, or {} for a profile that changes nothing) [yaml/empty-document]"
    ],
    "two-documents.yaml": ["2:1: a second document begins here (one file holds one) [yaml/several-documents]"],
    "duplicate-keys.yaml": [
        "4:3: 'a' is written twice in this map (it stands at line 2 already) [yaml/duplicate-key]",
        "6:1: 'teams' is written twice in this map (it stands at line 1 already) [yaml/duplicate-key]",
    ],
    "words.yaml": [
        "1:7: this is read as false, not as text (write false, or put it in quotes) [yaml/read-as-boolean]",
        "2:7: this is read as true, not as text (write true, or put it in quotes) [yaml/read-as-boolean]",
        "3:5: this is read as the number 90, not as text (put it in quotes) [yaml/read-as-number]",
        "4:7: this is read as the number 10, not as text (leave out the leading zero, or put it in quotes) "
        "[yaml/read-as-number]",
        "5:6: this is read as a date, not as text (put it in quotes) [yaml/read-as-date]",
        "6:7: this is read as a date, not as text (put it in quotes) [yaml/read-as-date]",
        "7:7: this is read as text by YAML 1.1, as a number by 1.2 (write 1000, or put it in quotes) "
        "[yaml/read-as-number]",
        "8:7: this is read as the number 31, not as text (write 31, or put it in quotes) [yaml/read-as-number]",
        "9:7: this is read as the number 1, not as text (write 1, or put it in quotes) [yaml/read-as-number]",
        "10:6: this is read as the number 1000, not as text (write 1000, or put it in quotes) [yaml/read-as-number]",
        "11:7: this is read as text by YAML 1.1, as a number by 1.2 (write 9, or put it in quotes) "
        "[yaml/read-as-number]",
        "12:10: this is read as infinity (write a finite number, or put it in quotes) [yaml/not-a-number]",
        "13:8: this is read as not-a-number (write a finite number, or put it in quotes) [yaml/not-a-number]",
        "14:7: this is read as a number that does not fit into 64 bits (put it in quotes) [yaml/number-too-large]",
        "15:7: this is read as infinity (write a finite number, or put it in quotes) [yaml/not-a-number]",
        "16:7: this is read as text by YAML 1.1, as a number by 1.2 (write -0.5, or put it in quotes) "
        "[yaml/read-as-number]",
        "17:8: this is read as text by YAML 1.1, as a number by 1.2 (write 15, or put it in quotes) "
        "[yaml/read-as-number]",
    ],
    "keys.yaml": [
        "1:1: this key is read as true, not as text (put it in quotes) [yaml/key-not-text]",
        "2:1: this key is read as the number 80, not as text (put it in quotes) [yaml/key-not-text]",
        "3:1: this key is read as null, not as text (put it in quotes) [yaml/key-not-text]",
        "4:1: this key is read as true, not as text (put it in quotes) [yaml/key-not-text]",
        "5:1: this key is read as text by YAML 1.1, as a number by 1.2 (put it in quotes) [yaml/key-not-text]",
        "6:1: this key is read as a date, not as text (put it in quotes) [yaml/key-not-text]",
        "7:1: a map or list cannot be a key "
        "(text that begins with '{{' or a bracket needs quotes around all of it) [yaml/key-not-text]",
        "8:3: a map or list cannot be a key "
        "(text that begins with '{{' or a bracket needs quotes around all of it) [yaml/key-not-text]",
        "10:2: this key is empty (write a key) [yaml/key-not-text]",
    ],
    "template.yaml": [
        "1:11: a map or list cannot be a key "
        "(text that begins with '{{' or a bracket needs quotes around all of it) [yaml/key-not-text]"
    ],
    "template-and-text.yaml": [
        "2:11: a map or list cannot be a key "
        "(text that begins with '{{' or a bracket needs quotes around all of it) [yaml/key-not-text]",
        "2:23: this does not continue the map of line 1 "
        "(text that begins with '{{' needs quotes around all of it) [yaml/syntax]",
    ],
    "empty-values.yaml": [
        "1:1: 'name' has no value (write a value; a profile deletes with a literal null) [yaml/empty-value]",
        "3:4: this entry has no value (write a value; a profile deletes with a literal null) [yaml/empty-value]",
        "5:8: 'b' has no value (write a value; a profile deletes with a literal null) [yaml/empty-value]",
        "5:11: 'c' has no value (write a value; a profile deletes with a literal null) [yaml/empty-value]",
        "6:8: this entry has no value (write a value; a profile deletes with a literal null) [yaml/empty-value]",
    ],
    "tags.yaml": [
        f"{place}: tags such as !!str or !name are not used here (leave it out; quotes make text) [yaml/tag]"
        for place in ("1:4", "2:4", "3:4", "4:1")
    ],
    "merge-keys.yaml": [
        "3:3: this key is read as a merge key (write the keys out; profiles are what merges here) [yaml/merge-key]"
    ],
    "aliases.yaml": [
        "2:4: no anchor '&c' stands above (set it, or put the text in quotes) [yaml/unknown-alias]",
        "3:8: '*d' contains itself (write the value out) [yaml/recursive-alias]",
        "4:4: the anchor '&a' is set twice (choose another name) [yaml/duplicate-anchor]",
        "5:1: an alias cannot be a key (write the key out) [yaml/key-not-text]",
    ],
    "open-quote.yaml": ["2:10: this quote is never closed (close it) [yaml/syntax]"],
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_file_is_told_with_every_place_and_a_way_out(name: str) -> None:
    assert told(name) == BROKEN_FILES[name]


def test_every_broken_file_has_its_expectation_and_its_opposite() -> None:
    accepted = {"utf8-mark.yaml", "windows-lines.yaml"}
    assert {path.name for path in BROKEN.iterdir()} == set(BROKEN_FILES) | accepted


@pytest.mark.parametrize("name", [name for name in BROKEN_FILES if name not in ("tabs.yaml", "open-quote.yaml")])
def test_where_libyaml_is_missing_the_same_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "LOADER", yaml.SafeLoader)
    assert told(name) == BROKEN_FILES[name]


GOOD: dict[str, tuple[str, Any]] = {
    "words in quotes": (
        "{a: 'no', b: \"1:30\", c: '012', d: '2025-10-01', e: '1e3', 'on': '', '80': '<<'}",
        {"a": "no", "b": "1:30", "c": "012", "d": "2025-10-01", "e": "1e3", "on": "", "80": "<<"},
    ),
    "plain numbers": ("[0, 7, -3, +5, 0.5, -1.25, 1.5e+3, .5, 2.]", [0, 7, -3, 5, 0.5, -1.25, 1500.0, 0.5, 2.0]),
    "true and false": ("[true, false, True, FALSE]", [True, False, True, False]),
    "a literal null": ("[null, ~]", [None, None]),
    "text with digits": ("[30d, 1.2.3, v1, 10.0.0.1:9093, 1e, 00:30, '-', 5%, 0xg]", None),
    "y and n, which both versions of YAML in use read as text": ("{x: y, y: n}", {"x": "y", "y": "n"}),
    "a queue's name": ("rooms:create: {owner: a}", {"rooms:create": {"owner": "a"}}),
    "a quoted template": ("a: '{{ $value }} messages'", {"a": "{{ $value }} messages"}),
    "a block of text with a tab inside": ("a: |\n  b\n  \tc: no\n", {"a": "b\n\tc: no\n"}),
    "the same key in two maps": ("a: {x: 1}\nb: {x: 2}", {"a": {"x": 1}, "b": {"x": 2}}),
    "an alias": ("a: &a [1, 2]\nb: *a", {"a": [1, 2], "b": [1, 2]}),
    "one document with its marks": ("---\na: 1\n...\n", {"a": 1}),
    "a profile that changes nothing": ("{}", {}),
    "an escaped line separator": ('a: "b\\u2028c"', {"a": "b\u2028c"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_clear_is_read_as_it_looks(name: str) -> None:
    text, data = GOOD[name]
    assert repr(parse(text, "o.yaml").data) == repr(yaml.safe_load(text) if data is None else data)


def test_a_utf8_byte_order_mark_changes_neither_values_nor_places() -> None:
    document = load(BROKEN / "utf8-mark.yaml", "o.yaml")
    assert (document.data, document.spot(("name",))) == ({"name": "a"}, ("o.yaml", 1, 7))


def test_windows_line_ends_change_neither_values_nor_places() -> None:
    document = load(BROKEN / "windows-lines.yaml", "o.yaml")
    assert (document.data, document.spot(("teams", "x"))) == ({"name": "a", "teams": {"x": {}}}, ("o.yaml", 3, 6))


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_nesting_that_would_overflow_the_stack_is_a_problem(opening: str) -> None:
    (problem,) = problems(opening * 100_000)
    ours = (1, 100 * len(opening) + 1)
    parsers = (1, 1000 * len(opening) + 1)  # PyYAML from 6.0.4 on looks ahead over bare brackets, and gives up first
    assert problem.rule == "yaml/too-deep"
    assert (problem.line, problem.column) in (ours, parsers)


def test_a_hundred_levels_are_allowed() -> None:
    assert problems("[" * 100 + "]" * 100) == []
    assert [problem.rule for problem in problems("[" * 101 + "]" * 101)] == ["yaml/too-deep"]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_bomb_is_told_without_exploding() -> None:
    (problem,) = problems(bomb(30))
    assert (problem.rule, problem.line) == ("yaml/alias-bomb", 30)


def test_aliases_that_save_typing_are_no_bomb() -> None:
    assert problems(bomb(4)) == []


SYNTAX = {
    "a: b: c": ("1:5", "a ':' stands where no key can be", "put text that contains ': ' in quotes"),
    "a: [1, 2\nb: 3": ("2:2", "',' or ']' is missing in the list of line 1", "close the list, or separate its entries"),
    "a: {b: 1\nc: 2": ("2:2", "',' or '}' is missing in the map of line 1", "close the map, or separate its entries"),
    "a: @b": ("1:4", "text cannot begin with '@'", QUOTE),
    "a: %b": ("1:4", "text cannot begin with '%'", QUOTE),
    "a: *.json": ("1:4", "text cannot begin with '*': that refers to an anchor", QUOTE),
    "a: & b": ("1:4", "text cannot begin with '&': that names an anchor", QUOTE),
    "a: - b": ("1:4", "a list cannot begin beside its key", "begin it on the next line"),
    "- a\nb: 1": ("2:1", "this does not continue the list of line 1", "begin the entry with '- '"),
    'a: "\\d"': ("1:5", "this backslash escape is not known", "double the backslash, or use single quotes"),
    "a: |b": ("1:5", "text cannot stand beside '|' or '>'", "begin it on the next line"),
    "a: [1, , 2]": ("1:8", "a value is missing before ','", "write it, or put the text in quotes"),
    "a:\n  b: 1\n c: 2": (
        "3:2",
        "this does not continue the map of line 1",
        "check the indentation; text that begins with a quote or a bracket needs quotes around all of it",
    ),
    "a: 1\n... b": ("2:5", "nothing may follow the end of the document", "delete '...', or what follows it"),
    "%YAML 9.9\n---\na: 1": ("1:1", "this version of YAML is not known", "leave out the line that begins with %YAML"),
}


@pytest.mark.parametrize("text", SYNTAX)
def test_a_syntax_error_is_told_in_plain_words(text: str) -> None:
    place, fact, remedy = SYNTAX[text]
    assert [str(problem) for problem in problems(text)] == [f"o.yaml:{place}: {fact} ({remedy}) [yaml/syntax]"]


@pytest.mark.parametrize("text", SYNTAX)
def test_the_pure_parser_tells_the_same_fact(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "LOADER", yaml.SafeLoader)
    assert [(problem.line, problem.fact) for problem in problems(text)] == [
        (int(SYNTAX[text][0].split(":")[0]), SYNTAX[text][1])
    ]


def test_problems_before_a_syntax_error_are_told_with_it() -> None:
    assert [(problem.line, problem.rule) for problem in problems("a: no\na: 1\nb: 'c")] == [
        (1, "yaml/read-as-boolean"),
        (2, "yaml/duplicate-key"),
        (3, "yaml/syntax"),
    ]


PLACED = """\
# a comment
name: é 🚨
teams:
  platform:
    channels: {chat: {type: slack, to: "#a"}}
levels:
- DEBUG
-   INFO
shared: &s
  x: 1
again: *s
"""


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), False, (2, 1)),
        (("name",), False, (2, 7)),
        (("name",), True, (2, 1)),
        (("teams",), False, (4, 3)),
        (("teams",), True, (3, 1)),
        (("teams", "platform", "channels"), False, (5, 15)),
        (("teams", "platform", "channels", "chat", "to"), False, (5, 40)),
        (("teams", "platform", "channels", "chat", "to"), True, (5, 36)),
        (("levels", 0), False, (7, 3)),
        (("levels", 1), True, (8, 5)),
        (("again",), False, (11, 8)),
        (("again", "x"), False, (10, 6)),
    ],
)
def test_a_value_and_its_key_know_their_place(path: Any, key: bool, place: tuple[int, int]) -> None:
    assert parse(PLACED, "o.yaml").spot(path, key) == ("o.yaml", *place)


@pytest.mark.parametrize(
    "path", [("nobody",), ("name", 0), ("levels", 2), ("levels", -1), ("levels", "0"), ("teams", 0)]
)
def test_what_is_not_written_has_no_place(path: Any) -> None:
    assert parse(PLACED, "o.yaml").spot(path) is None
    with pytest.raises(KeyError):
        parse(PLACED, "o.yaml").at(path)


def missing(path: Path) -> tuple[Problem, bool]:
    with pytest.raises(ProblemsError) as caught:
        load(path)
    (problem,) = caught.value.problems
    return problem, caught.value.could_not_run


def test_a_missing_file_names_the_one_that_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "observability.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    problem, could_not_run = missing(tmp_path / "observabilty.yaml")
    assert (
        str(problem) == "observabilty.yaml: there is no such file (did you mean 'observability.yaml'?) [file/missing]"
    )
    assert could_not_run


def test_a_missing_file_lists_the_yaml_files_of_its_folder(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (tmp_path / name).touch()
    assert missing(tmp_path / "observability.yaml")[0].remedy == "YAML files here: a.yaml, b.yaml"


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert missing(Path("no/o.yaml"))[0].remedy == "there is no folder no either"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    problem, could_not_run = missing(tmp_path)
    assert (problem.rule, could_not_run) == ("file/folder", True)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    problem, could_not_run = missing(tmp_path / "o.yaml")
    assert (problem.fact, could_not_run) == ("this file cannot be read: permission denied", True)


@pytest.mark.parametrize("name", ["a\0b.yaml", "x" * 5000])
def test_a_name_that_no_file_can_have_is_told(name: str, tmp_path: Path) -> None:
    assert missing(tmp_path / name)[0].rule == "file/unreadable"


def test_a_file_outside_the_working_folder_is_shown_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "o.yaml").write_text("a: 1")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert load(Path("../o.yaml")).file == "../o.yaml"
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path / "o.yaml").file == "o.yaml"


@pytest.mark.parametrize(("word", "meant"), [("retenshun", "retention"), ("APIVERSION", "apiVersion"), ("zebra", None)])
def test_did_you_mean_offers_only_what_is_near(word: str, meant: str | None) -> None:
    assert did_you_mean(word, ["retention", "apiVersion", "name"]) == meant


CORE_SCHEMA = re.compile(
    r"null|Null|NULL|~|true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def by_pyyaml(word: str) -> Any:
    loader: Any = yaml.SafeLoader("")
    return loader.construct_object(yaml.ScalarNode(loader.resolve(yaml.ScalarNode, word, (True, False)), word))


@settings(max_examples=500, deadline=None)
@given(st.text("0123456789abefnoxyestrulNO_:+-.~TZ", min_size=1, max_size=8))
def test_an_unquoted_word_is_accepted_only_where_both_versions_of_yaml_read_the_same(word: str) -> None:
    value = plain(word)
    if not isinstance(value, Surprise):
        assert (type(by_pyyaml(word)), by_pyyaml(word)) == (type(value), value)
        assert isinstance(value, str) is not bool(CORE_SCHEMA.fullmatch(word))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def quoted(value: Any) -> str:
    """YAML with all text in double quotes, numbers as PyYAML writes them."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    return str(yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False))


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_whatever_is_written_in_quotes_is_read_back(data: dict[str, Any]) -> None:
    assert parse(quoted(data).encode(), "o.yaml").data == data


YAML_PIECES = st.lists(
    st.sampled_from([*"a1:-?[]{}&*!|>'\"%@`#,~<=. \t\n\\", "  ", ": ", "- ", "\n  ", "no", "{{ ", "é", "<<: "])
)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=40) | YAML_PIECES.map(lambda pieces: "".join(pieces).encode()))
def test_no_file_brings_anything_but_data_or_problems(raw: bytes) -> None:
    try:
        document = parse(raw, "o.yaml")
    except ProblemsError as error:
        assert error.problems == sorted(error.problems)
        assert all(problem.fact and re.fullmatch("[a-z]+/[a-z0-9-]+", problem.rule) for problem in error.problems)
    else:
        assert document.data == yaml.load(raw, Loader=yaml_reader.LOADER)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for step, inner in steps for deeper in paths(inner, (*path, step)))]


def text_at(document: Document, path: tuple[str | int, ...], key: bool) -> str:
    spot = document.spot(path, key)
    assert spot
    line = document.text.split("\n")[spot.line - 1]
    return line[spot.column - 1 :]


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,6}\Z"), VALUES, min_size=1, max_size=4))
def test_every_place_points_at_what_is_written_there(data: dict[str, Any]) -> None:
    document = parse(quoted(data), "o.yaml")
    for path in paths(data)[1:]:
        value = document.at(path)
        if value is None or isinstance(value, bool | int):
            assert text_at(document, path, False).startswith("null" if value is None else str(value).lower())
        elif isinstance(value, str):
            assert text_at(document, path, False).startswith('"')
        if isinstance(path[-1], str) and path[-1].isalpha() and path[-1].isascii():
            assert text_at(document, path, True).startswith(f'"{path[-1]}"')
