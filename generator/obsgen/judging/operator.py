"""What prometheus-operator makes of its objects: rules it admits, the scrape configuration of its monitors, Alertmanager's configuration.

Asked are the operator's own packages, without a cluster. Not exercised: which objects its Prometheus selects, and the pods it makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ..plan import Plan
from ..problem import Problem, ProblemsError
from . import tools
from .task import Outcome, Task, Text, ask, outcome, refusal
from .texts import configs

GROUP = "monitoring.coreos.com"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """The operator's own reading of each file that holds its objects, and of the configuration in the Secret."""
    versions = plan.declaration.versions
    if plan.declaration.output != "operator":
        return
    for name in sorted(files):
        text = Text(name, files[name])
        if f"apiVersion: {GROUP}/" not in text.text:
            continue
        if "kind: PrometheusRule" in text.text:
            yield _task(text, ("rules",), partial(_rules, text))
        if "kind: PodMonitor" in text.text or "kind: ServiceMonitor" in text.text:
            arguments = ("prometheus", f"{versions.prometheus}.0")
            yield _task(text, arguments, partial(_monitors, text, arguments))
    for config in configs(files, "alertmanager.yaml"):
        arguments = ("alertmanager", f"{versions.alertmanager}.0")
        yield _task(config, arguments, partial(_routes, config, arguments))


def _task(text: Text, arguments: tuple[str, ...], run: Any) -> Task:
    return Task("operator-config", "operator-config", text.name, (text,), arguments, run)


def definitions(objects: Sequence[Mapping[str, Any]], work: Path) -> str:
    """The operator's own CustomResourceDefinitions of the kinds among these objects; "" where there are none.

    Raises ProblemsError: judge/absent where the program that carries them is not here.
    """
    kinds = sorted({str(one["kind"]) for one in objects if str(one.get("apiVersion")).startswith(f"{GROUP}/")})
    if not kinds:
        return ""
    program = tools.find("operator-config", "")
    if program is None:
        fact = "is not here, and it brings the definitions of the operator's objects"
        problem = Problem("operator-config", 0, 0, fact, "run: make tools", "judge/absent")
        raise ProblemsError([problem], could_not_run=True)
    return ask(program.path, ("crds", *kinds), work).stdout


def _rules(text: Text, program: Path, work: Path) -> Outcome:
    return outcome(ask(program, ("rules",), work, text.text))


def _monitors(text: Text, arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    answer = ask(program, arguments, work, text.text)
    if answer.code or answer.stderr:
        return Outcome(False, refusal(answer._replace(stdout="")))
    made = {job["job_name"] for job in yaml.load(answer.stdout, _LOADER)["scrape_configs"] or ()}
    said = [f"{name}: the operator makes no scrape job of it" for name in _endpoints(text.text) if name not in made]
    return Outcome(not said, "\n".join(said))


def _endpoints(text: str) -> Iterator[str]:
    """The names of the jobs that the operator makes, one for each endpoint of each monitor (0.85)."""
    for one in yaml.load_all(text, _LOADER):
        kind, metadata = one["kind"], one["metadata"]
        key = "podMetricsEndpoints" if kind == "PodMonitor" else "endpoints"
        for number in range(len(one["spec"].get(key) or ())):
            yield f"{kind[0].lower()}{kind[1:]}/{metadata['namespace']}/{metadata['name']}/{number}"


def _routes(text: Text, arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    """Where its Alertmanager also reads AlertmanagerConfig objects, the operator rewrites ours: nothing of it may be lost."""
    answer = ask(program, arguments, work, text.text)
    if answer.code:
        return outcome(answer)
    ours, theirs = yaml.load(text.text, _LOADER), yaml.load(answer.stdout, _LOADER)
    said = list(lost(ours, theirs, ""))
    return Outcome(not said, "\n".join(said))


def lost(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    """What of ours is not in theirs, each at its path."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key, value in ours.items():
            yield from lost(value, theirs.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{path}[{place}]")
    elif ours != theirs and (ours or theirs):  # an empty value is the same as none
        yield f"{path}: the operator makes {theirs!r} of {ours!r}"
