"""What is to be rendered: a declaration with its packs and rule groups worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .model import Declaration
from .packs import Expanded
from .rules import Group


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
