"""What Loki's own programs say of its configuration and rules, and Grafana's grammar of the queries.

Not exercised: opening the bucket, the rules as the ruler loads them (folder and tenant), annotations of log alerts; `-verify-config`
accepts settings that fail or do nothing at run time, which the checks `loki/*` refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ..plan import Plan
from . import texts
from .task import Outcome, Task, Text, ask, lay_out, outcome, refusal

RULES = ("logging/rules/*.yaml", "loki/rules/*.yaml", "*#loki-rules*/*.yaml")
"""Loki's rule files: raw, and as they are mounted. Equal bytes are asked about once."""

_VERIFY = ("-config.file=loki.yaml", "-config.expand-env=true", "-verify-config")


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Loki reads its configuration, lokitool each rule file, logcli each query, lezer-logql the queries of each file."""
    for config in texts.configs(files, "loki.yaml"):
        yield Task("loki", "loki", config.name, (config,), _VERIFY, partial(_verify, config))
    for rules in texts.matching(files, RULES):
        check = ("rules", "check", rules.base)
        yield Task("lokitool", "lokitool", rules.name, (rules,), check, partial(_check, rules, check))
        found = queries(rules.text)
        yield Task("lezer-logql", "lezer-logql", rules.name, (rules,), (), partial(parse, found))
        for name, query in found:
            text = Text(f"{rules.name}/{name}.logql", query)
            yield Task("logcli", "logcli", f"{rules.name}: {name}", (text,), ("fmt",), partial(_format, query))


def queries(rules: str) -> list[tuple[str, str]]:
    """(rule, LogQL) of a rule file; none of a file that can't be read, which lokitool will say."""
    try:
        groups = yaml.load(rules, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["groups"]
        return [(_name(rule), str(rule["expr"])) for group in groups for rule in group["rules"]]
    except (yaml.YAMLError, KeyError, TypeError):
        return []


def _name(rule: Mapping[str, Any]) -> str:
    severity = (rule.get("labels") or {}).get("severity")
    name = str(rule.get("alert") or rule.get("record"))
    return f"{name} ({severity})" if severity else name


def _verify(config: Text, program: Path, work: Path) -> Outcome:
    lay_out(work, [config])
    # an empty one would be refused, or accepted, for another reason than the cluster's
    given = dict.fromkeys(re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)", config.text), "given-at-run-time")
    return outcome(ask(program, _VERIFY, work, variables=given))


def _check(rules: Text, arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    lay_out(work, [rules])
    return outcome(ask(program, arguments, work))


def _format(query: str, program: Path, work: Path) -> Outcome:
    return outcome(ask(program, ("fmt",), work, stdin=query))


def parse(found: list[tuple[str, str]], program: Path, work: Path) -> Outcome:
    """What lezer-logql says of (name, query): all of them in one go."""
    answer = ask(program, (), work, stdin=json.dumps([query for _, query in found]))
    if answer.code:
        return Outcome(False, refusal(answer))
    errors = zip(found, json.loads(answer.stdout), strict=True)
    said = [f"{name}: character {error['from'] + 1}: {error['message']}" for (name, _), error in errors if error]
    return Outcome(not said, "\n".join(said))
