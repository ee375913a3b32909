"""The text of a YAML file before it is data: its encoding, what no editor shows, and the parser's complaints."""

from __future__ import annotations

import re
from typing import Any

import yaml

from .problem import Problem, ProblemsError

_WIDE = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def _wide_encoding(raw: bytes) -> str | None:
    marked = next((name for mark, name in _WIDE if raw.startswith(mark)), None)
    head = raw[:64]
    halves = len(head) >= 4 and (not any(head[::2]) or not any(head[1::2]))
    return marked or ("UTF-16" if halves else None)


def decode(raw: bytes, shown: str) -> str:
    """The text of a file. A UTF-8 byte order mark is accepted and dropped: YAML 5.2 allows it, Windows editors write
    it, and it changes no value. Raises ProblemsError for any other encoding."""
    wide = _wide_encoding(raw)
    if wide:
        raise ProblemsError(
            [Problem(shown, 0, 0, f"this file is {wide}, not UTF-8", "save it as UTF-8", "yaml/not-utf-8")]
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (3 if raw.startswith(b"\xef\xbb\xbf") else 0)
        line, column = _place(raw[:start].decode("utf-8-sig"), None)
        fact = f"the byte 0x{raw[start]:02X} is not UTF-8"
        raise ProblemsError([Problem(shown, line, column, fact, "save the file as UTF-8", "yaml/not-utf-8")]) from None


def _place(text: str, end: int | None) -> tuple[int, int]:
    before = text[:end]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# Everything outside YAML's printable set (5.1), and the three characters that only YAML 1.1 takes for line breaks.
_UNSEEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def unseen(text: str, shown: str) -> list[Problem]:
    """The first character that no editor shows, with the number of others."""
    found = _UNSEEN.search(text)
    if not found:
        return []
    line, column = _place(text, found.start())
    code = f"U+{ord(found[0]):04X}"
    more = len(_UNSEEN.findall(text)) - 1
    others = f"; {more} more follow" if more else ""
    if found[0] in "\x85\u2028\u2029":
        fact, rule = f"the character {code} is a line break in YAML 1.1 only", "yaml/line-separator"
    else:
        fact, rule = f"the control character {code} is not allowed in YAML{others}", "yaml/control-character"
    return [Problem(shown, line, column, fact, "delete it, or write it as an escape in double quotes", rule)]


_Saying = tuple[str, str, str]
# (pattern in libyaml's or PyYAML's message, fact, remedy); {here} the character, {begun} the line the error began on
_SAYINGS: tuple[_Saying, ...] = (
    ("quoted scalar.*end of stream", "this quote is never closed", "close it"),
    ("mapping values are not allowed", "a ':' stands where no key can be", "put text that contains ': ' in quotes"),
    ("expected '-' indicator", "this does not continue the list of line {begun}", "begin the entry with '- '"),
    ("block collection.*block end", "this does not continue the list of line {begun}", "begin the entry with '- '"),
    (
        "expected key|block end",
        "this does not continue the map of line {begun}",
        "check the indentation; text that begins with a quote or a bracket needs quotes around all of it",
    ),
    ("flow sequence", "',' or ']' is missing in the list of line {begun}", "close the list, or separate its entries"),
    ("flow mapping", "',' or '}}' is missing in the map of line {begun}", "close the map, or separate its entries"),
    ("cannot start any token", "text cannot begin with {here!r}", "put it in quotes"),
    ("an alias.*alphabetic", "text cannot begin with '*': that refers to an anchor", "put it in quotes"),
    ("an anchor.*alphabetic", "text cannot begin with '&': that names an anchor", "put it in quotes"),
    ("escape", "this backslash escape is not known", "double the backslash, or use single quotes"),
    ("sequence entries are not allowed", "a list cannot begin beside its key", "begin it on the next line"),
    ("node content", "a value is missing before {here!r}", "write it, or put the text in quotes"),
    ("comment or line break|chomping", "text cannot stand beside '|' or '>'", "begin it on the next line"),
    ("could not find expected ':'", "this key has no ':'", "write ': ' behind it, or check the indentation"),
    ("document start", "nothing may follow the end of the document", "delete '...', or what follows it"),
    ("incompatible YAML", "this version of YAML is not known", "leave out the line that begins with %YAML"),
)


def syntax(error: yaml.YAMLError, text: str, shown: str) -> Problem:
    """The parser's complaint in the writer's words, where it noticed; an open quote where it was opened."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(shown, 0, 0, str(error), "", "yaml/syntax")
    begun = getattr(error, "context_mark", None) or mark
    said = f"{getattr(error, 'context', None) or ''}: {getattr(error, 'problem', None) or error}".lstrip(": ")
    here = text[mark.index : mark.index + 1]
    if here == "\t" or " tab " in said:
        return _tab(mark, text, shown)
    if "tag" in said:
        return Problem(shown, begun.line + 1, begun.column + 1, *TAG)
    fact, remedy = _saying(said, here, begun.line + 1)
    if "quote" in fact or "'*'" in fact or "'&'" in fact:
        mark = begun
    if re.search(r"[:\-] \{\{", text.splitlines()[mark.line] if here else ""):
        remedy = "text that begins with '{{' needs quotes around all of it"
    return Problem(shown, mark.line + 1, mark.column + 1, fact, remedy, "yaml/syntax")


TAG = ("tags such as !!str or !name are not used here", "leave it out; quotes make text", "yaml/tag")


def _saying(said: str, here: str, begun: int) -> tuple[str, str]:
    for pattern, fact, remedy in _SAYINGS:
        if re.search(pattern, said, re.DOTALL | re.IGNORECASE):
            return fact.format(here=here or "the end of the file", begun=begun), remedy
    return said, ""


def _tab(mark: Any, text: str, shown: str) -> Problem:
    others = sum(line.startswith("\t") and bool(line.strip()) for line in text.splitlines()[mark.line + 1 :])
    more = f"; {others} more lines begin with one" if others else ""
    return Problem(
        shown, mark.line + 1, mark.column + 1, "a tab is used for indentation", f"use spaces{more}", "yaml/tab"
    )
