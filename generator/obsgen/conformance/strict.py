"""What is wrong with a line that is not one strict JSON object, in words. Only broken lines come here, so it may take its time."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

NOT_JSON, NOT_ONE, TWICE = "logs/json", "logs/object", "logs/duplicate-key"
_ONE_OBJECT = "write each entry as one JSON object on a line of its own"
_KINDS = {
    list: "an array",
    str: "a text",
    bool: "true or false",
    type(None): "null",
    int: "a number",
    float: "a number",
}


class Fault(NamedTuple):
    """The rule that is broken, the fact, the remedy, and the byte of the line that it is about, from 0."""

    rule: str
    fact: str
    remedy: str
    byte: int = 0


class DuplicateKeyError(ValueError):
    """Carries the key."""


def read(line: bytes) -> Any:
    """The value of a line, by JSON as RFC 8259 has it: no NaN, no key twice. Raises ValueError, RecursionError or msgspec's errors."""
    value = msgspec.json.decode(line)
    json.loads(line, object_pairs_hook=_once)
    return value


def fault(line: bytes, error: Exception) -> Fault:
    """Of a line that msgspec refused: what is the matter, and where."""
    if not line.strip():
        return Fault(NOT_JSON, "an empty line", _ONE_OBJECT)
    if isinstance(error, RecursionError):
        return Fault(NOT_JSON, "containers are nested deeper than readers go", "flatten the context")
    if isinstance(error, UnicodeDecodeError):
        return Fault(NOT_JSON, "not UTF-8", "write UTF-8", _not_utf8(line))
    begin = len(line) - len(line.lstrip())
    if line[begin : begin + 1] != b"{":
        return Fault(NOT_JSON, "text, not JSON", "let every library log through the service's logger", begin)
    return _in_object(line, str(error))


def _in_object(line: bytes, said: str) -> Fault:
    place = re.search(r"\(byte (\d+)\)", said)
    byte = int(place[1]) if place else len(line)
    if "trailing characters" in said:  # its place is the one behind (msgspec 0.22)
        remedy = "write a line in one piece: a single write, or a lock"
        return Fault(NOT_ONE, "something follows the object", remedy, byte - 1)
    byte -= line[byte - 1 : byte] == b"-"
    if constant := re.match(rb"-?(NaN|Infinity)", line[byte:]):
        return Fault(NOT_JSON, f"{constant[0].decode()} is no JSON", "write it as text, or null", byte)
    if "out of range" in said:
        return Fault(NOT_JSON, "a number that no double holds", "write it as text")
    if place is None:
        if _lenient(line):
            return Fault(NOT_JSON, "half of a surrogate pair", "write U+FFFD in its place")
        return Fault(
            NOT_JSON, "the line ends within the object", "write a line in one piece, and less than 16 KiB", byte
        )
    if line[byte : byte + 1] < b" ":
        return Fault(NOT_JSON, "a control character within a text", "escape it", byte)
    return Fault(
        NOT_JSON, said.removeprefix("JSON is malformed: ").partition(" (byte")[0], "encode it with a JSON library", byte
    )


def not_an_object(value: Any) -> Fault:
    """Of a line that is JSON and no object."""
    return Fault(NOT_ONE, f"{_KINDS[type(value)]}, not an object", _ONE_OBJECT)


def duplicate(line: bytes) -> Fault | None:
    """The first key that stands twice in one object, if any."""
    try:
        json.loads(line, object_pairs_hook=_once)
    except DuplicateKeyError as error:
        key = str(error)
        first = line.find(json.dumps(key, ensure_ascii=False).encode("utf-8", "replace"))
        again = line.find(json.dumps(key, ensure_ascii=False).encode("utf-8", "replace"), first + 1)
        return Fault(TWICE, f"the key {key!r} stands twice", "give each a name of its own", max(again, 0))
    except (ValueError, RecursionError):  # beyond what the standard library reads, such as integers of 5,000 digits
        return None
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise DuplicateKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _not_utf8(line: bytes) -> int:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _lenient(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
