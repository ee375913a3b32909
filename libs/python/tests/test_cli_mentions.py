"""What runbooks, SECRETS.md and the documentation tell people to type is there, and does what they say."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from servers import ROOT

from auralink_shared.dlq import DeadLetters, Record
from auralink_shared.dlq.cli import reference
from auralink_shared.dlq.cli.run import NAME, cli
from conftest import QUEUE
from test_cli import PROGRAM, environ, filled, queued, waiting  # noqa: F401 - environ is a fixture

RENDERED = sorted(ROOT.glob("rendered/*/runbooks/*.md")) + sorted(ROOT.glob("rendered/*/SECRETS.md"))
WRITTEN = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "libs/python/README.md"]
PLACES = {
    "QUEUE": QUEUE,
    "ID": "1",
    "GROUP": "0123456789ab",
    "ROLE": "viewer",
    "NAME": "ann",
    "DIR": "kept",
    "FILE": "-",
}
OPENAPI = json.loads((ROOT / "libs/python/openapi.json").read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[str]:
    """What stands behind the program's name: in `code`, in blocks of sh, and there behind a function's name too."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    shortened = re.search(r"^(\w+)\(\) \{.*\bauralink-dlq \"\$@\"; \}$", text, re.MULTILINE)
    for block in blocks:
        block = block.replace(shortened[0], "") if shortened else block
        for line in block.splitlines():
            name = f"auralink-dlq|(?:^{shortened[1]})" if shortened else "auralink-dlq"
            # ` #` begins a comment; what a shell redirects, chains or pipes is none of ours
            code = re.split(r" +#| [|&]{1,2} | [<>] ", line)[0]
            yield from (found for found in re.findall(rf"(?:{name}) (.*)", code) if ":" not in found.split()[0])
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`([^`\n]*)`", prose):
        yield from (re.split(r" [<>] ", rest)[0] for rest in re.findall(r"^auralink-dlq (\S.*)", code))


def parsed(typed: str) -> click.Context:
    """As click reads it, with the places filled in; raises what it finds wrong."""
    words = [PLACES.get(word, word) for word in shlex.split(typed)]
    context = cli.make_context(NAME, list(words))
    _, command, rest = cli.resolve_command(context, words)
    assert command
    return command.make_context(command.name, ["-" if word == "payload" else word for word in rest], parent=context)


@pytest.mark.parametrize("pages", [RENDERED, WRITTEN], ids=["rendered", "written"])
def test_every_command_that_a_page_types_is_one(pages: list[Path]) -> None:
    typed = {(path, one) for path in pages for one in commands(path.read_text(encoding="utf-8")) if "|" not in one}
    assert len({one for _, one in typed}) > 8
    for path, one in sorted(typed):
        try:
            parsed(one)
        except click.ClickException as error:
            pytest.fail(f"{path.relative_to(ROOT)}: auralink-dlq {one}: {error.format_message()}")


@pytest.mark.parametrize(
    "wrong", ["lst QUEUE", "list QUEUE --odrer oldest", "retry QUEUE", "bulk burn QUEUE", "token boss NAME"]
)
def test_a_command_that_is_none_is_found(wrong: str) -> None:
    page = f"1. Type `auralink-dlq {wrong}`.\n"
    (found,) = commands(page)
    with pytest.raises(click.ClickException):
        parsed(found)


def test_every_path_of_the_api_that_a_page_names_is_one() -> None:
    named = r"(?:(GET|POST|DELETE) |http://127\.0\.0\.1:8080)(/api/v1/admin/dlq[^\s'\"`)]*|/readyz|/healthz|/metrics)"
    asked = {
        (path, method or "GET", url)
        for path in RENDERED
        for method, url in re.findall(named, path.read_text(encoding="utf-8"))
    }
    assert any("/api/v1/" in url for _, _, url in asked)
    for page, method, url in asked:
        path, _, query = url.partition("?")
        operation = OPENAPI["paths"].get(re.sub(r"/ID\b", "/{id}", path), {}).get(method.lower())
        assert operation, (page, method, url)
        taken = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        assert {pair.partition("=")[0] for pair in query.split("&") if pair} <= taken, (page, url)


def test_the_contract_names_every_command() -> None:
    text = (ROOT / "docs/dead-letters.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"^\[`auralink-dlq`\]\(\S+\)` ([a-z|]+)`", text, re.MULTILINE)
    assert sorted(named.split("|")) == sorted(cli.commands)


def test_the_committed_reference_is_the_one_that_is_made() -> None:
    written = (ROOT / "docs/reference/auralink-dlq.md").read_text(encoding="utf-8")
    assert written == reference.page(), f"run: python -m {reference.__name__} > docs/reference/auralink-dlq.md"


def typed_by_hand(page: Path) -> str:
    """The page's way through dead letters, with the ids that somebody would have read on the screen."""
    (block,) = re.findall(r"^```sh\n(dlq\(\) .*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    group = r'$(dlq groups "$QUEUE" --output json | head -1 | sed "s/.*fingerprint\":\"//; s/\".*//")'
    block = re.sub(r"\bGROUP\b(?=.* --)", group, block)
    for verb, id in (("show", "0"), ("retry", "0"), ("remove", "odd"), ("restore", "odd")):
        block = re.sub(rf'^(dlq {verb} "\$QUEUE") ID', rf"\1 {id}", block, flags=re.MULTILINE)
    return re.sub(r"^QUEUE='.*'$", f"QUEUE='{QUEUE}'", block, flags=re.MULTILINE)


@pytest.mark.parametrize("profile", ["prod", "local"])
def test_what_the_runbook_types_works(
    profile: str,
    environ: dict[str, str],  # noqa: F811
    letters: DeadLetters,
    tmp_path: Path,
) -> None:
    filled(letters, 4)
    letters.add(Record(QUEUE, b'"never"', id="odd", error="no such customer"))
    block = typed_by_hand(ROOT / f"rendered/{profile}/runbooks/README.md")
    program = str(Path(PROGRAM).parent)
    environ |= {"PATH": f"{tmp_path}:{program}:{environ['PATH']}", "USER": "otto"}
    if profile == "local":  # a container that Compose started: the password is a file, and no variable of it
        (tmp_path / "redis-password").write_text(environ.pop("DLQ_REDIS_PASSWORD"), encoding="utf-8")
        block = block.replace("/run/secrets", str(tmp_path))
    for name, before in (("kubectl", 'while [ "$1" != -- ]; do shift; done; shift'), ("docker", "shift 4")):
        (tmp_path / name).write_text(f'#!/bin/sh\n{before}\nexec "$@"\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert queued(letters) == [b'{"n":0}', b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert waiting(letters) == ["odd"]
    done: list[tuple[str, str, Any]] = [(one.what, one.letter, one.by) for one in letters.audit(QUEUE)]
    assert done[:2] == [("restore", "odd", "otto"), ("remove", "odd", "otto")]
    assert ("retry", "0", "otto") in done
