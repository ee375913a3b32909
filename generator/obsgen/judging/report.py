"""What the judges said: for people, for machines, and as problems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..problem import Problem
from . import texts, verdicts
from .task import Outcome, Task

NAMES: Mapping[str, str] = {
    "promtool": "prometheus",
    "amtool": "alertmanager",
    "loki": "loki",
    "lokitool": "loki",
    "logcli": "loki",
    "lezer-logql": "",
    "promtail": "promtail",
    "alloy": "alloy",
    "alloy-syntax": "",
    "kustomize": "",
    "kubectl": "kubernetes",
    "kubernetes-validate": "",
    "operator-config": "",
    "compose-go": "",
    "yamllint": "",
}
"""Judge → the name under `versions` whose MAJOR.MINOR it must have; "" where any version will do."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question and who answered it; `source` is where the program came from, "record" for a kept verdict, "" for nobody."""

    task: Task
    target: str
    profiles: tuple[str, ...]
    version: str = ""
    source: str = ""
    outcome: Outcome | None = None
    failures: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Report:
    """What the judges said; `problems` are errors only."""

    answered: tuple[Answered, ...]
    problems: tuple[Problem, ...] = field(default=())

    def lines(self) -> list[str]:
        """One line a judge, in the order of the design's table, and one for each text that nobody judged."""
        found = []
        for judge in NAMES:
            of = [one for one in self.answered if one.task.judge == judge]
            if of:
                found.append(f"{judge:20}{_counted(of)}{_by(of)}")
                found += [f"{'':20}not judged: {one.task.subject}{_of(one)}" for one in of if one.outcome is None]
        return found

    def as_json(self) -> dict[str, Any]:
        """The same for machines: every question with its verdict, and the problems."""
        return {
            "judged": [
                {
                    "judge": one.task.judge,
                    "subject": one.task.subject,
                    "profiles": list(one.profiles),
                    "verdict": _word(one),
                    "version": one.version,
                    "source": one.source,
                }
                for one in self.answered
            ],
            "problems": [str(problem) for problem in self.problems],
        }


def _word(one: Answered) -> str:
    if one.outcome is None:
        return "not judged"
    return "accepted" if one.outcome.accepted else "refused"


def _counted(answered: list[Answered]) -> str:
    words = Counter(map(_word, answered))
    return ", ".join(f"{words[word]} {word}" for word in ("accepted", "refused", "not judged") if words[word])


def _by(answered: list[Answered]) -> str:
    ways = sorted({(one.source, one.version) for one in answered if one.source})
    said = [
        f"by record of {version}" if source == "record" else f"live by {version} ({source})" for source, version in ways
    ]
    return f": {', '.join(said)}" if said else ""


def _of(one: Answered) -> str:
    program = " ".join(filter(None, (one.task.tool or one.task.judge, one.target)))
    return f" of {', '.join(one.profiles)} (no {program} here)"


def problems(
    answered: Iterable[Answered], required: frozenset[str], files: Mapping[str, Mapping[str, str]]
) -> Iterator[Problem]:
    """Every refused text; every text of a required judge that nobody has judged; every judge that could not do its work."""
    for one in answered:
        rule = f"verify/{one.task.judge}"
        if one.outcome is None:
            yield from _unjudged(one, required, rule)
        elif not one.outcome.accepted:
            path, line = _place(one, files[one.profiles[0]])
            by = f"{one.task.judge} {one.version}{' (by record)' if one.source == 'record' else ''}"
            yield Problem(
                path, line, 1 if line else 0, f"{by} refuses {_shown(one)}:{_indented(one.outcome.message)}", "", rule
            )


def _indented(message: str) -> str:
    lines = message.splitlines()
    return f" {message}" if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)


def _unjudged(one: Answered, required: frozenset[str], rule: str) -> Iterator[Problem]:
    broken = [problem for problem in one.failures if problem.rule != "judge/absent"]
    for problem in broken:
        yield Problem(_path(one), 0, 0, f"{problem.file} {problem.fact}", problem.remedy, rule)
    if not broken and one.task.judge in required:
        wanted = " ".join(filter(None, (one.task.judge, one.target)))
        fact = f"nobody has judged {_shown(one)}: {wanted} has to look at it"
        yield Problem(_path(one), 0, 0, fact, _remedy(one.task.judge), rule)


def _remedy(judge: str) -> str:
    if judge in verdicts.RECORDED:
        return (
            f"where there is a {judge} (PATH, $OBSGEN_TOOLS or a container engine), run: obsgen verify --all --record"
        )
    return "run: make tools"


def _shown(one: Answered) -> str:
    return f"{one.task.subject} of {', '.join(one.profiles)}"


def _path(one: Answered) -> str:
    return re.split(r"#|: ", one.task.subject)[0]


def _place(one: Answered, files: Mapping[str, str]) -> tuple[str, int]:
    """The file, and the line of the first place that the judge names; 0 where it names none in the text itself."""
    name = one.task.inputs[0].name
    message = one.outcome.message if one.outcome else ""
    named = re.search(r"^(?:[\w.-]+:)?(\d+):\d+|\bline (\d+)\b(?!, col)", message, re.MULTILINE)
    if named and name == one.task.subject:
        return texts.place(files, name, int(named[1] or named[2]))
    return _path(one), 0
