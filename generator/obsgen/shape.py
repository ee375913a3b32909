"""Data against a JSON Schema, told in the words of the person who wrote the data."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from .document import Path, Spot, did_you_mean
from .problem import Problem, ProblemsError
from .schema_walk import Schema, chain, example, properties
from .shape_words import flow, for_example, listed, quoted, say, type_words, value_words

Where = Callable[[Path, bool], Spot | None]


class _Finding(NamedTuple):
    """What is wrong at `path`, or with its key. `meant`: the known key that an unknown one probably stands for."""

    path: Path
    key: bool
    rule: str
    fact: str
    remedy: str
    meant: str | None = None


def check_shape(data: Any, spot: Where, schema: Schema) -> list[Problem]:
    """Every place where `data` is not what `schema` (Draft 2020-12, local references) describes; one problem a place.

    `spot(path, key)` says where the value at `path`, or its key, was written, or None: then the nearest ancestor is
    named. It is the `spot` of a Document or of Layers. Raises ProblemsError, exit 2, where `schema` itself is none.
    """
    validator = _validator(json.dumps(schema))
    errors = list(_leaves(validator.iter_errors(data)))
    findings = [finding for error in errors for finding in _findings(error, schema, errors)]
    return sorted(_problem(finding, spot) for finding in _one_a_place(findings))


@functools.lru_cache(maxsize=16)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(schema, offline=True)
    except jsonschema_rs.ValidationError as error:  # of the schema itself
        place = ".".join(map(str, error.instance_path))
        fact = f"no JSON Schema: {place}{place and ': '}{error.message}"
        problem = Problem("schemas", 0, 0, fact, "", "schema/invalid")
        raise ProblemsError([problem], could_not_run=True) from error


def _leaves(errors: Iterable[Any]) -> Iterator[Any]:
    """The errors with each `anyOf` replaced by what is wrong in the branch that was meant, where one can be told."""
    for error in errors:
        branches = getattr(error.kind, "context", ())
        fitting = [branch for branch in branches if not any(_wrong_kind(inner, error) for inner in branch)]
        if fitting and not all(_only_required(branch) for branch in branches):
            yield from _leaves(sorted(fitting, key=len)[0])
        else:
            yield error


def _wrong_kind(inner: Any, error: Any) -> bool:
    return inner.instance_path == error.instance_path and inner.kind.name in ("type", "const", "enum")


def _only_required(branch: list[Any]) -> bool:
    return all(error.kind.name == "required" for error in branch)


def _one_a_place(findings: list[_Finding]) -> list[_Finding]:
    """A value of the wrong type has no other problem; a key that is misspelt is not missing too."""
    misspelt = {(*finding.path[:-1], finding.meant) for finding in findings if finding.meant}
    mistyped = {finding.path for finding in findings if finding.rule == "shape/type"}
    first: dict[tuple[Path, bool], _Finding] = {}
    for finding in findings:
        implied = finding.rule == "shape/required" and finding.path in misspelt
        if finding.rule == "shape/type" or not (implied or mistyped & {finding.path, finding.path[:-1]}):
            first.setdefault((finding.path, finding.key), finding)
    return list(first.values())


def _problem(finding: _Finding, spot: Where) -> Problem:
    path, place = finding.path, spot(finding.path, finding.key)
    while place is None and path:
        path = path[:-1]
        place = spot(path, True)
    return Problem(*(place or Spot("", 0, 0)), finding.fact, finding.remedy, finding.rule)


class _Case(NamedTuple):
    """An error with the schemas that speak about its value, outermost first, and the whole it belongs to."""

    path: Path
    error: Any
    schemas: list[Schema]
    root: Schema
    errors: list[Any]


def _findings(error: Any, root: Schema, errors: list[Any]) -> Iterable[_Finding]:
    steps, word = error.evaluation_path, error.kind.name
    schemas = chain(root, steps if word == "falseSchema" else steps[:-1])
    case = _Case(tuple(error.instance_path), error, schemas, root, errors)
    tell = _TELLERS.get(word)
    return tell(case) if tell else [_Finding(case.path, False, *value_words(error, schemas, root))]


def _additional(case: _Case) -> Iterator[_Finding]:
    known = case.schemas[-1].get("properties", {})
    return (_unknown(case, name, known) for name in case.error.kind.unexpected)


def _unevaluated(case: _Case) -> Iterator[_Finding]:
    """A branch that fails leaves its keys unevaluated: then only keys that no branch knows are the writer's fault."""
    known = properties(case.root, case.schemas)
    others = (other for other in case.errors if other is not case.error)
    alone = not any(tuple(other.instance_path[: len(case.path)]) == case.path for other in others)
    for name in case.error.kind.unexpected:
        if name not in known:
            yield _unknown(case, name, known)
        elif alone:
            yield _not_allowed((*case.path, name), f"{name!r} is not allowed here")


