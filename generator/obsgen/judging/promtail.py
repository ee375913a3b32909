"""What Promtail says of its configuration, and what its pipeline makes of log lines of the declared standard.

Not exercised: discovery and relabelling (on stdin only the pipeline of the first scrape configuration runs, without a pod's labels),
structured metadata (printed by no flag), sending, positions (a dry run never writes them).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from .. import agent
from ..plan import Plan
from . import dockerrun, texts
from .samples import Sample, sample_lines
from .task import Outcome, Task, Text, ask, lay_out, outcome, refusal

_SYNTAX = ("-check-syntax", "-config.file=promtail.yaml")
# it would listen on the declared port, on stdin too
_DRY_RUN = ("--stdin", "--dry-run", "--server.disable=true", "--config.file=promtail.yaml")


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Promtail reads its configuration, then ships lines of the declared standard, and lines that break it, to the screen."""
    for config in texts.configs(files, "promtail.yaml"):
        yield Task("promtail", "promtail", config.name, (config,), _SYNTAX, partial(_check, config))
        samples = tuple(sample_lines(plan.declaration))
        lines = Text("samples.log", "".join(sample.line for sample in samples))
        expected = Text("expected.json", json.dumps([[sample.entry, dict(sample.labels)] for sample in samples]))
        labels = frozenset(agent.stored(plan.declaration, "label"))
        run = partial(_ship, config, lines, samples, labels)
        yield Task("promtail", "promtail", f"{config.name}: sample lines", (config, lines, expected), _DRY_RUN, run)
        if "compose.yaml" in files and "#" not in config.name:
            yield dockerrun.task("promtail", config, Text("compose.yaml", files["compose.yaml"]), plan)


def _check(config: Text, program: Path, work: Path) -> Outcome:
    lay_out(work, [config])
    return outcome(ask(program, _SYNTAX, work))


def _ship(
    config: Text, lines: Text, samples: tuple[Sample, ...], labels: frozenset[str], program: Path, work: Path
) -> Outcome:
    lay_out(work, [config])
    wanted, last = len(samples), samples[-1].entry
    # at the end of its stdin, Promtail 3.6.15 loses what it has not printed yet: in 3 of 40 runs the last line
    answer = ask(program, _DRY_RUN, work, stdin=lines.text, until=lambda printed: printed.rstrip().endswith(last))
    if answer.code:
        return Outcome(False, refusal(answer))
    shipped = list(entries(answer.stdout))
    if len(shipped) != wanted:
        came = {line for _, line in shipped}
        lost = ", ".join(sample.what for sample in samples if sample.entry not in came)
        return Outcome(False, f"{wanted} entries went in, {len(shipped)} came out; not as they went in: {lost}")
    pairs = zip(samples, shipped, strict=True)
    said = [f"{sample.what}: {fact}" for sample, entry in pairs for fact in _faults(sample, entry, labels)]
    return Outcome(not said, "\n".join(said))


_LABEL = r'\w+="(?:[^"\\]|\\.)*"'
# Promtail aligns columns by tabs, and writes none where a column is just full
_ENTRY = re.compile(rf"\d{{4}}-\d\d-\d\dT[\d:.+-]+\s*\{{((?:{_LABEL}(?:, )?)*)\}}\t*(.*)")


def entries(printed: str) -> Iterator[tuple[dict[str, str], str]]:
    """(labels, line) of each entry that a dry run printed (its form in 3.6)."""
    for line in printed.splitlines():
        if entry := _ENTRY.fullmatch(line):
            labels = (label.partition("=") for label in re.findall(_LABEL, entry[1]))
            yield {name: ast.literal_eval(value) for name, _, value in labels}, entry[2]


def _faults(sample: Sample, entry: tuple[dict[str, str], str], allowed: frozenset[str]) -> Iterator[str]:
    labels, line = entry
    if line != sample.entry:
        yield f"became {line!r}"
    for name in sorted(labels.keys() - allowed):
        yield f"label {name}={labels[name]!r} is not declared: each of its values would be a stream"
    for name, value in sample.labels.items():
        if labels.get(name) != value:
            yield f"label {name} is {labels[name]!r}, not {value!r}" if name in labels else f"label {name} is missing"
