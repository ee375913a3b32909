"""What is done to one queue by two clients at once: both are given the same letters, as two operators at one table."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auralink_shared.dlq.record import rfc3339

from . import client as python
from .client import BIRTH
from .processes import Fork, Process, Program


@dataclass(frozen=True)
class Kind:
    """An operation and the language of its clients. `program`: what one is; without, it is client.py."""

    operation: str
    language: str
    program: Path | None = None

    @property
    def by_id(self) -> bool:
        """Whether a client says which letters, not how many."""
        return self.operation != "cleanup"


class Workload:
    """One kind, on a queue that nobody else has. `letters`: how many there are to work on."""

    def __init__(self, kind: Kind, folder: Path, name: str, letters: int) -> None:
        self.kind, self.folder, self.letters = kind, folder, set(range(1, letters + 1))
        self.queue = f"soak:{name}:{kind.operation}-{kind.language.lower()}"
        self.archive, self._spool = folder / "archive", folder / "spool"
        self.operators: list[Operator] = []
        folder.mkdir(parents=True)

    def seed(self, client: Any) -> None:
        """The letters lie in the inbox, as the plan's writers leave them; those of `add` are yet to come."""
        if self.kind.operation == "add":
            return
        bodies = [b'{"id":"%d","created_at":"%s","payload":%d}' % (id, _time(id), id) for id in sorted(self.letters)]
        for at in range(0, len(bodies), 500):
            client.lpush(f"dlq:{self.queue}", *bodies[at : at + 500])

    def operator(self, url: str, clustered: bool, ids: Sequence[int], die_after: int | None = None) -> Operator:
        """Starts one more client."""
        told = ["--redis", url, "--queue", self.queue, "--op", self.kind.operation]
        told += ["--cluster"] if clustered else []
        told += ["--spool", str(self._spool)] if self.kind.operation == "add" else []
        told += ["--archive", str(self.archive)] if self.kind.operation == "cleanup" else []
        told += ["--die-after", str(die_after)] if die_after else []
        one = Operator(self.kind.program, told, self.folder / str(len(self.operators)), ids)
        self.operators.append(one)
        return one

    @property
    def acknowledged(self) -> set[int]:
        """Ids that any client has printed."""
        return {id for one in self.operators for id in one.printed} if self.kind.by_id else set()

    @property
    def count(self) -> int:
        """How many letters were acknowledged, where no ids are printed."""
        return len(self.acknowledged) if self.kind.by_id else sum(max(one.printed, default=0) for one in self.operators)


@dataclass
class Operator:
    """A running client. Its files are `PLACE.in`, `.out` and `.err`: a pipe would lose what a killed reader had not read."""

    program: Path | None
    arguments: list[str]
    place: Path
    ids: Sequence[int]
    replaced: bool = False
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        told, said, wrong = (self.place.with_suffix(end) for end in (".in", ".out", ".err"))
        told.write_text("".join(f"{id}\n" for id in self.ids), encoding="utf-8")
        with told.open("rb") as stdin, said.open("wb") as stdout, wrong.open("wb") as stderr:
            files = (stdin, stdout, stderr)
            if self.program:
                self.process = Program([str(self.program), *self.arguments], *files)
            else:
                self.process = Fork(python.main, self.arguments, *files)

    @property
    def printed(self) -> list[int]:
        """What it has acknowledged so far; each line is one write."""
        return [int(line) for line in self.place.with_suffix(".out").read_text(encoding="ascii").split()]

    @property
    def suicide(self) -> bool:
        """Whether it has killed itself, as --die-after asks."""
        return self.process.poll() == -9

    @property
    def errors(self) -> str:
        """The end of what it wrote to standard error."""
        return f"{' '.join(self.arguments)}\n{self.place.with_suffix('.err').read_text(encoding='utf-8')[-2000:]}"

    def kill(self) -> None:
        """kill -9, and gone."""
        self.process.kill()
        self.process.wait()


def mortality(chance: random.Random) -> int | None:
    """After how many commands a client kills itself; half of them don't."""
    return chance.choice([None, chance.randint(1, 150)])


def _time(id: int) -> bytes:
    return rfc3339(BIRTH + id / 1000).encode()
