"""Payloads for people: laid out, cut, edited and compared, without ever passing through a number or a dictionary.

Every token of a JSON payload stays as it was written (`9007199254740993`, `1.10`, `\\u00e9`, a key that stands twice); only the white
space between tokens changes.
"""

from __future__ import annotations

import base64
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHOWN = 32 * 1024  # characters of a payload in a page; the rest is behind a link
INDENTED = 12  # levels; deeper ones stand under each other, so that a hostile payload can't blow up a page
COMPARED = 3000  # lines on each side that differ; more are shown as one block, since comparing takes their product
CONTEXT = 3  # lines around a difference, as diff -u

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")  # tab and newline are all that a textarea gives back as it was


class NotReadable(ValueError):  # noqa: N818 - it says what was typed
    """What somebody typed is no payload of the kind that it replaces; the message says where."""


@dataclass(frozen=True)
class View:
    """A payload as it is shown and edited. `kind`: json | text | base64; `text` is what an editor starts with."""

    kind: str
    text: str


def view(payload: bytes) -> View:
    """JSON laid out, text as it is, anything else as base64."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return View("base64", base64.b64encode(payload).decode())
    if _is_json(text):
        return View("json", "".join(part for _, part in tokens(text)))
    if _PLAIN.fullmatch(text):
        return View("text", text)
    return View("base64", base64.b64encode(payload).decode())


def read(kind: str, typed: str) -> bytes:
    """The payload that an editor's text stands for: JSON without the page's white space. Raises NotReadable."""
    typed = typed.replace("\r\n", "\n")  # what browsers send for a line's end
    if kind == "json":
        try:
            _load(typed)
        except json.JSONDecodeError as error:
            raise NotReadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
        except (ValueError, RecursionError) as error:
            raise NotReadable(str(error)) from error
        return compact(typed).encode()
    if kind == "base64":
        try:
            return base64.b64decode(re.sub(r"\s", "", typed), validate=True)
        except ValueError as error:
            raise NotReadable(f"no base64: {error}") from error
    return typed.encode()


def compact(text: str) -> str:
    """JSON without white space between tokens."""
    return "".join(_TOKEN.findall(text))


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """JSON laid out, as (kind, text): kind is key, string, number, word or "" for signs and white space."""
    found, depth, at = _TOKEN.findall(text), 0, 0
    while at < len(found):
        token = found[at]
        at += 1
        if token in "{[":
            if at < len(found) and found[at] in "}]":
                yield "", token + found[at]
                at += 1
                continue
            depth += 1
            yield "", token + _line(depth)
        elif token in "}]":
            depth -= 1
            yield "", _line(depth) + token
        elif token == ",":
            yield "", "," + _line(depth)
        elif token == ":":
            yield "", ": "
        elif token.startswith('"'):
            yield ("key" if at < len(found) and found[at] == ":" else "string"), token
        else:
            yield ("word" if token[0].isalpha() else "number"), token


def cut(text: str, kind: str) -> tuple[list[tuple[str, str]], bool]:
    """What a page shows of a view's text, coloured if it is JSON, and whether that is not all."""
    whole = tokens(text) if kind == "json" else iter([("", text)])
    shown, left = [], SHOWN
    for name, part in whole:
        shown.append((name, part[:left]))
        left -= len(part)
        if left < 0:
            return shown, True
    return shown, False


def difference(old: bytes, new: bytes) -> list[tuple[str, str]]:
    """Lines as (sign, text): sign is " ", "-", "+" or "…" where equal ones are left out; [] if nothing but white space differs."""
    one, other = view(old), view(new)
    if one.kind != other.kind or "base64" in (one.kind, other.kind):
        return [] if old == new else [("-", _said(one, old)), ("+", _said(other, new))]
    return _lines(one.text.splitlines(), other.text.splitlines())


def _lines(one: Sequence[str], other: Sequence[str]) -> list[tuple[str, str]]:
    if one == other:
        return []
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    first, last = max(0, start - CONTEXT), max(0, end - CONTEXT)
    before, after = one[first : len(one) - last], other[first : len(other) - last]
    lines = [("…", "")] if first else []
    if max(len(before), len(after)) > COMPARED:
        lines += [("-", line) for line in one[start : len(one) - end]]
        lines += [("+", line) for line in other[start : len(other) - end]]
        return lines
    groups = difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(CONTEXT)
    for number, group in enumerate(groups):
        lines += [("…", "")] if number else []
        for what, a, b, c, d in group:
            if what == "equal":
                lines += [(" ", line) for line in before[a:b]]
            else:
                lines += [("-", line) for line in before[a:b]] + [("+", line) for line in after[c:d]]
    return lines + ([("…", "")] if last else [])


def _said(shown: View, payload: bytes) -> str:
    return shown.text if len(shown.text) <= 200 else f"{shown.text[:200]}… ({len(payload)} bytes)"


def _line(depth: int) -> str:
    return "\n" + "  " * max(0, min(depth, INDENTED))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


# numbers stay text: an int of 5,000 digits is one too
_load = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse).decode


def _is_json(text: str) -> bool:
    try:
        _load(text)
    except (ValueError, RecursionError):
        return False
    return True
