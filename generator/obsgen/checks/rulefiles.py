"""Rule files that are taken over: what would keep a server from loading them, and alerts in them that reach nobody as they should."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import matching
from ..document import Path
from ..road import Declared
from ..rule_files import RuleFile, TakenRule
from .finding import Finding
from .routing import alertmanager_config


def taken(declared: Declared) -> Iterator[tuple[Path, RuleFile]]:
    """Each file, with the place that names it."""
    for place, file in enumerate(declared.plan.rule_files()):
        yield ("rule_files", place), file


def not_a_rule_file(declared: Declared) -> Iterator[Finding]:
    """One file that its server can't load, and none of the rules beside it are loaded any more."""
    for path, file in taken(declared):
        if file.fault:
            remedy = "split it" if file.fault.startswith("rules of two") else "correct it there"
            yield Finding(path, f"{file.name}: {file.fault}", remedy)


# The keys of a ConfigMap; what ends in _test.yaml is for promtool.
_NAME = re.compile(r"[A-Za-z0-9][-._A-Za-z0-9]*\.ya?ml")


def taken_name(declared: Declared) -> Iterator[Finding]:
    """It stands in one folder with the rendered files: of two of one name, one would be gone."""
    seen: dict[tuple[str, str], str] = {
        (group.engine, group.name): f"the group {group.name}" for group in declared.plan.groups
    }
    for path, file in taken(declared):
        base = file.name.rpartition("/")[2]
        if not _NAME.fullmatch(base) or file.stem.endswith("_test"):
            fact = f"{base!r} is no name for a rule file in the cluster"
            yield Finding(path, fact, "rename it: letters, digits, '-', '_' and '.', then .yaml, and without _test")
            continue
        first = seen.setdefault((file.engine, file.stem), file.name)
        if first != file.name:
            yield Finding(path, f"{file.name} would take the place of {first}", "rename it")


def unrouted(declared: Declared) -> Iterator[Finding]:
    """Such an alert is told to whoever watches for strays, and not to whom its author had in mind."""
    config = alertmanager_config(declared)
    if config is None:
        return
    for path, file in taken(declared):
        stray = [rule for rule in file.rules if rule.kind == "alert" and _is_stray(config["route"], rule)]
        if stray:
            severities = sorted({rule.labels.get("severity", "none") for rule in stray})
            fact = f"{file.name}: {_names(stray)} {_one_of('is', 'are', stray)} told as unrouted: severity {', '.join(severities)}"
            yield Finding(path, fact, f"write one of: {', '.join(declared.declaration.severities)}")


def _is_stray(route: dict[str, object], rule: TakenRule) -> bool:
    labels = {name: value for name, value in rule.labels.items() if "{{" not in value}
    if labels.keys() != rule.labels.keys():
        return False
    try:
        return matching.receivers(route, {"alertname": rule.name, **labels}) == ["unrouted"]
    except (ValueError, TypeError, KeyError, AttributeError):  # routes that a patch makes: route/test says it
        return False


def no_page(declared: Declared) -> Iterator[Finding]:
    """obsgen writes no page for an alert that it only takes over: its author must say where to read on."""
    for path, file in taken(declared):
        bare = [rule for rule in file.rules if rule.kind == "alert" and not rule.annotations.get("runbook_url")]
        if bare:
            fact = f"{file.name}: {_names(bare)} {_one_of('has', 'have', bare)} no runbook_url"
            yield Finding(path, fact, "add the annotation there, or declare them under alerts")


def same_alert(declared: Declared) -> Iterator[Finding]:
    """Two rules of one name and equal labels are one alert to Alertmanager: the second hides the first."""
    ours = [(rule, group.name) for group in declared.plan.groups for rule in group.rules if rule.kind == "alert"]
    seen = {(rule.name, rule.labels.get("severity", "")): f"the group {group}" for rule, group in ours}
    for path, file in taken(declared):
        here: dict[tuple[str, str], str] = {}
        for rule in file.rules:
            key = (rule.name, rule.labels.get("severity", ""))
            if rule.kind == "alert" and key in seen:
                fact = f"{file.name}: {rule.name} of severity {key[1] or 'none'} is an alert of {seen[key]} too"
                yield Finding(path, fact, "rename or delete one")
            here[key] = file.name
        seen |= here


def _names(rules: list[TakenRule]) -> str:
    names = list(dict.fromkeys(rule.name for rule in rules))
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _one_of(one: str, more: str, rules: list[TakenRule]) -> str:
    return more if len({rule.name for rule in rules}) > 1 else one
