"""The road from files to a plan: document, shape, model, packs, groups. Every verb starts here."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path as FilePath
from typing import Any

from . import model, packs, render, rule_files, rules, schema_file
from .artifacts import artifacts
from .assets import SCHEMAS
from .document import Path, Spot
from .overlay import Layers
from .plan import Plan
from .problem import Problem, ProblemsError
from .shape import check_shape
from .stack import stack
from .taken import taken


@dataclass(frozen=True, eq=False)
class Declared:
    """A declaration under one profile: what was written, where, and what it means. Each is equal to itself only."""

    layers: Layers
    declaration: model.Declaration
    packs: Mapping[str, packs.Expanded]
    profile: str
    sources: tuple[str, ...]
    taken: Mapping[str, str]

    @functools.cached_property
    def plan(self) -> Plan:
        """What will be rendered; only to be asked for where the checks find every name that a rule needs (owners, teams)."""
        groups = rules.groups(self.declaration, self.packs)
        return Plan(self.declaration, self.profile, self.sources, self.packs, groups, self.taken)


@functools.cache
def schema(name: str) -> Any:
    """A shipped JSON Schema by name: `observability`, `profile`. Raises ProblemsError as `schema_file.read` does."""
    return schema_file.read(SCHEMAS / f"{name}.schema.json")


def load(config: FilePath, profile: str) -> Declared:
    """The declaration with a profile over it, its shape right. Raises ProblemsError with every problem of syntax and shape."""
    layers = stack(config, profile, config.parent / "profiles")
    problems = shape(layers)
    if problems:
        raise ProblemsError(problems)
    declaration = model.declaration(layers.data, schema("observability"))
    said = [document.data for document in layers.documents]
    files = taken(layers, declaration, config.parent)
    tuned = packs.tuned(packs.shipped(declaration, render.pack, said, _loki_rules(declaration, files)), said)
    problems = [*tuning(layers, tuned), *_hidden(layers, tuned)]
    if problems:
        raise ProblemsError(problems)
    expanded = packs.expand(tuned, declaration.alerts)
    # from the declaration's folder, so that a header is the same wherever the command was typed
    sources = tuple(relpath(document.file, config.parent) for document in (*layers.documents, *layers.included))
    return Declared(layers, declaration, expanded, profile, sources, files)


def _hidden(layers: Layers, tuned: Mapping[str, Any]) -> Iterator[Problem]:
    """An alert of an included file under the name of a pack's: the declaration may put its own in that place, a team's file may not."""
    included = {document.file for document in layers.included}
    for pack in tuned:
        for name in layers.data.get("alerts") or {}:
            if name in (tuned[pack].get("alerts") or {}) and layers.spot(("alerts", name), key=True).file in included:
                fact = f"{name!r} is defined twice: by the pack {pack} too"
                yield layers.problem(("alerts", name), fact, "give it another name", "include/defined-twice", key=True)


def _loki_rules(declaration: model.Declaration, taken: Mapping[str, str]) -> int:
    files = (rule_files.read(name, taken[name]) for name in declaration.rule_files)
    return sum(len(file.rules) for file in files if file.engine == "loki" and not file.fault)


def shape(layers: Layers) -> list[Problem]:
    """What the schemas say: of the declaration alone, of each profile alone, and then, if both are right, of the result."""
    base = layers.base
    problems = check_shape(base.data, base.spot, schema("observability"))
    for profile in layers.profiles:
        problems += check_shape(profile.data, profile.spot, schema("profile"))
    if not problems and layers.profiles:
        problems = check_shape(layers.data, layers.spot, schema("observability"))
    return sorted(set(problems))


def tuning(layers: Layers, tuned: Mapping[str, Any]) -> list[Problem]:
    """What the schema says of a pack's alerts once they are tuned, told where the tuning was written."""
    whole = schema("observability")
    alerts = {"$schema": whole["$schema"], "$defs": whole["$defs"], "additionalProperties": {"$ref": "#/$defs/alert"}}
    found: list[Problem] = []
    for name in tuned:

        def spot(path: Path, key: bool = False, name: str = name) -> Spot:
            return layers.spot(("packs", name, "alerts", *path), key)

        found += check_shape(tuned[name].get("alerts") or {}, spot, alerts)
    return sorted(set(found))


def texts(declared: Declared) -> dict[str, str]:
    """`{path: text}` of everything rendered for this profile."""
    return render.render(artifacts(declared.plan))
