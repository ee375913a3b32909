"""One question to one judge, and how its program is asked."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from ..problem import Problem, ProblemsError

_PATIENCE = 120  # seconds; the slowest question takes about two on one busy core
_FEEDING = 10  # seconds that a judge's stdin stays open at most


class Text(NamedTuple):
    """One text that a server reads.

    `name` is its path, `monitoring/alertmanager.yaml`; for an entry of a ConfigMap `PATH#CONFIGMAP/KEY`.
    """

    name: str
    text: str

    @property
    def base(self) -> str:
        """The file name under which the server sees it."""
        return re.split(r"[/#]", self.name)[-1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a judge said; `message` is "" when it accepted, else its words without paths and times of this machine."""

    accepted: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A question to a judge.

    `tool` is the program to look for, "" for a Python library; `subject` what is judged, as people are shown it; `inputs` every text
    that the verdict depends on; `arguments` the command line with file names only. `run` gets the program and an empty work folder;
    it raises nothing for a refused text, and ProblemsError when the judge could not do its work.
    """

    judge: str
    tool: str
    subject: str
    inputs: tuple[Text, ...]
    arguments: tuple[str, ...]
    run: Callable[[Path, Path], Outcome]


class Answer(NamedTuple):
    """How a program ended and what it said."""

    code: int
    stdout: str
    stderr: str


def lay_out(work: Path, texts: Iterable[Text]) -> None:
    """Write each text into the work folder under the name that the server sees."""
    for text in texts:
        (work / text.base).write_text(text.text, encoding="utf-8", newline="\n")


def ask(
    program: Path,
    arguments: Iterable[str],
    work: Path,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
    until: Callable[[str], bool] = lambda printed: True,
) -> Answer:
    """Run a judge to its end inside the work folder, with none of the user's own settings.

    Its stdin is closed once `until` says that enough is on its stdout, at the latest after ten seconds. Raises ProblemsError (could not
    run) when it does not start, is killed, or has not ended after two minutes.
    """
    command, environment = [str(program), *arguments], {**_settings(work), **(variables or {})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            running = subprocess.Popen(
                command, cwd=work, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=err
            )
        except OSError as error:
            raise _could_not(program, f"does not start: {(error.strerror or str(error)).lower()}") from error
        _feed(running, stdin, lambda: until(_written(out)))
        code = _ended(running, program)
        stdout, stderr = (_clean(_written(file), program, work) for file in (out, err))
    return Answer(code, stdout, stderr)


def _feed(running: subprocess.Popen[bytes], text: str, enough: Callable[[], bool]) -> None:
    assert running.stdin is not None, "stdin is a pipe"
    latest = time.monotonic() + _FEEDING
    with contextlib.suppress(BrokenPipeError), running.stdin as pipe:
        pipe.write(text.encode())
        pipe.flush()
        while not enough() and running.poll() is None and time.monotonic() < latest:
            time.sleep(0.02)


def _ended(running: subprocess.Popen[bytes], program: Path) -> int:
    try:
        code = running.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        raise _could_not(program, f"has not ended after {_PATIENCE} s") from None
    if code < 0:
        raise _could_not(program, f"was killed by signal {-code}")
    return code


def _written(file: IO[bytes]) -> str:
    # pread: the judge writes at the same offset that a seek of ours would move
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


def _settings(work: Path) -> dict[str, str]:
    """The environment of a judge: amtool and logcli would read the user's configuration, promtail prints times in the local zone."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(work), "TZ": "UTC", "LC_ALL": "C.UTF-8"}


def outcome(answer: Answer) -> Outcome:
    """The verdict of a judge whose exit code says it, in its words where it refused."""
    if answer.code == 0:
        return Outcome(True)
    return Outcome(False, refusal(answer))


def refusal(answer: Answer) -> str:
    """What a judge said, stderr first, as it would say it at any time; never empty."""
    said = "\n".join(filter(None, (answer.stderr.strip(), answer.stdout.strip())))
    return _TIMES.sub("", said) or f"exit code {answer.code}, without a word"


_TIMES = re.compile(
    r"\b(?:ts|time)=(?:\"[^\"]*\"|\S+) |^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    re.MULTILINE,
)


def _clean(said: str, program: Path, work: Path) -> str:
    """A program's words as they would be on any machine."""
    for machine in (f"{work.resolve()}/", f"{work}/", str(work.resolve()), str(work)):
        said = said.replace(machine, "")
    name = re.sub(r"-\d[\w.+-]*$", "", program.name)
    return said.replace(str(program), name).replace(f"{program.name}: ", f"{name}: ")


def _could_not(program: Path, fact: str) -> ProblemsError:
    return ProblemsError([Problem(program.name, 0, 0, fact, "", "judge/failed")], could_not_run=True)
