"""What can be said of an object by its keys and the types of their values alone.

A service writes few shapes of lines, over and over, so each is looked at once: which declared key is missing or has another type,
which keys hold texts, objects and lists, which are secret. A line then costs little more than finding its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from .credentials import Credentials
from .tally import Finding

KINDS: Mapping[type, str] = {
    str: "text", int: "a number", float: "a number", bool: "true or false", dict: "an object", list: "a list", type(None): "null"
}  # fmt: skip
DECLARED = {"string": "text", "number": "a number", "boolean": "true or false", "object": "an object"}
MOST_SHAPES, MOST_KEYS = 1000, 10_000
"""Of one object; of all. Keys that are ids would fill the memory: beyond, shapes are looked at again and types no longer followed."""

FORMS = ("timestamp", "level", "service", "trace_id")
EXPLAINS = frozenset({"error", "error_type", "error_code", "stack_trace"})
SPECIAL = frozenset({*FORMS, "span_id", *EXPLAINS})
"""Fields of the standard whose meaning is known, not only their type (docs/design.md, "A log line")."""

_RULES = {"timestamp": "logs/timestamp", "level": "logs/level"}  # where a type is part of the form
_AS_DECLARED = "write it as the contract declares it"
_REMEDIES = {"logs/type-drift": "write one type, and declare it under logging.fields"}
_WITHOUT_SECRETS = frozenset(
    {"timestamp", "level", "trace_id", "span_id"}
)  # their forms are checked, or they are hexadecimal
Shape = tuple[Any, ...]


class Rest(NamedTuple):
    """What only some shapes have: lists below them, secret keys, findings about every object of the shape."""

    lists: tuple[tuple[str, Node], ...]
    secret: tuple[str, ...]
    findings: tuple[Finding, ...]


class Plan(NamedTuple):
    """What there is to do with an object of one shape.

    `explains`: it has a field that says what an error is; `plain`: it holds texts and nothing else.
    """

    keys: int
    texts: Callable[[dict[str, Any]], tuple[Any, ...]] | None
    objects: tuple[tuple[str, Node], ...]
    rest: Rest | None
    explains: bool
    plain: bool


class Known:
    """What all nodes of a stream share: the declared types, the fields by special names, the types seen so far."""

    def __init__(
        self, required: Iterable[tuple[str, ...]], special: Mapping[tuple[str, ...], str], credentials: Credentials
    ) -> None:
        self.required, self.special, self.credentials = frozenset(required), special, credentials
        self.keys = 0

    @property
    def full(self) -> bool:
        """Whether types of further keys are no longer followed."""
        return self.keys >= MOST_KEYS


class Node:
    """The objects at one path of a line. `types` is the declared tree below it."""

    def __init__(self, known: Known, path: tuple[str, ...] = (), types: Mapping[str, Any] | None = None) -> None:
        self.known, self.path, self.types = known, path, types or {}
        self.plans: dict[Shape, Plan] = {}
        self.last: dict[str, Any] | None = None  # the last plain object: `metadata` is the same in every line
        self.last_keys, self.last_texts = 0, tuple[Any, ...]()
        self._below: dict[str, Node] = {}
        self._kinds: dict[str, tuple[str, str]] = {}

    def plan(self, value: dict[str, Any], where: str) -> Plan:
        """Looks at an object's shape for the first time; `where` is its line, told when a later one has other types."""
        kinds = [(key, type(item)) for key, item in value.items()]
        secret = tuple(key for key, _ in kinds if self.known.credentials.key(key))
        plain = [(key, kind) for key, kind in kinds if key not in secret]
        rest = Rest(
            tuple((key, self.below(key)) for key, kind in kinds if kind is list),
            secret,
            (*self._missing(value), *self._types(kinds, where)),
        )
        made = Plan(
            len(value),
            _getter([key for key, kind in plain if kind is str and self._name(key) not in _WITHOUT_SECRETS]),
            tuple((key, self.below(key)) for key, kind in kinds if kind is dict),
            rest if any(rest) else None,
            not EXPLAINS.isdisjoint(map(self._name, value)),
            not any(rest) and bool(kinds) and all(kind is str and not self._name(key) for key, kind in kinds),
        )
        if len(self.plans) >= MOST_SHAPES:
            self.plans.clear()
        self.plans[(*value, *map(type, value.values()))] = made
        return made

    def below(self, key: str) -> Node:
        """The objects under a key, or in a list under it."""
        found = self._below.get(key)
        if found is None:
            types = self.types.get(key)
            found = Node(self.known, (*self.path, key), types if isinstance(types, dict) else None)
            if not self.known.full:
                self._below[key] = found
        return found

    def _name(self, key: str) -> str:
        return self.known.special.get((*self.path, key), "")

    def _missing(self, value: dict[str, Any]) -> list[Finding]:
        depth = len(self.path)
        below = (path for path in self.known.required if path[:depth] == self.path and len(path) > depth)
        # of a path that breaks off higher up the object above has spoken already
        names = sorted(".".join(path) for path in below if path[depth] not in value)
        if not names:
            return []
        verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
        return [
            Finding(
                "logs/required", f"{_listed(names)} {verb} missing", f"the contract requires every line to have {them}"
            )
        ]

    def _types(self, kinds: list[tuple[str, type]], where: str) -> list[Finding]:
        wrong: dict[str, list[tuple[str, str]]] = {}
        for key, kind in kinds:
            name, here = ".".join((*self.path, key)), KINDS[kind]
            declared = self.types.get(key)
            if declared is not None:
                rule = _RULES.get(self._name(key), "logs/type")
                expected = DECLARED["object" if isinstance(declared, dict) else declared]
                if here != expected:
                    wrong.setdefault(rule, []).append((key, f"{name!r} is {here}, not {expected}"))
            elif kind is not type(None):
                before, first = self._seen(key, here, where)
                if before != here:
                    fact = f"{name!r} is {here}, and was {before} at {first}"
                    wrong.setdefault("logs/type-drift", []).append((key, fact))
        return [
            Finding(rule, "; ".join(fact for _, fact in found), _REMEDIES.get(rule, _AS_DECLARED), found[0][0])
            for rule, found in wrong.items()
        ]

    def _seen(self, key: str, here: str, where: str) -> tuple[str, str]:
        found = self._kinds.get(key)
        if found is None:
            found = here, where
            if not self.known.full:
                self.known.keys += 1
                self._kinds[key] = found
        return found


def _getter(keys: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]] | None:
    if not keys:
        return None
    if len(keys) == 1:
        (key,) = keys
        return lambda value: (value[key],)
    return itemgetter(*keys)


def _listed(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
