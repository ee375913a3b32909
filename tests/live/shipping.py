"""Who writes numbered lines, and the agent that ships them: Promtail as the stage has it, or Alloy after a move."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from . import stands
from .lines import counted, counter, flush, lines
from .pod import Pod
from .stage import Stage

GO = "search-service-go"
WRITERS = ("ai-core-service", GO)
"""Apps that write on order: Python's logger, Go's."""


@dataclass(frozen=True)
class Fate:
    """Of lines that were written: which Loki lacks, how many a query shows twice, how many it was sent twice."""

    written: int
    lost: list[str]
    shown_twice: int
    sent_twice: int


class Writing:
    """Each writer writes 50 numbered lines a second: of 6 KB, so that what is sent again is not in Loki's newest block any more."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.mark, self.since = stage, f"numbered {uuid.uuid4().hex}", time.time()
        self.count, self.flushed = dict.fromkeys(WRITERS, 0), 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(app,)) for app in WRITERS]

    def _write(self, app: str) -> None:
        order = {
            "level": "INFO",
            "message": f"{self.mark} {{n}}",
            "context": {f"part_{n}": "x" * 1000 for n in range(6)},
        }
        while not self.over.is_set():
            self.stage.order(app, "log", **order, first=self.count[app], count=50, rate=50)
            self.count[app] += 50

    def __enter__(self) -> Writing:
        # into chunks of their own, which don't become full: a full one is in memory and in the store, and its lines look doubled
        flush(self.stage)
        left = "loki_ingester_flush_queue_length"
        self.stage.await_(lambda: counter(self.stage, "loki", 3100, left) == 0, 30, "Loki does not flush")
        self.flushed = self._flushed()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _flushed(self) -> float:
        return counter(self.stage, "loki", 3100, "loki_ingester_chunks_flushed_total")

    def _queries(self) -> dict[str, str]:
        return {app: f'{{app="{name(self.stage, app)}"}} |= `{self.mark}`' for app in self.count}

    def _taken(self) -> dict[str, tuple[int, int]]:
        return {app: counted(self.stage, query, self.since) for app, query in self._queries().items()}

    def go_on(self) -> None:
        """Until Loki has lines that were written from now on."""
        later = {app: last + 100 for app, last in self.count.items()}
        self.stage.await_(lambda: all(n >= later[app] for app, (n, _) in self._taken().items()), 60, "no line comes")

    def fate(self, seconds: float = 30) -> Fate:
        """What Loki has of the lines, once it has as many as were written or `seconds` are over."""
        with contextlib.suppress(AssertionError):
            self.stage.await_(
                lambda: all(n >= self.count[app] for app, (n, _) in self._taken().items()), seconds, "lines"
            )
        shown = {
            app: [
                line.text
                for line in lines(self.stage, f"{query} | json m=`message` | line_format `{{{{.m}}}}`", self.since)
            ]
            for app, query in self._queries().items()
        }
        written = {app: {f"{self.mark} {n}" for n in range(last)} for app, last in self.count.items()}
        assert all(written[app].issuperset(texts) for app, texts in shown.items())
        return Fate(
            written=sum(self.count.values()),
            lost=[f"{app}: {text}" for app, texts in shown.items() for text in sorted(written[app] - set(texts))],
            shown_twice=sum(len(texts) - len(set(texts)) for texts in shown.values()),
            sent_twice=sum(n + doubled - len(set(shown[app])) for app, (n, doubled) in self._taken().items()),
        )

    def course(self) -> str:
        """For each second of each writer: how many lines Loki has, and how many of them it took out as doubled; chunks flushed."""
        counts = (
            f"{app} {second} {taken}"
            for app, query in self._queries().items()
            for second in range(int(self.since), int(time.time()) + 1)
            if any(taken := counted(self.stage, query, second, second + 1))
        )
        return "\n".join((*counts, f"{self._flushed() - self.flushed:.0f} chunks flushed since"))


