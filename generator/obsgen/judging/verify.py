"""All questions to all judges: asked live where the judge is here, else answered by a kept verdict on the same bytes."""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ..document import did_you_mean
from ..plan import Plan
from ..problem import Problem, ProblemsError
from . import alertmanager, alloy, compose, grafana, kubernetes, loki, operator, prometheus, promtail, tools, verdicts
from .report import NAMES, Answered, Report, problems
from .task import Outcome, Task

JUDGES: tuple[Callable[[Mapping[str, str], Plan], Iterator[Task]], ...] = (
    prometheus.tasks,
    alertmanager.tasks,
    loki.tasks,
    grafana.tasks,
    promtail.tasks,
    alloy.tasks,
    kubernetes.tasks,
    operator.tasks,
    compose.tasks,
)

_THREADS = 2


def verify(
    plans: Mapping[str, Plan],
    files: Mapping[str, Mapping[str, str]],
    *,
    require: Collection[str],
    record: bool,
    folder: Path,
    progress: Callable[[str], None],
) -> Report:
    """Put every rendered text of every profile (name → plan, name → {path: text}) before its judges.

    `require` names judges (or "all") without whose verdict a text is an error; a refused text always is one. `folder` holds the kept
    verdicts; `record` replaces them by those of the judges that are here, so call it with every profile: verdicts on texts that are not
    in this call go. Raises ProblemsError (could not run) for an unknown name in `require` and for unreadable verdicts.
    """
    required = _required(require)
    kept = verdicts.load(folder)
    questions = _questions(plans, files)
    answered = tuple(_answers(questions, kept, progress))
    if record:
        live = [_verdict(one) for one in answered if _recordable(one)]
        verdicts.save(folder, live, kept, [verdicts.key(one.task) for one in questions])
    return Report(answered, tuple(problems(answered, required, files)))


def _required(require: Collection[str]) -> frozenset[str]:
    unknown = []
    for name in sorted(set(require) - {"all", *NAMES}):
        meant = did_you_mean(name, NAMES)
        remedy = f"did you mean {meant!r}?" if meant else f"judges: {', '.join(NAMES)}"
        unknown.append(Problem("--require", 0, 0, f"no judge is called {name!r}", remedy, "usage/require"))
    if unknown:
        raise ProblemsError(unknown, could_not_run=True)
    return frozenset(NAMES if "all" in require else require)


def _questions(plans: Mapping[str, Plan], files: Mapping[str, Mapping[str, str]]) -> list[Answered]:
    """Each question once, whichever profiles and subjects ask it."""
    found: dict[tuple[verdicts.Key, str], Answered] = {}
    for profile, plan in sorted(plans.items()):
        for make in JUDGES:
            for task in make(files[profile], plan):
                target = getattr(plan.declaration.versions, NAMES[task.judge]) if NAMES[task.judge] else ""
                place = (verdicts.key(task), target)
                same = found.get(place, Answered(task, target, ()))
                found[place] = replace(same, profiles=tuple(sorted({*same.profiles, profile})))
    return list(found.values())


def _answers(
    questions: list[Answered], kept: tuple[verdicts.Verdict, ...], progress: Callable[[str], None]
) -> Iterator[Answered]:
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, one in enumerate(pool.map(lambda question: _answer(question, kept), questions), 1):
            progress(f"{number}/{len(questions)} {one.task.judge}: {one.task.subject}")
            yield one


def _answer(question: Answered, kept: tuple[verdicts.Verdict, ...]) -> Answered:
    tool = _tool(question.task, question.target)
    if tool is not None:
        live = _live(question, tool)
        # a judge that has not all it asks for here is as good as absent
        if live.outcome is not None or any(problem.rule != "judge/absent" for problem in live.failures):
            return live
        question = live
    verdict = verdicts.find(kept, verdicts.key(question.task), question.target)
    if verdict is None:
        return question
    outcome = Outcome(verdict.accepted, verdict.message)
    return replace(question, version=verdict.version, source="record", outcome=outcome, failures=())


def _live(question: Answered, tool: tools.Tool) -> Answered:
    with tempfile.TemporaryDirectory(prefix="obsgen-verify-") as work:
        try:
            outcome = question.task.run(tool.path, Path(work))
        except ProblemsError as stopped:
            return replace(question, failures=tuple(stopped.problems))
    return replace(question, version=tool.version, source=tool.source, outcome=outcome)


def _tool(task: Task, target: str) -> tools.Tool | None:
    if task.tool:
        return tools.find(task.tool, target)
    try:
        return tools.Tool(Path(), importlib.metadata.version(task.judge), "Python")
    except importlib.metadata.PackageNotFoundError:
        return None


def _recordable(one: Answered) -> bool:
    return one.task.judge in verdicts.RECORDED and one.outcome is not None and one.source != "record"


def _verdict(one: Answered) -> verdicts.Verdict:
    assert one.outcome is not None, "only answered questions are recorded"
    judge, sha256, arguments = verdicts.key(one.task)
    return verdicts.Verdict(
        one.task.subject, sha256, judge, one.version, arguments, one.outcome.accepted, one.outcome.message
    )
