"""What is to be rendered: a declaration with its packs and rule groups worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .model import Declaration
from .packs import Expanded
from .rule_files import RuleFile, read
from .rules import Engine, Group


@dataclass(frozen=True)
class Plan:
    """A declaration with its packs and rule groups worked out.

    `profile` and `sources` go into headers; `taken` are the texts of the files that `rule_files` and `dashboards.files` name, by the
    path as written.
    """

    declaration: Declaration
    profile: str
    sources: tuple[str, ...]
    packs: Mapping[str, Expanded]
    groups: tuple[Group, ...]
    taken: Mapping[str, str]

    def groups_of(self, engine: str) -> tuple[Group, ...]:
        """The groups of one engine, by name."""
        return tuple(group for group in self.groups if group.engine == engine)

    def rule_files(self, engine: Engine | None = None) -> tuple[RuleFile, ...]:
        """The rule files that are taken over: those of one engine, or all and those with a fault among them."""
        files = (read(name, self.taken[name]) for name in self.declaration.rule_files)
        return tuple(file for file in files if engine is None or (engine == file.engine and not file.fault))

    def has_rules(self, engine: Engine) -> bool:
        """Whether one engine has anything to evaluate."""
        return bool(self.groups_of(engine) or self.rule_files(engine))
