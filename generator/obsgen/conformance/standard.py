"""What lines are held to: the contract, from a rendered `contract.json` or straight from the declaration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from .. import contract as rendered
from ..model import Declaration, seconds, size
from ..problem import Problem, ProblemsError

Kind = Literal["string", "number", "boolean", "object"]


class Field(msgspec.Struct, frozen=True):
    """Where a declared field stands in a line, and its JSON type."""

    path: tuple[str, ...]
    type: Kind


class Logging(msgspec.Struct, frozen=True):
    """The part of a contract that is about lines."""

    levels: tuple[str, ...]
    required: tuple[str, ...]
    fields: dict[str, Field]
    redact: tuple[str, ...]


class Contract(msgspec.Struct, frozen=True):
    """`contract.json` of version 1, as far as lines go; what else stands there is others'."""

    version: Literal[1]
    services: tuple[str, ...]
    logging: Logging


class Volume(NamedTuple):
    """The promise `objectives.log_volume`: bytes a day, of each service or of all together."""

    bytes: float
    each: bool


class Standard(NamedTuple):
    """What lines are held to. A contract alone knows no promised volume."""

    contract: Contract
    volume: Volume | None = None


def of(declaration: Declaration) -> Standard:
    """The standard of a declaration under its profile."""
    promised = declaration.objectives.get("log_volume")
    volume = None
    if promised and promised.max is not None:
        day = size(str(promised.max)) * 86_400 / seconds(promised.window or "1d")
        volume = Volume(day, promised.per == "service")
    return Standard(msgspec.convert(rendered.contract(declaration), Contract), volume)


def read(path: Path) -> Standard:
    """The standard of a `contract.json`. Raises ProblemsError (could not run) where it is none."""
    try:
        return Standard(msgspec.json.decode(path.read_bytes(), type=Contract))
    except OSError as error:
        raise _stopped(path, error.strerror or str(error), "name the rendered contract/contract.json") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _stopped(path, f"no contract of version 1: {error}", "render it: obsgen render") from None


def _stopped(path: Path, fact: str, remedy: str) -> ProblemsError:
    return ProblemsError([Problem(str(path), 0, 0, fact, remedy, "usage/contract")], could_not_run=True)


def declared_types(contract: Contract) -> dict[str, Any]:
    """The fields as a tree: key → its JSON type, or the tree below it."""
    tree: dict[str, Any] = {}
    for field in sorted(contract.logging.fields.values(), key=lambda field: len(field.path), reverse=True):
        below = tree
        for key in field.path[:-1]:
            below = below.setdefault(key, {})
        below.setdefault(field.path[-1], field.type)
    return tree
