"""The tables of docs/soak.md, and what of them is a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .promises import Tally
from .rounds import Cell
from .servers import ROOT

PAGE = ROOT / "docs" / "soak.md"
_BEGIN, _END = "<!-- numbers: begin -->\n", "<!-- numbers: end -->\n"
EVENTS = {"kill": "killed", "cut": "power cut"}
SEEN = ("in a rewrite", "clients died", "bytes cut off")


class Name(NamedTuple):
    """A column: how many nodes, what happens to them, with which appendfsync."""

    nodes: int
    event: str
    everysec: bool = False

    @property
    def loses(self) -> bool:
        """Whether it must be seen to lose, or else the power was not cut."""
        return self.everysec and self.event == "cut"

    def __str__(self) -> str:
        place = "one Redis" if self.nodes == 1 else "a Cluster of three"
        return f"{place}{', everysec' if self.everysec else ''}, {EVENTS[self.event]}"


def tables(cells: Mapping[Name, Cell]) -> str:
    """Markdown: the promise, and below it what becomes of it with `appendfsync everysec`."""
    parts = []
    for everysec in (False, True):
        columns = {name: cell for name, cell in cells.items() if name.everysec == everysec}
        kinds = list(next(iter(columns.values())).tallies)
        rows = [
            ["", *map(str, columns)],
            ["---", *("---:" for _ in columns)],
            ["times", *(str(cell.rounds) for cell in columns.values())],
        ]
        for kind in kinds:
            words = [f"`{kind.operation}`, {kind.language}"]
            rows.append([*words, *(_cell(cell.tallies[kind]) for cell in columns.values())])
        for seen in SEEN:
            rows.append([seen, *(f"{cell.seen[seen]:,}" for cell in columns.values())])
        rows.append(["index and counters that disagree", *(str(cell.wrong) for cell in columns.values())])
        parts.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(parts)


def _cell(tally: Tally) -> str:
    return f"{tally.acknowledged:,} / {tally.lost:,} / {tally.twice:,}"


def failures(cells: Mapping[Name, Cell]) -> Iterator[str]:
    """What breaks a promise, and a harness that could not have seen it."""
    for name, cell in cells.items():
        if cell.wrong:
            yield f"{name}: index and counters disagree {cell.wrong} times"
        if not name.everysec and cell.lost:
            yield f"{name}: {cell.lost} lost"
        if name.loses and not cell.lost:
            yield f"{name}: nothing lost, so the power was not cut"
        twice = sum(tally.twice for kind, tally in cell.tallies.items() if kind.operation in ("add", "remove"))
        if twice:
            yield f"{name}: {twice} letters twice, where once was promised"


def write(text: str) -> None:
    """Puts the tables between the page's marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    PAGE.write_text(before + _BEGIN + text + _END + rest.partition(_END)[2], encoding="utf-8")
