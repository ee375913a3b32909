"""Where a value comes from: written, overridden, or a default and its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs

from . import model, packs, render
from .document import Path as Keys
from .document import did_you_mean
from .overlay import Layers
from .problem import Problem, ProblemsError
from .road import schema, shape
from .schema_walk import resolve
from .stack import stack

Schema = dict[str, Any]
_MISSING = object()


def explain(config: Path, profile: str, dotted: str) -> str:
    """The value at a dotted path, the place that wrote it and what that overrode; or the schema's default and why it is so.

    Raises ProblemsError for a declaration whose shape is wrong, and for a path that the grammar doesn't have.
    """
    layers = stack(config, profile, config.parent / "profiles")
    problems = shape(layers)
    if problems:
        raise ProblemsError(problems)
    keys = _keys(layers.data, dotted)
    value = _at(layers.data, keys)
    described = _described(schema("observability"), layers.data, keys, str(config), dotted)
    shipped = _shipped(layers, keys)
    if value is not _MISSING:
        return _written(layers, dotted, keys, value, shipped) + _about(described)
    deleted = next((spot for spot, old in layers.history(keys)[:1] if old is None), None)
    if shipped is not _MISSING and not deleted:
        return f"{dotted} = {_shown(shipped)}\n  shipped by the pack {keys[1]!r}\n" + _about(described)
    lines = [f"{dotted} = {_shown(described['default'])}" if "default" in described else f"{dotted} is not set"]
    if "default" in described:
        lines.append("  default" + (f": {described['x-why']}" if "x-why" in described else ""))
    if deleted:
        lines.append(f"  deleted at {deleted.file}:{deleted.line}:{deleted.column}")
    return "\n".join(lines) + "\n" + _about(described)


def _shipped(layers: Layers, keys: Keys) -> Any:
    """What a pack says at the path before it is tuned."""
    if len(keys) < 3 or keys[0] != "packs":
        return _MISSING
    declaration = model.declaration(layers.data, schema("observability"))
    shipped = packs.shipped(declaration, render.pack, [document.data for document in layers.documents])
    return _at(shipped, keys[1:])


def _written(layers: Layers, dotted: str, keys: Keys, value: Any, shipped: Any) -> str:
    history = layers.history(keys)
    lines = [f"{dotted} = {_shown(value)}"]
    for place, (spot, old) in enumerate(history):
        where = f"{spot.file}:{spot.line}:{spot.column}"
        if isinstance(value, dict):
            lines.append(f"  written at {where}")
        else:
            lines.append(f"  overrides {_shown(old)} at {where}" if place else f"  written at {where}")
    if shipped is not _MISSING:
        verb = "tunes what" if isinstance(value, dict) else f"overrides {_shown(shipped)}, which"
        lines.append(f"  {verb} the pack {keys[1]!r} ships")
    return "\n".join(lines) + "\n"


def _about(described: dict[str, Any]) -> str:
    return f"  {described['description']}\n" if "description" in described else ""


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _keys(data: Any, dotted: str) -> Keys:
    """The path meant: a dot separates keys, and a key that holds dots is taken whole where the data has it."""
    keys: list[str | int] = []
    rest = dotted.split(".")
    while rest:
        length = next((n for n in range(len(rest), 0, -1) if isinstance(data, dict) and ".".join(rest[:n]) in data), 1)
        key: str | int = ".".join(rest[:length])
        if isinstance(data, list) and str(key).isdigit():
            key = int(key)
        keys.append(key)
        data = _at(data, (key,))
        rest = rest[length:]
    return tuple(keys)


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        held = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if key not in held:
            return _MISSING
        data = held[key]
    return data


def _described(root: Schema, data: Any, keys: Keys, file: str, dotted: str) -> Schema:
    """What the schemas say of the value at the path, the nearest first; ProblemsError where the grammar has no such key."""
    here = list(_speaking(root, root, data))
    for key in keys:
        data = _at(data, (key,))
        inner = [part for schema in here for part in _inner(schema, key)]
        if not inner and not _open(here):
            raise ProblemsError([_unknown(here, key, file, dotted)], could_not_run=True)
        here = [schema for part in inner for schema in _speaking(root, part, data)]
    return {word: said for schema in reversed(here) for word, said in schema.items()}


def _speaking(root: Schema, schema: Schema, data: Any) -> Iterator[Schema]:
    """A schema, what it refers to, and those of its branches that are about this value; all of them where there is none."""
    yield schema
    parts = [resolve(root, schema["$ref"])] if "$ref" in schema else []
    parts += schema.get("allOf", [])
    if "if" in schema:
        whole = {"$schema": root["$schema"], "$defs": root["$defs"], **schema["if"]}
        holds = data is not _MISSING and jsonschema_rs.is_valid(whole, data)
        parts += [
            schema[word]
            for word in ("then", "else")
            if word in schema and (data is _MISSING or (word == "then") == holds)
        ]
    for part in parts:
        yield from _speaking(root, part, data)


def _inner(schema: Schema, key: str | int) -> Iterator[Schema]:
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    if isinstance(key, int):
        yield from [schema["items"]] if "items" in schema else []
    elif key in named:
        yield named[key]
    elif isinstance(others, dict):
        yield others


def _open(here: list[Schema]) -> bool:
    """Whether the value is a map whose keys belong to somebody else, such as a server's."""
    return all(schema.get("type", "object") == "object" and "additionalProperties" not in schema for schema in here)


def _unknown(here: list[Schema], key: str | int, file: str, dotted: str) -> Problem:
    known = list(dict.fromkeys(name for schema in here for name in schema.get("properties", {})))
    guess = did_you_mean(str(key), known)
    remedy = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(known) or 'none'}"
    return Problem(file, 0, 0, f"the grammar has no {key!r} in {dotted!r}", remedy, "explain/path")
