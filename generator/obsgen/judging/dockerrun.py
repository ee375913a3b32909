"""What a log agent makes of containers, started with its configuration beside a daemon of ours in Docker's place.

On one machine the agent asks Docker for containers and for their logs: which containers it takes, which labels it gives them, and whether
each line comes to Loki once, shows no reading of the configuration.

Not exercised: Docker itself, its logging drivers, a container that is started anew; Loki's address (a listener stands in its place).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .. import agent
from ..model import Declaration
from ..plan import Plan
from ..problem import Problem, ProblemsError
from . import apiserver, dockerd, inpod, lokipush
from .alloyrun import beside
from .samples import Sample, sample_lines
from .task import Outcome, Task, Text

_COMPOSE, _APP = "com.docker.compose.service", "app.kubernetes.io/name"
_LONG = 40_000  # characters, which Docker tells in three frames


class Expected(NamedTuple):
    """A container: its labels, and what its streams must carry; `app` is "" where its lines must not be shipped."""

    name: str
    labels: Mapping[str, str]
    app: str
    container: str
    ours: bool = True


CONTAINERS = (
    Expected("shop-checkout-1", {_COMPOSE: "checkout"}, "checkout", "checkout"),
    Expected("shop-web-1", {_COMPOSE: "web", _APP: "cart"}, "cart", "web"),
    Expected("by-itself", {}, "by-itself", "by-itself"),
    Expected("shop-silent-1", {_COMPOSE: "silent", "obsgen.io/logs": "false"}, "", ""),
    Expected("other-checkout-1", {_COMPOSE: "checkout"}, "", "", ours=False),
)
"""One container for each way to its name, one that asks to be left alone, one on another network."""


class Agent(NamedTuple):
    """How an agent is told where to listen, where it says that it is ready, and where its configuration names Loki."""

    config: str
    listen: Sequence[str]
    ready: str
    url: re.Pattern[str]


_AGENTS = {
    "promtail": Agent(
        "/etc/promtail/promtail.yaml",
        ("-server.http-listen-address={host}", "-server.http-listen-port={port}"),
        "/ready",
        re.compile(r"^(  - url: ).*$", re.MULTILINE),
    ),
    "alloy": Agent(
        "/etc/alloy/config.alloy",
        ("--server.http.listen-addr={host}:{port}",),
        "/-/ready",
        re.compile(r'(\burl\s*=\s*)"(?:[^"\\]|\\.)*"'),
    ),
}


def task(server: str, config: Text, project: Text, plan: Plan) -> Task:
    """The question what an agent does with the configuration and the command that a Compose file gives it."""
    samples = (*sample_lines(plan.declaration), _long())
    command = yaml.safe_load(project.text)["services"][server]["command"]
    lines = [[sample.entry, dict(sample.labels)] for sample in samples]
    expected = Text("expected.json", json.dumps([CONTAINERS, lines, sorted(agent.stream_labels(plan.declaration))]))
    told = Text("command.json", json.dumps(command))
    run = partial(_run, server, config, command, plan.declaration, samples)
    return Task(server, server, f"{config.name}: start", (config, told, expected), ("start", config.base), run)


def _long() -> Sample:
    entry = "x" * _LONG
    return Sample("a line that Docker tells in parts", f"{entry}\n", entry, {})


def _run(
    server: str,
    config: Text,
    command: Sequence[str],
    declaration: Declaration,
    samples: Sequence[Sample],
    program: Path,
    work: Path,
) -> Outcome:
    if program.read_bytes()[:2] == b"#!":
        fact = "is here in a container only, and has to be started beside a socket of ours"
        raise ProblemsError([Problem(server, 0, 0, fact, "", "judge/absent")], could_not_run=True)
    of, port = _AGENTS[server], apiserver.free_ports(1)[0]
    (work / "var/run").mkdir(parents=True)
    for folder in ("promtail", "alloy/data"):
        (work / "var/lib" / folder).mkdir(parents=True)
    listen = [option.format(host="127.0.0.1", port=port) for option in of.listen]
    mine = [one.replace(of.config, f"/var/{config.base}") for one in command if "listen" not in one]
    socket, containers = work / "var/run/docker.sock", _containers(declaration, samples)
    with dockerd.listening(socket, lambda: containers), lokipush.listening() as loki:
        text = of.url.sub(lambda found: f'{found[1]}"{loki.url}"', config.text)
        (work / "var" / config.base).write_text(text, encoding="utf-8", newline="\n")
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(work)}
        with inpod.started([str(program), *mine, *listen], f"127.0.0.1:{port}", work, variables) as running:
            return _judged(running, of.ready, loki, declaration, samples)


def _containers(declaration: Declaration, samples: Sequence[Sample]) -> list[dockerd.MadeUp]:
    lines = [(("stdout", "stderr")[number % 2], sample.entry) for number, sample in enumerate(samples)]
    networks = {True: declaration.namespace, False: f"not-{declaration.namespace}"}
    return [dockerd.MadeUp(one.name, [networks[one.ours]], lines, one.labels) for one in CONTAINERS]


def _judged(
    running: inpod.Running,
    ready: str,
    loki: lokipush.Listener,
    declaration: Declaration,
    samples: Sequence[Sample],
) -> Outcome:
    if not any(running.get(ready) for _ in running.waiting()):
        return Outcome(False, f"does not become ready: {running.said()}")
    wanted = len(samples) * sum(bool(one.app) for one in CONTAINERS)
    for _ in running.waiting():
        if len(loki.entries()) >= wanted:
            break
    faults = list(dict.fromkeys(_faults(loki.entries(), declaration, samples)))
    if faults:
        faults.append(f"it says: {running.said()}")
    return Outcome(not faults, "\n".join(faults))


def _faults(entries: Sequence[lokipush.Entry], declaration: Declaration, samples: Sequence[Sample]) -> Iterator[str]:
    by_name = {one.name: one for one in CONTAINERS}
    for entry in entries:
        name = entry.metadata.get("pod", "")
        if name not in by_name or not by_name[name].app:
            yield f"lines of {name or 'no container'} are shipped, and must not be"
    for one in CONTAINERS:
        if one.app:
            yield from _of(
                one, [entry for entry in entries if entry.metadata.get("pod") == one.name], declaration, samples
            )


def _of(
    one: Expected, entries: Sequence[lokipush.Entry], declaration: Declaration, samples: Sequence[Sample]
) -> Iterator[str]:
    place = {
        "cluster": declaration.cluster,
        "namespace": declaration.namespace,
        "app": one.app,
        "container": one.container,
    }
    left = [_plain(entry.labels, entry.line, entry.metadata) for entry in entries]
    for number, sample in enumerate(samples):
        metadata = beside(declaration, sample.entry) | {"pod": one.name, "stream": ("stdout", "stderr")[number % 2]}
        wanted = _plain(place | _labels(declaration, sample), sample.entry, metadata)
        if wanted in left:
            left.remove(wanted)
        else:
            yield f"container {one.name}: {sample.what}: does not come as {_short(wanted)}"
    for found in left:
        yield f"container {one.name}: comes and must not, or twice: {_short(found)}"


def _labels(declaration: Declaration, sample: Sample) -> dict[str, str]:
    level = {"level": "UNKNOWN"} if "level" in agent.stored(declaration, "label") else {}
    return level | dict(sample.labels)


def _plain(labels: Mapping[str, str], line: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    return {"labels": dict(labels), "line": line, "metadata": dict(metadata)}


def _short(entry: Mapping[str, Any]) -> str:
    return json.dumps({**entry, "line": entry["line"][:60]}, sort_keys=True)
