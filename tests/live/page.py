"""The tables of docs/live.md, made of what is kept; `--record` writes them, `python -m tests.live.page` does so alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from . import beside, kept
from .scenarios import HERE, OF_A_RUN

PAGE = HERE.parents[1] / "docs" / "live.md"
NOT_PROVOKED = HERE / "not_provoked.yaml"
CHANNELS = {"pagerduty": "PagerDuty", "slack": "Slack", "mail": "mail", "watchdog": "webhook"}
COMMANDS = {
    "registries": "`make live`",
    "all": "`OBSGEN_LIVE=all make live`",
    "ha": "`make live-ha`",
    "objectives": "`make live-objectives`",
}
Entry = dict[str, Any]


def written(page: str, results: Sequence[Entry], not_provoked: dict[str, str]) -> str:
    """The page with its tables made anew: what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""
    tables: dict[str, Callable[[], str]] = {
        "runs": lambda: _runs(results),
        "scenarios": lambda: _scenarios(results),
        "alerts": lambda: _alerts(results),
        "benign": lambda: _benign(results),
        "numbers": lambda: _numbers(results),
        "not provoked": lambda: _table(
            ("alert", "why not"), ((f"`{name}`", why) for name, why in sorted(not_provoked.items()))
        ),
    }
    for name, made in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = page.partition(begin)
        assert found and end in rest, f"the page has no place for {name}"
        page = f"{before}{begin}{made()}{end}{rest.partition(end)[2]}"
    return page


def row(results: Iterable[Entry], run: str) -> int:
    """How many runs of OBSGEN_LIVE=`run` every scenario of it has passed in a row."""
    return min((one["in_a_row"].get(run, 0) for one in results if one["part"] in OF_A_RUN[run]), default=0)


def _runs(results: Sequence[Entry]) -> str:
    return _table(
        ("run", "scenarios", "runs in a row without a failure"),
        (
            (command, str(sum(one["part"] in OF_A_RUN[run] for one in results)), str(row(results, run)))
            for run, command in COMMANDS.items()
        ),
    )


def _scenarios(results: Sequence[Entry]) -> str:
    return _table(
        ("scenario", "stands on", "run"),
        ((sentence(one["scenario"]), ", ".join(one["boots"]), COMMANDS[one["part"]]) for one in results),
    )


def sentence(scenario: str) -> str:
    """`…/test_x.py::test_a_redis_is_gone[b]` as words: a redis is gone (b)."""
    name = scenario.partition("::")[2].removeprefix("test_")
    words, _, parameter = name.rstrip("]").partition("[")
    return words.replace("_", " ") + (f" ({parameter})" if parameter else "")


def _alerts(results: Sequence[Entry]) -> str:
    entries = sorted(
        (entry for one in results for entry in one["told"].get("alerts", ())),
        key=lambda one: (one["alert"], one["severity"], one["fault"]),
    )
    used = [name for name in CHANNELS if any(name in one["told"] for one in entries)]
    return _table(
        ("alert", "severity", "fault", *(f"{CHANNELS[name]}, s" for name in used), "elsewhere", "the end, s"),
        (
            (
                f"`{one['alert']}`",
                one["severity"],
                one["fault"],
                *(str(one["told"].get(name, "")) for name in used),
                _elsewhere(one["told"]),
                str(max(one["over"].values(), default="")),
            )
            for one in entries
        ),
        numbers=len(used) + 2,
    )


def _elsewhere(told: dict[str, int]) -> str:
    """What no column of a channel shows: where else it was seen, or that it was held back."""
    if not told:
        return "silent: its harsher level is told"
    return ", ".join(f"{where}: {seconds} s" for where, seconds in told.items() if where not in CHANNELS)


def _benign(results: Sequence[Entry]) -> str:
    entries = [entry for one in results for entry in one["told"].get("benign", ())]
    rows = sorted({(one["operation"], str(one["pages"])) for one in entries})
    return _table(("operation", "pages"), rows, numbers=1)


def _numbers(results: Sequence[Entry]) -> str:
    entries = [entry for one in results for entry in one["told"].get("numbers", ())]
    rows = [(one["what"], f"{one['value']} {one['unit']}".strip(), one["how"]) for one in entries]
    return _table(("what", "measured", "how"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    rules = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    lines = [head, rules, *([re.sub(r"\s*\n\s*|\|", " ", cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def current(folder: Path = kept.FOLDER) -> str:
    """The page as the kept results would have it."""
    reasons = yaml.safe_load(NOT_PROVOKED.read_text()) if NOT_PROVOKED.exists() else {}
    return written(PAGE.read_text(encoding="utf-8"), kept.everything(folder), reasons or {})


def main() -> None:
    """Writes docs/live.md."""
    with beside.alone(PAGE.parent):
        beside.write(PAGE, current())


if __name__ == "__main__":
    main()
