"""The pages are true: what they type runs and prints what they show, their links lead somewhere, the references are made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from obsgen import cli, reference
from obsgen.road import schema

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "LC_ALL": "C.UTF-8",
    # a page may commit: as nobody in particular, whatever this machine's settings are
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "writer"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "writer@example.com"),
    **dict.fromkeys(("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"), os.devnull),
}
_END = "end-of-output-of-command"


class Typed(NamedTuple):
    """One command of a page and the output shown under it."""

    command: str
    shown: str


def typed(page: str) -> list[Typed]:
    """The commands of the ```console blocks: `$ ` begins one, `> ` goes on with it, the rest is its output."""
    found: list[Typed] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Typed(line[2:], ""))
            elif line.startswith("> ") or line == ">":
                found[-1] = Typed(f"{found[-1].command}\n{line[2:]}", found[-1].shown)
            else:
                found[-1] = found[-1]._replace(shown=f"{found[-1].shown}{line}\n")
    return found


def pattern(shown: str) -> re.Pattern[str]:
    """Output as shown; a line `…` stands for any lines, a `…` in a line for any text."""
    lines = shown.splitlines()
    return re.compile(
        "".join("(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + "\n" for line in lines)
    )


def run(commands: list[Typed], folder: Path) -> Iterator[tuple[int, str]]:
    """(exit code, what is printed) of each command, all typed into one shell."""
    # the subshell gives `$?` back to the next command, which may ask for it
    script = "".join(f"{one.command}\n_code=$?; echo; echo {_END} $_code; (exit $_code)\n" for one in commands)
    (folder / "script").write_text(script, encoding="utf-8")
    (folder / "here").mkdir()
    ended = subprocess.run(
        ["bash", "../script"],
        cwd=folder / "here",
        env=ENVIRONMENT | {"HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    for part in re.finditer(rf"(.*?)\n{_END} (\d+)\n", ended.stdout, re.DOTALL):
        yield int(part[2]), part[1]


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def faults(commands: list[Typed], results: list[tuple[int, str]]) -> Iterator[str]:
    """Where what was printed is not what the page shows, and which command fails without the page asking for its code."""
    if len(results) != len(commands):
        yield f"the shell ended after {len(results)} of {len(commands)} commands"
    for one, following, (code, printed) in zip(commands, [*commands[1:], None], results, strict=False):
        if not pattern(one.shown).fullmatch(printed):
            yield f"$ {one.command}\n{printed}--- is not what is shown:\n{one.shown}"
        if code and (following is None or following.command != "echo $?"):
            yield f"$ {one.command}\n{printed}--- ends with {code}, and the page does not say so"


@pytest.mark.parametrize("page", [page for page in PAGES if typed(page.read_text(encoding="utf-8"))], ids=relative)
def test_a_page_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    commands = typed(page.read_text(encoding="utf-8"))
    wrong = "\n".join(faults(commands, list(run(commands, tmp_path))))
    assert not wrong, wrong


def test_output_that_differs_from_what_is_shown_is_seen() -> None:
    assert pattern("a\n…\nz\n").fullmatch("a\nb\nc\nz\n")
    assert pattern("1 …\n").fullmatch("1 error\n")
    assert not pattern("a\nz\n").fullmatch("a\nb\nz\n")
    assert not pattern("1.1\n").fullmatch("121\n")
    assert not pattern("1 …\n").fullmatch("1 error\n1 warning\n")
    assert not pattern("").fullmatch("a\n")


def test_commands_go_on_over_lines_and_keep_their_exit_code(tmp_path: Path) -> None:
    page = "```console\n$ cat <<E\n> one\n>\n> E\none\n\n$ false\n$ echo $?\n1\n```\n"
    assert typed(page) == [Typed("cat <<E\none\n\nE", "one\n\n"), Typed("false", ""), Typed("echo $?", "1\n")]
    assert list(run(typed(page), tmp_path)) == [(0, "one\n\n"), (1, ""), (0, "1\n")]


def test_a_page_that_is_wrong_is_found_out(tmp_path: Path) -> None:
    wrong = typed("```console\n$ echo one\ntwo\n$ false\n$ exit\n$ echo\n```\n")
    found = list(faults(wrong, list(run(wrong, tmp_path))))
    assert [fault.splitlines()[0] for fault in found] == [
        "the shell ended after 2 of 4 commands",
        "$ echo one",
        "$ false",
    ]


def links(page: str) -> list[str]:
    """The targets of a page's links, without those that stand in code."""
    prose = re.sub(r"```.*?^```$|`[^`\n]*`", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(page: str) -> set[str]:
    """What `#…` may name: headings as GitHub writes them, and explicit anchors."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', page))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def test_the_index_names_every_page() -> None:
    docs = ROOT / "docs"
    named = {(docs / link.partition("#")[0]).resolve() for link in links((docs / "README.md").read_text("utf-8"))}
    generated = (docs / "checks").rglob("*.md")  # they have an index of their own
    missing = {page for page in PAGES if page.is_relative_to(docs)} - named - set(generated) - {docs / "README.md"}
    assert sorted(map(relative, missing)) == []


def test_the_committed_references_are_those_that_are_made() -> None:
    made = {"grammar": reference.grammar(schema("observability")), "command-line": reference.command_line(cli.main)}
    written = {name: (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8") for name in made}
    assert written == made, "run: python -m obsgen.reference"


def help_of(*verb: str) -> str:
    program = shutil.which("obsgen", path=ENVIRONMENT["PATH"])
    assert program, "obsgen is not installed beside this Python: pip install --editable ."
    return subprocess.run([program, *verb, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout


def test_every_verb_and_option_of_help_is_documented() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    verbs = re.findall(r"^  ([a-z]+)  ", help_of().partition("Commands:")[2], re.MULTILINE)
    assert len(verbs) > 5
    for verb in (*verbs, "logs check"):
        section = page.partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
        options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_of(*verb.split()), re.MULTILINE)
        assert [(verb, option) for option in options if option not in section] == []
        assert options, verb


def test_the_grammar_page_has_every_key_of_the_schema() -> None:
    page = (ROOT / "docs/reference/grammar.md").read_text(encoding="utf-8")
    whole = schema("observability")
    for name, one in {"top": whole, **whole["$defs"]}.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert [(name, key) for key in one.get("properties", {}) if f"`{key}`" not in section] == []


def test_the_pre_commit_hooks_call_verbs_that_exist() -> None:
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    called = re.findall(r"^  entry: obsgen (\w+)", hooks, re.MULTILINE)
    assert called and set(called) <= set(cli.main.commands)
