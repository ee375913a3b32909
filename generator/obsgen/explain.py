"""Where a value comes from: written, overridden, or a default and its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .document import Path as Keys
from .document import did_you_mean
from .overlay import Layers
from .problem import Problem, ProblemsError
from .road import schema, shape
from .stack import stack

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
    described = _described(schema("observability"), keys, str(config), dotted)
    if value is not _MISSING:
        return _written(layers, dotted, keys, value) + _about(described)
    lines = [f"{dotted} = {_shown(described['default'])}" if "default" in described else f"{dotted} is not set"]
    if "default" in described:
        lines.append("  default" + (f": {described['x-why']}" if "x-why" in described else ""))
    deleted = [f"  deleted at {spot.file}:{spot.line}:{spot.column}" for spot, old in layers.history(keys)[:1] if old is None]
    return "\n".join([*lines, *deleted]) + "\n" + _about(described)


def _written(layers: Layers, dotted: str, keys: Keys, value: Any) -> str:
    history = layers.history(keys)
    lines = [f"{dotted} = {_shown(value)}"]
    for place, (spot, old) in enumerate(history):
        where = f"{spot.file}:{spot.line}:{spot.column}"
        if isinstance(value, dict):
            lines.append(f"  written at {where}")
        else:
            lines.append(f"  overrides {_shown(old)} at {where}" if place else f"  written at {where}")
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


def _described(root: Any, keys: Keys, file: str, dotted: str) -> dict[str, Any]:
    """The schema of the value at the path; ProblemsError where the grammar has no such key."""
    here = _resolved(root, root)
    for key in keys:
        known = here.get("properties", {})
        if isinstance(key, int):
            here = _resolved(root, here.get("items", {}))
        elif key in known:
            here = _resolved(root, known[key])
        elif isinstance(here.get("additionalProperties"), dict):
            here = _resolved(root, here["additionalProperties"])
        elif branch := _branch(root, here, key):
            here = branch
        else:
            guess = did_you_mean(key, known)
            remedy = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(known) or 'none'}"
            problem = Problem(file, 0, 0, f"the grammar has no {key!r} in {dotted}", remedy, "explain/path")
            raise ProblemsError([problem], could_not_run=True)
    return here


def _branch(root: Any, here: dict[str, Any], key: str) -> dict[str, Any] | None:
    """The property of whichever `if/then` branch has it."""
    for option in here.get("allOf", ()):
        then = _resolved(root, option.get("then", {}))
        if key in then.get("properties", {}):
            return _resolved(root, then["properties"][key])
    return None


def _resolved(root: Any, found: dict[str, Any]) -> dict[str, Any]:
    """A `$ref` followed; words beside it win, as 2020-12 says."""
    while "$ref" in found:
        target = root
        for step in found["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found = {**target, **{word: value for word, value in found.items() if word != "$ref"}}
    return found
