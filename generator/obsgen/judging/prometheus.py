"""What promtool says of Prometheus' configuration, of its rules, of their tests, and of what people will read.

Not exercised: discovery and scraping; the configuration is judged without the files that it names, which exist only in the pod.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from .. import ruletests
from ..plan import Plan
from ..rules import Group, Rule, object_name
from . import texts
from .task import Outcome, Task, Text, ask, lay_out, outcome, refusal

RULES = ("monitoring/rules/*.yaml", "prometheus/rules/*.yaml", "*#alert-rules*/*.yaml", "monitoring/rules.yaml#*.yaml")
"""Prometheus' rule files and their tests, raw and as they are mounted, by us or by the operator. Equal bytes are asked about once."""

# without --syntax-only, promtool looks for token and certificate files of the pod on this machine
_CONFIG = ("check", "config", "--syntax-only", "prometheus.yaml")
# a duplicate rule is reported as FAILED with exit code 0 unless it is fatal (3.13)
_CHECK = ("check", "rules", "--lint=all", "--lint-fatal")


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Promtool reads the configuration and each rule file, runs each test, and writes out each alert that has examples."""
    for config in texts.configs(files, "prometheus.yaml"):
        yield _plain(config, _CONFIG)
    found = texts.matching(files, RULES)
    rules = [text for text in found if not text.name.endswith("_test.yaml")]
    ours = {f"{name}.yaml" for group in plan.groups_of("prometheus") for name in (group.name, object_name(group.name))}
    for text in rules:
        # what is taken over may repeat an alert's name, as most mixins do; ours never
        yield _plain(text, (*(_CHECK if text.base in ours else _CHECK[:2]), text.base))
    for text in found:
        if text.name.endswith("_test.yaml"):
            yield _tested(text, rules)
    for group in plan.groups_of("prometheus"):
        yield from _written_out(group, plan, rules)


def _plain(text: Text, arguments: tuple[str, ...]) -> Task:
    return Task("promtool", "promtool", text.name, (text,), arguments, partial(_ask, (text,), arguments))


def _ask(inputs: tuple[Text, ...], arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    lay_out(work, inputs)
    return outcome(ask(program, arguments, work))


def _tested(test: Text, rules: Iterable[Text]) -> Task:
    named = _rule_files(test)
    inputs = (test, *_among(rules, named))
    missing = sorted(set(named) - {text.base for text in inputs})
    arguments = ("test", "rules", test.base)
    run = partial(_missing, missing) if missing or not named else partial(_ask, inputs, arguments)
    return Task("promtool", "promtool", test.name, inputs, arguments, run)


def _rule_files(test: Text) -> list[str]:
    try:
        return [str(name) for name in yaml.safe_load(test.text)["rule_files"]]
    except (yaml.YAMLError, KeyError, TypeError):
        return []


def _among(rules: Iterable[Text], names: Iterable[str]) -> list[Text]:
    by_name = {text.base: text for text in reversed(list(rules))}  # the raw file before the mounted one
    return [by_name[name] for name in sorted(set(names)) if name in by_name]


def _missing(names: list[str], program: Path, work: Path) -> Outcome:
    # promtool only warns, and a test that expects silence would pass
    return Outcome(False, f"the test reads {', '.join(names) or 'no rule files'}, and no such rule file is rendered")


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as Alertmanager would get it."""

    title: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def _written_out(group: Group, plan: Plan, rules: Iterable[Text]) -> Iterator[Task]:
    """A test that expects nothing of each alert at a minute when it fires: promtool prints what it got instead."""
    names = ruletests.rule_files(group, plan.groups_of("prometheus"))
    inputs = _among(rules, names)
    tests = _firing_tests(group)
    if not tests or len(inputs) < len(names):
        return
    content = {"rule_files": names, "evaluation_interval": "1m", "tests": tests}
    asked = Text(f"{group.name}_fires.yaml", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    titles = [test["name"] for test in tests]
    arguments = ("test", "rules", asked.base)
    subject = f"{next(text.name for text in inputs if text.base == f'{group.name}.yaml')}: alerts as people read them"
    run = partial(_read, (asked, *inputs), titles, arguments)
    yield Task("promtool", "promtool", subject, (asked, *inputs), arguments, run)


def _firing_tests(group: Group) -> list[dict[str, Any]]:
    alone = [(rule, ruletests.cases(replace(group, rules=(rule,)))) for rule in group.rules if rule.kind == "alert"]
    # the first case of a rule is the one that fires
    return [_firing_test(rule, cases[0]) for rule, cases in alone if cases]


def _firing_test(rule: Rule, fires: ruletests.Case) -> dict[str, Any]:
    return {
        "name": f"{rule.name} ({rule.labels.get('severity', '')})",
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in fires.series],
        "alert_rule_test": [{"eval_time": f"{fires.minute}m", "alertname": rule.name, "exp_alerts": []}],
    }


def _read(
    inputs: tuple[Text, ...], titles: list[str], arguments: tuple[str, ...], program: Path, work: Path
) -> Outcome:
    lay_out(work, inputs)
    answer = ask(program, arguments, work)
    found = list(told(answer.stdout + "\n" + answer.stderr))
    if not found:
        return Outcome(False, "no alert fires on its own examples" if answer.code == 0 else refusal(answer))
    fired = {alert.title for alert in found}
    silent = [f"{title} does not fire on its own examples" for title in titles if title not in fired]
    return _joined([*silent, *(fact for alert in found for fact in faults(alert))])


def _joined(facts: Iterable[str]) -> Outcome:
    said = list(dict.fromkeys(facts))
    return Outcome(not said, "\n".join(said))


def told(report: str) -> Iterator[Told]:
    """The alerts that promtool says it got, out of its report on a failed test (its form in 3.13)."""
    title, got, labels = "", False, {}
    for line in report.splitlines():
        if named := re.fullmatch(r" {4}name: (.*), *", line):
            title, got = named[1], False
        elif "got:[" in line:
            got = True
        elif got and line.lstrip().startswith("Labels:{"):
            labels = _pairs(line)
        elif got and line.lstrip().startswith("Annotations:{"):
            yield Told(title, labels, _pairs(line))


_PAIR = re.compile(r'([\w.]+|"(?:[^"\\]|\\.)*")="((?:[^"\\]|\\.)*)"')


def _pairs(line: str) -> dict[str, str]:
    # Go's quoted strings and Python's have the same escapes
    return {name.strip('"'): ast.literal_eval(f'"{value}"') for name, value in _PAIR.findall(line)}


def faults(alert: Told) -> Iterator[str]:
    """What a person or a route would stumble over: a template that failed, words that are missing, an owner that is."""
    for name, value in {**alert.labels, **alert.annotations}.items():
        if "<error expanding template" in value:
            yield f"{alert.title}: {name}: {value}"
        elif "<no value>" in value:
            yield f"{alert.title}: {name} comes out with a hole: {value!r}"
    # Prometheus drops a label whose value comes out empty
    for name in ("team", "service"):
        if not alert.labels.get(name):
            yield f"{alert.title}: label {name} comes out empty"
    for name in ("summary", "description"):
        if not alert.annotations.get(name, "").strip():
            yield f"{alert.title}: annotation {name} comes out empty"
