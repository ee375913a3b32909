"""Dashboards that are taken over: what a Grafana refuses, and what it accepts without a word and then leaves out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from .. import dashboards, upstream
from ..dashboard_reader import BadJSONError, Board, read, strings
from ..document import Path
from ..road import Declared
from .finding import Finding

_BYTES = 900 * 1024  # a ConfigMap holds 1 MiB, with its name and key


class Taken(NamedTuple):
    """A file of `dashboards.files`: where it is named, its name, its text."""

    path: Path
    name: str
    text: str


def taken(declared: Declared) -> Iterator[Taken]:
    """The files."""
    for place, name in enumerate(declared.declaration.dashboards.files):
        yield Taken(("dashboards", "files", place), name, declared.taken[name])


def boards(declared: Declared) -> Iterator[tuple[Taken, Board]]:
    """The files that can be read, with what they say; `dashboard/json` tells of the others."""
    for file in taken(declared):
        try:
            yield file, read(file.text)
        except BadJSONError:
            continue


def found(file: Taken, fact: str, remedy: str = "") -> Finding:
    """Something in a file, told where it is named."""
    return Finding(file.path, f"{file.name}: {fact}", remedy)


def bad_json(declared: Declared) -> Iterator[Finding]:
    """Grafana reads the first object of a file and the last of two equal keys, and says nothing of the rest."""
    for file in taken(declared):
        try:
            read(file.text)
        except BadJSONError as error:
            name = f"{file.name}:{error.line}:{error.column}" if error.line else file.name
            yield found(file._replace(name=name), error.fact, error.remedy)


def bad_model(declared: Declared) -> Iterator[Finding]:
    """From a file, Grafana takes the classic model alone; what the page for importing fills in, nobody fills in here."""
    for file, board in boards(declared):
        for fact, remedy in _of_model(board):
            yield found(file, fact, remedy)


def _of_model(board: Board) -> Iterator[tuple[str, str]]:
    if "elements" in board and "layout" in board:
        yield "this is the new model (v2), which Grafana does not take from files", "export it as Classic"
        return
    if "spec" in board and "apiVersion" in board:
        yield "this is a resource around a dashboard, which Grafana does not take from files", "export it as Classic"
        return
    if isinstance(board.get("dashboard"), dict) and "panels" not in board:
        yield "this is the answer of Grafana's API, with the dashboard inside", "keep what stands under dashboard"
        return
    if not isinstance(board.get("panels"), list):
        yield "there are no panels", "export the dashboard as JSON"
    version, newest = board.get("schemaVersion"), upstream.dashboard_model().schema_version
    if not isinstance(version, int) or version > newest:
        fact = f"schemaVersion is {version!r}" if version is not None else "schemaVersion is missing"
        yield fact, f"write a number up to {newest}: Grafana lifts a lower one and can't read a higher one"
    if board.get("id") is not None:
        yield f"id {board['id']!r} is the number in another Grafana, and this one drops it", "remove it"
    inputs = {name for _, text in strings(board) for name in re.findall(r"\$\{(DS_\w+|VAR_\w+)\}", text)}
    if board.get("__inputs"):
        yield "__inputs is filled in by the page for importing, and by nobody here", "remove it"
    if inputs:
        fact = f"{', '.join(sorted(inputs))} is filled in by the page for importing, and by nobody here"
        yield fact, "use a variable of the type data source, such as ${prometheus_datasource}"


def bad_uid(declared: Declared) -> Iterator[Finding]:
    """A dashboard's uid is its address: without one links to it break, and twice the same switches the provider off."""
    d = declared.declaration
    ours = {dashboards.uid(d, name) for name in dashboards.rendered(d)}
    known = {dashboards.configmap(uid): f"{uid} is rendered" for uid in ours}
    longest = max(ours, key=len)
    if len(longest) > 40:
        fact = f"the dashboard {longest!r} has a uid of {len(longest)} characters, and Grafana takes 40"
        yield Finding(("name",), fact, "choose a shorter name")
    for file, board in boards(declared):
        uid = board.get("uid")
        if not isinstance(uid, str) or not uid:
            yield found(file, "it has no uid, so Grafana makes one up at each start", 'add "uid": "a-name-of-your-own"')
        elif not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid) or not re.search("[A-Za-z0-9]", uid):
            yield found(file, f"Grafana refuses the uid {uid!r}", "use up to 40 letters, digits, - and _")
        elif dashboards.configmap(uid) in known:
            fact = f"the uid {uid!r} is taken, or one like it: {known[dashboards.configmap(uid)]}"
            yield found(file, fact, "choose another")
        else:
            known[dashboards.configmap(uid)] = f"{uid} of {file.name}"


def bad_title(declared: Declared) -> Iterator[Finding]:
    """Grafana refuses a dashboard without a title, and stops writing when two in a folder have the same."""
    d = declared.declaration
    known = {f"{d.name} / {dashboards.TITLES[name]}": "that of a rendered one" for name in dashboards.rendered(d)}
    for file, board in boards(declared):
        title = board.get("title")
        if not isinstance(title, str) or not title.strip():
            if not isinstance(board.get("dashboard"), dict) and "elements" not in board and "spec" not in board:
                yield found(file, "it has no title", 'add "title": "…"')
        elif title in known:
            yield found(file, f"its title {title!r} is {known[title]}", "choose another")
        else:
            known[title] = f"that of {file.name}"


def too_big(declared: Declared) -> Iterator[Finding]:
    """Kubernetes refuses a ConfigMap of more than 1 MiB, and with it everything that is applied together."""
    for file in taken(declared):
        if (length := len(file.text.encode())) > _BYTES:
            yield found(file, f"it has {length:,} bytes, and a ConfigMap takes {_BYTES:,} of it", "split it")


def twice(names: list[object]) -> list[object]:
    """Those that come more than once."""
    return [name for name, number in Counter(names).items() if number > 1]