def name(stage: Stage, app: str) -> str:
    """The label `app` that lines of these Pods have."""
    return str(stage.pods(app)[0].manifest["metadata"]["labels"].get("app.kubernetes.io/name", app))


@dataclass(frozen=True)
class Agent:
    """The agent that runs, the rendered tree that has it, and what became of the lines that were written while it took over."""

    app: str
    tree: Path
    moved: Fate | None = None
    course: str = ""
    """Of a move that lost lines or sent some twice: which, and what both agents said."""


@pytest.fixture(scope="module")
def writers(stage: Stage) -> Iterator[None]:
    """The Pods of logs.yaml, with the program in Go just built."""
    program = stage.node.host / "opt/fixture/service"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.parent.chmod(0o755)
    folder = Path(__file__).parent
    subprocess.run(
        ["go", "build", "-o", str(program), str(folder / "service.go")], cwd=stands.ROOT / "libs/go", check=True
    )
    manifest = str(folder / "logs.yaml")
    stage.plane.kubectl("apply", "--server-side", "-f", manifest)
    for app in (*WRITERS, "quiet-for-days"):
        stage.await_ready(app)
    stage.await_ready("loki", 180)
    yield
    stage.plane.kubectl("delete", "-f", manifest, "--ignore-not-found", "--timeout=60s")


@pytest.fixture(scope="module")
def agent(
    request: pytest.FixtureRequest, stage: Stage, writers: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    """Promtail as the stage has it; Alloy after a move, from which we come back at the end."""
    if request.param == "promtail":
        stage.await_ready("promtail")
        yield Agent("promtail", stage.tree)
        return
    tree = tmp_path_factory.mktemp("rendered") / "live-alloy"
    stands.render("live-alloy", tree)
    left = stage.pods("promtail")[0]
    with Writing(stage) as writing:
        move(stage, "promtail", "alloy", tree)
    fate = writing.fate()
    clean = not fate.lost and not fate.sent_twice
    yield Agent("alloy", tree, fate, "" if clean else course(stage, writing, left))
    # Promtail goes on where it stopped: what Alloy shipped of these Pods would be shipped again
    for app in ("ai-core-service", "dashboard-service", GO):
        stage.plane.kubectl("-n", "auralink", "delete", "pod", stage.pods(app)[0].name, "--wait=false")
    move(stage, "alloy", "promtail", stage.tree)
    for app in ("ai-core-service", "dashboard-service"):
        stage.await_ready(app)


def course(stage: Stage, writing: Writing, left: Pod) -> str:
    """How a move to Alloy went, from the Pod of Promtail that was left.

    Which seconds' lines came twice; pushes that were tried again; starts; what all three said of files and pushes.
    """
    now, loki = stage.pods("alloy")[0], stage.pods("loki")[0]
    retries = counter(stage, "alloy", 12345, "loki_write_batch_retries_total")
    since = datetime.fromtimestamp(writing.since - 30, UTC).isoformat()[:19]
    said = (
        f"{pod.name} {line[:500]}"
        for pod in (left, now, loki)
        for log in pod.logs.values()
        for file in sorted(log.path.parent.glob("*.log"))
        for line in file.read_text(errors="replace").splitlines()
        if line > since and re.search(r"tail|position|retry|level=(warn|error)", line)
    )
    return "\n".join((writing.course(), f"{retries:.0f} batches tried again", f"{now.states} {loki.states}", *said))


def move(stage: Stage, before: str, after: str, tree: Path) -> None:
    """The steps of docs/how-to/move-to-alloy.md."""
    agents = ("-n", "auralink-agents")
    stage.plane.kubectl(*agents, "delete", "daemonset", before, "--cascade=foreground")
    # forced: ConfigMaps that scenarios before have edited by hand are theirs, too
    stage.plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(tree))
    stage.await_ready(after)
    for kind in ("configmap/%s-config", "serviceaccount/%s"):
        stage.plane.kubectl(*agents, "delete", kind % before)
    for kind in ("role/%s", "rolebinding/%s"):
        stage.plane.kubectl("-n", "auralink", "delete", kind % before)
