"""`obsgen logs check` on lines of our own loggers: CPU time a line, beside programs that read or validate the same lines and no more.

`python -m bench.runtime.conformance PEER FILE` prints, as JSON, the CPU seconds of one pass over the lines of FILE.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.processes import ROOT, module, obsgen, run
from bench.table import Aim, aims, table

from .logger_peers import METADATA, SERVICE, flat, nested

CONTRACT = ROOT / "rendered" / "prod" / "contract"
LONG = 5
COMMAND = "`obsgen logs check FILE`, the whole process, five times the lines"
MEASURE = "json.loads, then jsonschema-rs"
AIM = 1e6 / 100_000  # microseconds
Found = dict[str, float]
"""Peer → CPU seconds a line."""


def report(quick: bool) -> str:
    """In rounds, every peer once a round: a slow minute of the machine meets all of them. The least counts."""
    number, rounds = (2_000, 1) if quick else (50_000, 3)
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        bare, cri, long = (Path(folder) / f"{name}.log" for name in ("bare", "cri", "long"))
        lines = list(made(number))
        bare.write_bytes(b"".join(lines))
        cri.write_bytes(b"".join(b"2026-03-02T10:00:00.000000005Z stdout F " + line for line in lines))
        long.write_bytes(b"".join(lines) * LONG)
        for turn in range(rounds):
            print(f"conformance: round {turn + 1} of {rounds}", file=sys.stderr)
            for peer, seconds in (*_peers(bare, cri), (COMMAND, _command(long) / LONG)):
                found[peer] = min(seconds / number, found.get(peer, seconds))
    return _tables(found, sum(map(len, lines)) / number)


def made(number: int) -> Iterator[bytes]:
    """Lines as a service writes them: of fifty, 45 flat, four with containers and redacted values, one error with its stack."""
    from auralink_shared import contract
    from auralink_shared.logging import Entry
    from auralink_shared.logging.failure import Failure
    from auralink_shared.logging.trace import Identity

    entry = Entry(SERVICE, contract.load(), METADATA)
    stack = "".join(
        f'  File "/app/rooms.py", line {line}, in call\n    await self.create(room)\n' for line in range(12)
    )
    failed = Failure(
        "timed out", "TimeoutError", "ETIMEDOUT", f"Traceback (most recent call last):\n{stack}TimeoutError"
    )
    for turn in range(number):
        who = Identity(f"{turn * 2654435761 % 2**128:032x}", f"{turn:016x}", f"user_{turn % 5000}", f"r-{turn}")
        at = 1_772_445_600_000_000_000 + turn * 1_000_000
        if turn % 50 in (7, 19, 31, 43):
            yield entry.line("DEBUG", "Request to the model", nested(turn), who, at=at)
        elif turn % 50 == 49:
            yield entry.line("ERROR", "Room failed", flat(turn), who, failed, at)
        else:
            yield entry.line("INFO", "Room created", flat(turn), who, at=at)


Reader = Callable[[list[bytes]], object]


def _each(work: Callable[[bytes], object]) -> Reader:
    def all_of(lines: list[bytes]) -> None:
        for line in lines:
            work(line)

    return all_of


def ours(lines: list[bytes]) -> None:
    """Every rule, from the bytes of a file on; fails where a line of the loggers doesn't conform."""
    from obsgen.conformance.checker import Checker
    from obsgen.conformance.frames import unframed
    from obsgen.conformance.standard import read

    checker = Checker(read(CONTRACT / "contract.json"))
    for text, number, captured in unframed(lines):
        checker.check(text, number, captured)
    if checker.tally.conforming != len(lines):
        raise SystemExit(f"{checker.tally.conforming} of {len(lines)} lines conform: {checker.tally.counts}")


def _schema() -> Any:
    return json.loads((CONTRACT / "log-entry.schema.json").read_text(encoding="utf-8"))


def _loads() -> Reader:
    return _each(json.loads)


def _orjson() -> Reader:
    import orjson

    return _each(orjson.loads)


def _msgspec() -> Reader:
    import msgspec

    return _each(msgspec.json.Decoder().decode)


def _jsonschema_rs() -> Reader:
    import jsonschema_rs

    check = jsonschema_rs.validator_for(_schema()).validate
    return _each(lambda line: check(json.loads(line)))


def _fastjsonschema() -> Reader:
    import fastjsonschema

    check = fastjsonschema.compile(_schema())
    return _each(lambda line: check(json.loads(line)))


def _jsonschema() -> Reader:
    import jsonschema

    check = jsonschema.Draft202012Validator(_schema()).validate
    return _each(lambda line: check(json.loads(line)))


PEERS: Mapping[str, Callable[[], Reader]] = {
    "ours, all rules": lambda: ours,
    "ours, lines as containerd writes them": lambda: ours,
    "msgspec, read only": _msgspec,
    "orjson, read only": _orjson,
    "json.loads, read only": _loads,
    MEASURE: _jsonschema_rs,
    "json.loads, then fastjsonschema": _fastjsonschema,
    "json.loads, then jsonschema": _jsonschema,
}


def _peers(bare: Path, cri: Path) -> Iterator[tuple[str, float]]:
    for peer in PEERS:
        file = cri if "containerd" in peer else bare
        yield peer, float(json.loads(run(module("runtime.conformance", peer, str(file))).output))


def _command(file: Path) -> float:
    contract = str(CONTRACT / "contract.json")
    return run(obsgen("logs", "check", str(file), "--contract", contract, "--max", "volume=1TB", "--strict")).seconds


def _tables(found: Found, size: float) -> str:
    measure = found[MEASURE]
    rows = (
        [peer, f"{seconds * 1e6:.2f}", f"{1 / seconds:,.0f}", f"{measure / seconds:.2f}"]
        for peer, seconds in found.items()
    )
    head = [f"lines of {size:.0f} bytes", "CPU µs a line", "lines/s", "÷ jsonschema-rs"]
    aim = Aim("µs a line of `obsgen logs check` (100,000 lines/s)", found[COMMAND] * 1e6, AIM)
    return table(head, rows) + "\n" + aims([aim])


def measure(reader: Reader, lines: list[bytes]) -> float:
    """CPU seconds of this process for all the lines, once it has warmed up on some."""
    reader(lines[:1000])
    start = time.process_time()
    reader(lines)
    return time.process_time() - start


def _lines(file: str) -> Iterable[bytes]:
    return Path(file).read_bytes().splitlines()


if __name__ == "__main__":
    print(json.dumps(measure(PEERS[sys.argv[1]](), list(_lines(sys.argv[2])))))