def _unknown(case: _Case, name: str, known: Iterable[str]) -> _Finding:
    meant = did_you_mean(name, [other for other in known if other not in case.error.instance])
    remedy = f"did you mean {meant!r}?" if meant else listed("known here: ", list(known))
    return _Finding((*case.path, name), True, "shape/unknown-key", f"unknown key {name!r}", remedy, meant)


def _required(case: _Case) -> Iterator[_Finding]:
    name = case.error.kind.property
    if message := case.schemas[-1].get("x-message"):
        yield _Finding(case.path, True, "shape/required", message, "")
        return
    shown = example(case.root, [properties(case.root, case.schemas[::-1]).get(name, {})])
    remedy = "add it" if shown is None else f"add for example `{name}: {flow(shown)}`"
    yield _Finding((*case.path, name), False, "shape/required", f"{name!r} is missing", remedy)


def _property_name(case: _Case) -> Iterator[_Finding]:
    inner = case.error.kind.error
    rule, fact, remedy = value_words(inner, case.schemas, case.root)
    rule, fact = "shape/name", f"{inner.instance!r} is not a valid name here"
    yield _Finding((*case.path, inner.instance), True, rule, fact, remedy)


def _false_schema(case: _Case) -> Iterator[_Finding]:
    yield _not_allowed((*case.path,), f"{case.path[-1]!r} is not allowed here" if case.path else "nothing is allowed")


def _not_allowed(path: Path, fact: str, remedy: str = "leave it out") -> _Finding:
    return _Finding(path, True, "shape/not-allowed", fact, remedy)


def _not(case: _Case) -> Iterator[_Finding]:
    if message := case.schemas[-1].get("x-message"):
        yield _not_allowed(case.path, message, "")
        return
    schema = case.error.kind.schema
    names = schema.get("required", []) if isinstance(schema, dict) else []
    if len(names) > 1:
        fact = f"{' and '.join(map(repr, names))} cannot stand together"
        yield _not_allowed((*case.path, names[-1]), fact, "leave one of them out")
    elif names:
        yield _not_allowed((*case.path, names[0]), f"{names[0]!r} is not allowed here")
    else:
        remedy = schema.get("description", "") if isinstance(schema, dict) else ""
        fact = f"{say(case.error.instance)} is not allowed here"
        yield _Finding(case.path, False, "shape/not-allowed", fact, remedy)


def _unique(case: _Case) -> Iterator[_Finding]:
    items = case.error.instance
    index = next(index for index, item in enumerate(items) if item in items[:index])
    fact = f"{say(items[index])} stands in this list already"
    yield _Finding((*case.path, index), False, "shape/unique", fact, "leave it out")


def _no_branch(case: _Case) -> Iterator[_Finding]:
    """No branch of anyOf or oneOf is meant in particular: the types they take, or the keys they ask for."""
    value, kind = case.error.instance, case.error.kind
    inner = [leaf for branch in kind.context for leaf in branch]
    types = [name for leaf in inner if leaf.kind.name == "type" for name in leaf.kind.types]
    branches = case.schemas[-1].get(kind.name, ())
    names = [name for branch in branches if isinstance(branch, dict) for name in branch.get("required", ())]
    if types:
        words = type_words(value, list(dict.fromkeys(types)), case.schemas, case.root)
        yield _Finding(case.path, False, "shape/type", *words)
    elif names and not inner and isinstance(value, dict):
        given = [name for name in names if name in value]
        yield _not_allowed((*case.path, given[-1]), f"only one of {quoted(given)} can be given", "leave the others out")
    elif names:
        yield _Finding(case.path, True, "shape/required", f"one of {quoted(names)} is missing", "add one of them")
    else:
        remedy = for_example(example(case.root, case.schemas))
        yield _Finding(case.path, False, "shape/value", f"{say(value)} is not valid", remedy)


_TELLERS: dict[str, Callable[[_Case], Iterator[_Finding]]] = {
    "additionalProperties": _additional,
    "unevaluatedProperties": _unevaluated,
    "required": _required,
    "propertyNames": _property_name,
    "falseSchema": _false_schema,
    "not": _not,
    "uniqueItems": _unique,
    "anyOf": _no_branch,
    "oneOf": _no_branch,
}
