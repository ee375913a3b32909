"""What amtool says of Alertmanager's configuration: its shape, its routes, and every message it would write.

Not exercised: secret files, sending, inhibition, grouping and times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from .. import routing
from ..model import Declaration
from ..plan import Plan
from . import texts
from .messages import write
from .task import Outcome, Task, Text, ask, lay_out, outcome, refusal

_CHECK = ("check-config", "alertmanager.yaml")
_ROUTES = ("config", "routes", "test", "--config.file=alertmanager.yaml", "--verify.receivers=RECEIVER", "LABEL=VALUE…")
_UNEXPECTED = "WARNING: Expected receivers"
_RENDER = ("template", "render", "--template.glob=GLOB", "--template.data=DATA", "--template.text=TEXT")


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Amtool checks each configuration, follows its routes for every severity and team, and writes every message of it."""
    for config in texts.configs(files, "alertmanager.yaml"):
        templates = tuple(texts.matching(files, ("*.tmpl",)))
        yield _task(config.name, (config,), _CHECK, partial(_check, config))
        expected = tuple(expectations(plan.declaration))
        table = Text("routes.json", json.dumps(expected))
        yield _task(f"{config.name}: routes", (config, table), _ROUTES, partial(_follow, config, expected))
        yield _task(f"{config.name}: messages", (config, *templates), _RENDER, partial(write, config, templates))


def _task(
    subject: str, inputs: tuple[Text, ...], arguments: tuple[str, ...], run: Callable[[Path, Path], Outcome]
) -> Task:
    return Task("amtool", "amtool", subject, inputs, arguments, run)


def _check(config: Text, program: Path, work: Path) -> Outcome:
    # says "1 templates SUCCESS" for a glob that hits nothing here; the messages are judged by themselves
    lay_out(work, [config])
    return outcome(ask(program, _CHECK, work))


def expectations(declaration: Declaration) -> Iterator[tuple[dict[str, str], str]]:
    """(labels of an alert, receiver that must get it): every severity and team, no or an unknown severity, the heartbeat."""
    severities = [{}, {"severity": "nobody-declared-this"}, *({"severity": name} for name in declaration.severities)]
    teams = [{}, {"team": "nobody-declared-this"}, *({"team": name} for name in declaration.teams)]
    receivers = {
        (route.severity, team): receiver
        for route in routing.routes(declaration)
        for team, receiver in [*((name, route.receiver) for name in ("", *declaration.teams)), *route.teams]
    }
    for severity in severities:
        name = severity.get("severity", "")
        for team in teams:
            otherwise = receivers.get((name, ""), "unrouted")
            yield {"alertname": "Any", **severity, **team}, receivers.get((name, team.get("team", "")), otherwise)
        if declaration.routing.watchdog:
            yield {"alertname": "Watchdog", "cluster": declaration.cluster, **severity}, "watchdog"
            others = {"alertname": "Watchdog", "cluster": f"not-{declaration.cluster}", **severity}
            yield others, receivers.get((severity.get("severity", ""), ""), "unrouted")


def _follow(config: Text, expected: Iterable[tuple[dict[str, str], str]], program: Path, work: Path) -> Outcome:
    lay_out(work, [config])
    said = []
    for labels, receiver in expected:
        shown = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()]
        answer = ask(program, (*_ROUTES[:4], f"--verify.receivers={receiver}", *shown), work)
        if answer.code and _UNEXPECTED not in refusal(
            answer
        ):  # it can't read the configuration: nor for the next alert
            return Outcome(False, refusal(answer))
        if answer.code:
            said.append(f"{' '.join(shown)}: expected {receiver}, got {_got(refusal(answer))}")
    return Outcome(not said, "\n".join(said))


def _got(words: str) -> str:
    return " ".join(line for line in words.splitlines() if line and not line.startswith(_UNEXPECTED))
