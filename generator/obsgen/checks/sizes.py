"""Texts that are too large for the object that would carry them."""

from __future__ import annotations

from collections.abc import Iterator

from .. import render
from ..document import Path
from ..road import Declared
from ..rules import Group
from .finding import Finding
from .questions import rendered_alerts

LIMIT = 900 * 1024
"""Bytes of one text: kube-apiserver refuses a ConfigMap of more than 1 MiB, and its names and labels need some of that."""


def too_large(declared: Declared) -> Iterator[Finding]:
    """A file is never divided: kube-apiserver refuses the ConfigMap, and with it the server starts without any of them."""
    for path, what, length in (*_groups(declared), *_taken(declared)):
        if length > LIMIT:
            fact = f"{what} has {length / 1024:.0f} KiB, and a ConfigMap holds {LIMIT // 1024} KiB of one text"
            yield Finding(path, fact, "divide it")


def _groups(declared: Declared) -> Iterator[tuple[Path, str, int]]:
    for group in declared.plan.groups:
        if _at_least(group) * 2 > LIMIT:
            text = render.text("rules/group.yaml.j2", {"header": "", "group": group})
            asked = next(a for a in rendered_alerts(declared) if a.alert.group == group.name)
            yield (*asked.path, "group"), f"the group {group.name!r}", len(text.encode())


def _at_least(group: Group) -> int:
    """Characters of the group's rules without what stands between them."""
    return sum(
        len(rule.expr) + sum(map(len, rule.labels.values())) + sum(map(len, rule.annotations.values()))
        for rule in group.rules
    )


def _taken(declared: Declared) -> Iterator[tuple[Path, str, int]]:
    d = declared.declaration
    named: list[tuple[Path, str]] = [(("rule_files", place), name) for place, name in enumerate(d.rule_files)]
    named += [(("dashboards", "files", place), name) for place, name in enumerate(d.dashboards.files)]
    for path, name in named:
        yield path, name, len(declared.taken[name].encode())
