"""Facts and remedies about single values, in the words of the person who wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from .document import did_you_mean
from .schema_walk import Schema, example, properties
from .yaml_surprises import plain

MAX_LISTED = 8  # names in one message: more is a reference, not a hint
MAX_SHOWN = 60  # characters of a value in a message

_TOO = {
    "minimum": ("too small", "at least {}"),
    "exclusiveMinimum": ("too small", "more than {}"),
    "maximum": ("too large", "at most {}"),
    "exclusiveMaximum": ("too large", "less than {}"),
    "multipleOf": ("not a whole step", "write a multiple of {}"),
}
_COUNTED = {
    "minItems": ("this list has {} entries", "write at least {}"),
    "maxItems": ("this list has {} entries", "write at most {}"),
    "minProperties": ("this map has {} keys", "write at least {}"),
    "maxProperties": ("this map has {} keys", "write at most {}"),
    "minLength": ("this text has {} characters", "write at least {}"),
    "maxLength": ("this text has {} characters", "write at most {}"),
}


def value_words(error: Any, schemas: list[Schema], root: Schema) -> tuple[str, str, str]:
    """(rule, fact, remedy) for a value that breaks one keyword; `schemas` are those that speak about it."""
    value, limit, word = error.instance, error.kind.value, error.kind.name
    message = next((schema["x-message"] for schema in reversed(schemas) if "x-message" in schema), None)
    if message and word in ("type", "pattern", "maxLength"):
        return f"shape/{word.lower()}", message, ""  # and not the value: it may be a secret
    shown = for_example(example(root, schemas))
    if word == "type":
        return ("shape/type", *type_words(value, error.kind.types, schemas, root))
    if word == "enum":
        return "shape/enum", *_choice_words(limit, value)
    if word == "const":
        return "shape/const", f"{say(value)} is not {say(limit)}", f"write {flow(limit)}"
    if word in _TOO:
        too, bound = _TOO[word]
        return "shape/range", f"{say(value)} is {too}", bound.format(say(limit))
    if word in _COUNTED:
        counted, bound = _COUNTED[word]
        fewer = bound.format(limit)
        return "shape/length", counted.format(len(value) or "no"), fewer if value else shown or fewer
    if word == "pattern":
        return "shape/pattern", f"{say(value)} is not valid", shown or f"it must match {limit}"
    if word == "format":
        return "shape/format", f"{say(value)} is not a valid {limit}", shown
    return "shape/value", str(error.message), shown


def _choice_words(options: list[Any], value: Any) -> tuple[str, str]:
    texts = [option for option in options if isinstance(option, str)]
    meant = did_you_mean(value, texts) if isinstance(value, str) else None
    fact = f"{say(value)} is not one of {', '.join(map(say, options))}"
    return fact, f"did you mean {meant!r}?" if meant else ""


_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a map",
    "array": "a list",
    "null": "null",
}


def _kind_of(value: Any, expected: list[str]) -> str:
    if value is None or isinstance(value, bool):
        return say(value)
    if isinstance(value, float) and "integer" in expected:
        return say(value)
    python = {str: "string", int: "number", float: "number", dict: "object", list: "array"}
    return _WORDS[python[type(value)]]


def type_words(value: Any, expected: list[str], schemas: list[Schema], root: Schema) -> tuple[str, str]:
    """(fact, remedy). Null is not named where something else would do: only profiles write it, to delete."""
    named = [kind for kind in expected if kind != "null"] or expected
    fact = f"this is {_kind_of(value, named)}, not {' or '.join(_WORDS[kind] for kind in named)}"
    if value is None:
        return fact, "write a value, or leave the key out"
    if "string" in named and not isinstance(value, dict | list):
        return fact, "put it in quotes"
    if isinstance(value, str) and type(plain(value)) in _python_types(named):
        return fact, "leave the quotes out"
    if "array" in named and not isinstance(value, dict):
        return fact, f"write [{flow(value)}]"
    if "object" in named:
        known = list(properties(root, schemas))
        if known:
            return fact, listed("expected a map with ", known)
    return fact, for_example(example(root, schemas))


def _python_types(expected: list[str]) -> tuple[type, ...]:
    types: dict[str, tuple[type, ...]] = {"integer": (int,), "number": (int, float), "boolean": (bool,)}
    return tuple(python for kind in expected for python in types.get(kind, ()))


def for_example(shown: Any) -> str:
    """The remedy that shows `shown`; none for None."""
    return "" if shown is None else f"for example {say(shown)}"


def listed(lead: str, names: list[str]) -> str:
    """`lead` and the names, or nothing if they are more than one takes in."""
    return lead + quoted(names) if 0 < len(names) <= MAX_LISTED else ""


def quoted(names: Iterable[str]) -> str:
    """Names as they stand in a sentence."""
    return ", ".join(map(repr, names))


def say(value: Any) -> str:
    """A value as it stands in a sentence: text in quotes, anything else as YAML, cut at 60 characters."""
    shown = repr(value) if isinstance(value, str) else flow(value)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"


def flow(value: Any) -> str:
    """A value as YAML on one line, ready to be copied."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
