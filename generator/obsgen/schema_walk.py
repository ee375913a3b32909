"""From a validation error back to the parts of the schema that speak about the same value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Schema = Mapping[str, Any]

_INTO_NAMED = ("properties", "patternProperties")
_INTO = ("additionalProperties", "unevaluatedProperties", "items", "propertyNames", "contains")
_BESIDE_NAMED = ("allOf", "anyOf", "oneOf", "dependentSchemas")
_BESIDE = ("if", "then", "else", "not")


def chain(root: Schema, steps: Sequence[str | int]) -> list[Schema]:
    """The schemas that `steps`, an evaluation path without its last keyword, passes for one value: its property's
    first, then what that refers to and branches into. The order is from the use of a type to its definition."""
    node: Any = root
    passed: list[Any] = [root]
    rest = iter(steps)
    for step in rest:
        if step == "$ref":
            node = resolve(root, node["$ref"])
        elif step in _INTO_NAMED or step in _BESIDE_NAMED:
            node = node[step][next(rest)]
        elif step == "prefixItems" or step in _INTO or step in _BESIDE:
            node = node[step] if step != "prefixItems" else node[step][next(rest)]
        else:
            break
        passed = [node] if step in _INTO_NAMED or step in _INTO or step == "prefixItems" else [*passed, node]
    return [schema for schema in passed if isinstance(schema, Mapping)]


def resolve(root: Schema, reference: str) -> Any:
    """What a local reference (`#/$defs/NAME`) points at; an empty schema for any other."""
    if not reference.startswith("#"):
        return {}
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        node = node[int(name)] if isinstance(node, list) else node[name]
    return node


def properties(root: Schema, schemas: Sequence[Schema]) -> dict[str, Schema]:
    """Every property that `schemas`, or what they refer to or branch into, describe; the first description counts."""
    found: dict[str, Schema] = {}
    for schema in _with_branches(root, schemas, set()):
        for name, described in schema.get("properties", {}).items():
            found.setdefault(name, described if isinstance(described, Mapping) else {})
    return found


def _with_branches(root: Schema, schemas: Sequence[Any], seen: set[int]) -> Iterator[Schema]:
    for schema in schemas:
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        inner = [resolve(root, schema["$ref"])] if "$ref" in schema else []
        inner += [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, ())]
        inner += [schema[word] for word in ("then", "else") if word in schema]
        yield from _with_branches(root, inner, seen)


def example(root: Schema, schemas: Sequence[Schema]) -> Any:
    """A value that the schemas offer as an example, or allow alone; None if they offer none."""
    described = list(_with_branches(root, schemas, set()))
    for word in ("examples", "enum"):
        for schema in described:
            if schema.get(word):
                return schema[word][0]
    return next((schema["const"] for schema in described if "const" in schema), None)
