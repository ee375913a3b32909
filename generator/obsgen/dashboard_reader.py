"""Reads a dashboard of Grafana's classic model: strictly as JSON, then as its panels, variables and queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .panels import once

Board = Mapping[str, Any]


class BadJSONError(Exception):
    """Why a text is no dashboard's JSON, with `line` and `column` where they are known, else 0."""

    def __init__(self, fact: str, remedy: str, line: int = 0, column: int = 0) -> None:
        super().__init__(fact)
        self.fact, self.remedy, self.line, self.column = fact, remedy, line, column


def read(text: str) -> Board:
    """One JSON object that every reader takes for the same.

    Raises BadJSONError, also for what Grafana 12 and 13 accept without a word: text after the object, and a key that is there twice.
    """
    if text.startswith("\ufeff"):
        raise BadJSONError("it begins with a byte order mark, which Grafana refuses", "save it as plain UTF-8", 1, 1)
    try:
        made, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip()))
    except json.JSONDecodeError as error:
        raise BadJSONError(f"this is not JSON: {error.msg}", "", error.lineno, error.colno) from None
    except ValueError as error:
        raise BadJSONError(str(error), "keep one of them" if "twice" in str(error) else "write a number") from None
    if rest := text[end:].lstrip():
        at = len(text) - len(rest)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise BadJSONError("text follows the dashboard, and Grafana reads none of it", "remove it", line, column)
    if not isinstance(made, dict):
        raise BadJSONError("this is not an object", "export the dashboard as JSON")
    return made


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=once, parse_constant=_no_number)


def panels(board: Board) -> Iterator[dict[str, Any]]:
    """Every panel, rows and what collapsed rows hold too."""
    for panel in _objects(board.get("panels")):
        yield panel
        yield from _objects(panel.get("panels"))


def variables(board: Board) -> dict[str, dict[str, Any]]:
    """The variables by name."""
    templating = board.get("templating")
    found = _objects(templating.get("list")) if isinstance(templating, dict) else ()
    return {str(variable.get("name")): variable for variable in found}


def marks(board: Board) -> list[dict[str, Any]]:
    """Annotations: what is marked in the graphs, without Grafana's own."""
    found = board.get("annotations")
    listed = _objects(found.get("list")) if isinstance(found, dict) else ()
    return [one for one in listed if not one.get("builtIn")]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


class Asked(NamedTuple):
    """A query: who asks it, as people find it, of which kind of data source (`prometheus`, `loki`, other or ""), and its text.

    `instant`: for the end of the time range alone, not along it.
    """

    where: str
    of: str
    text: str
    instant: bool = False


def queries(board: Board) -> Iterator[Asked]:
    """Every query of the panels, variables and annotations."""
    known = variables(board)
    for panel in panels(board):
        where = f"panel {panel.get('title') or panel.get('id')!r}"
        for target in _objects(panel.get("targets")):
            of = kind(target.get("datasource"), known) or kind(panel.get("datasource"), known)
            if isinstance(target.get("expr"), str):
                instant = target.get("queryType") == "instant" or bool(
                    target.get("instant") and not target.get("range")
                )
                yield Asked(f"{where}, {target.get('refId')}", of, target["expr"], instant)
    for name, variable in known.items():
        if variable.get("type") == "query" and (text := _of_variable(variable)):
            yield Asked(f"variable {name!r}", kind(variable.get("datasource"), known), text)
    for mark in marks(board):
        inner = mark.get("target")
        expr = mark.get("expr") or (inner.get("expr") if isinstance(inner, dict) else None)
        if isinstance(expr, str):
            yield Asked(f"annotation {mark.get('name')!r}", kind(mark.get("datasource"), known), expr)


def kind(source: Any, known: Mapping[str, dict[str, Any]]) -> str:
    """What sort of data source is meant; "" where that can't be told."""
    if isinstance(source, dict) and isinstance(source.get("type"), str):
        return str(source["type"])
    uid = source.get("uid") if isinstance(source, dict) else source
    named = re.fullmatch(r"\$\{?(\w+)\}?", uid) if isinstance(uid, str) else None
    return str(known.get(named[1], {}).get("query", "")) if named else ""


def _of_variable(variable: Mapping[str, Any]) -> str:
    """The query inside `label_values(QUERY, label)` and the like, or the stream that Loki's is asked of; "" where there is none."""
    query = variable.get("query")
    if isinstance(query, dict) and isinstance(query.get("stream"), str):
        return str(query["stream"])
    text = query.get("query") if isinstance(query, dict) else query
    found = (
        re.fullmatch(r"\s*(label_values|query_result)\((.*)\)\s*", text, re.DOTALL) if isinstance(text, str) else None
    )
    if found is None:
        return ""
    if found[1] == "query_result":
        return found[2]
    inner, comma, _ = found[2].rpartition(",")
    return inner if comma else ""


_USED = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?P<format>[^}]*)\}|(?P<bare>[A-Za-z_]\w*))|\[\[(?P<old>\w+)[^\]]*\]\]"
)


def used(text: str) -> set[str]:
    """Names of the variables in a text; those with `__` are Grafana's own."""
    found = (match["braced"] or match["bare"] or match["old"] for match in _USED.finditer(text))
    return {name for name in found if not name.startswith("__")}


FIVE_MINUTES = {"auto": 300, "interval": 300, "rate_interval": 300, "range": 300, "from": 0, "to": 300}
"""Seconds that Grafana's own variables stand for, without their `__`, where nothing better is known."""


def filled(
    text: str,
    known: Mapping[str, dict[str, Any]],
    own: Mapping[str, int] = FIVE_MINUTES,
    chosen: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """A query as Grafana sends it: `own` seconds for its own variables; for those of the dashboard what is `chosen`, else everything
    that can be.
    """

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"] or match["old"]
        found = re.fullmatch(r"__(\w+?)(_ms|_s)?", name)
        if found and found[1] in own:
            return _span(own[found[1]], "_ms" if found[1] in ("from", "to") else found[2] or "")
        if name in chosen:
            return either(chosen[name]) if known[name].get("multi") else chosen[name][0]
        return _everything(known[name]) if name in known else match[0]

    return _USED.sub(value, text)


def _span(seconds: int, unit: str) -> str:
    plain = f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"
    return {"_ms": f"{seconds * 1000}", "_s": f"{seconds}"}.get(unit, plain)


def choices(variable: Mapping[str, Any]) -> list[str]:
    """What a custom variable offers; its commas and backslashes as they are meant."""
    return [re.sub(r"\\(.)", r"\1", word.strip()) for word in re.split(r"(?<!\\),", str(variable.get("query")))]


def either(values: Sequence[str]) -> str:
    """Several values as Grafana writes them for `=~`, in quotes of a query: escaped, one of them alone without brackets."""
    escaped = [re.sub(r"[\\^$*+?.()|{}\[\]]", _escaped, word) for word in values]
    return f"({'|'.join(escaped)})" if len(escaped) > 1 else escaped[0]


def _escaped(match: re.Match[str]) -> str:
    return "\\" * 4 if match[0] == "\\" else f"\\\\{match[0]}"


def _everything(variable: Mapping[str, Any]) -> str:
    if isinstance(variable.get("allValue"), str):
        return str(variable["allValue"])
    if variable.get("type") == "custom":
        return either(choices(variable))
    if variable.get("type") in ("textbox", "constant"):
        return str(variable.get("query") or "")
    return "x"


def strings(value: Any, under: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a part of a dashboard, with the key that it stands under."""
    if isinstance(value, str):
        yield under, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, under)
