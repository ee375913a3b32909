"""Whether what is kept of the live tests still holds: `make live-check`, run by CI.

An error: a scenario of `make live` that was never recorded, has failed, or stood on other files than there are now; a kept result without
its scenario; a level of an alert that nothing provokes and nobody excuses. Of `make live-ha` and `make live-objectives` the first is a
warning, which names the commit that holds the result; with `--require live` an error too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from . import kept, page, stands
from .scenarios import HERE, Scenario, scenario

ROOT = HERE.parents[1]
COMMANDS = {
    "registries": "make live ARGS=--record",
    "all": "OBSGEN_LIVE=all make live ARGS=--record",
    "ha": "make live-ha ARGS=--record",
    "objectives": "make live-objectives ARGS=--record",
}
REASONS = ("second machine", "more than an hour", "third party")
"""What an alert may be excused with."""
Hashes = Callable[[Scenario], Mapping[str, str]]


class Fault(NamedTuple):
    """What does not hold; a warning of a part that CI can't ask for."""

    where: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {'warning: ' if self.warning else ''}{self.what}"


def stale(
    scenarios: Iterable[Scenario], hashes: Hashes, folder: Path = kept.FOLDER, *, require: bool = False
) -> Iterator[Fault]:
    """Scenarios whose result doesn't hold for what there is now, and results without a scenario."""
    known = set()
    for one in scenarios:
        file = kept.path(one, folder)
        known.add(file)
        try:
            now = hashes(one)
        except LookupError as error:
            yield Fault(one.id, f"boots: {error}")
            continue
        before = kept.read(file)
        if before is None:
            why = "has never been recorded"
        elif not before["passed"]:
            why = "failed when it was last recorded"
        else:
            changed = [name for name in _CHANGED if before[name] != now[name]]
            if not changed:
                continue
            why = f"was recorded with other {' and '.join(_CHANGED[name] for name in changed)}"
        commit = _commit(file) if before else ""
        yield Fault(
            one.id,
            f"{why}{f' ({commit})' if commit else ''}; repeat: {COMMANDS[one.part]}",
            warning=one.part in ("ha", "objectives") and not require,
        )
    for file in sorted(set(folder.rglob("*.yaml")) - known):
        yield Fault(file.relative_to(folder.parent).as_posix(), "no scenario tells this any more; delete it")


_CHANGED = {"rendered": "rendered files", "harness": "files of the harness"}


def _commit(file: Path) -> str:
    """The commit that holds a kept result as it is, or nothing."""
    asked = ["git", "-C", str(file.parent), "log", "-1", "--format=%h", "--", file.name]
    found = subprocess.run(asked, capture_output=True, text=True)
    return f"commit {found.stdout.strip()}" if found.stdout.strip() else ""


def unprovoked(rendered: Iterable[str], results: Iterable[kept.Entry], excused: Mapping[str, str]) -> Iterator[Fault]:
    """Levels of alerts (`ALERT SEVERITY`) that nothing provokes and nobody excuses, and excuses that aren't needed or aren't allowed."""
    where = page.NOT_PROVOKED.relative_to(ROOT).as_posix()
    alerts = set(rendered)
    provoked = {f"{entry['alert']} {entry['severity']}" for one in results for entry in one["told"].get("alerts", ())}
    for name in sorted(alerts - provoked - excused.keys()):
        yield Fault(where, f"nothing provokes {name}, and it does not stand here")
    for name, why in sorted(excused.items()):
        if name in provoked:
            yield Fault(where, f"{name} is provoked, and stands here")
        elif name not in alerts:
            yield Fault(where, f"{name} is not rendered")
        elif not any(word in why for word in REASONS):
            yield Fault(where, f"{name}: only these are reasons: {', '.join(REASONS)}")


def rendered_alerts(trees: Path = ROOT / "rendered") -> set[str]:
    """`ALERT SEVERITY` of every rule of every shipped profile."""
    files = (file for file in trees.glob("*/*/rules/*.yaml") if not file.stem.endswith("_test"))
    return {
        f"{rule['alert']} {rule['labels']['severity']}"
        for file in files
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def collected() -> list[Scenario]:
    """Every scenario there is, of all parts. Raises SystemExit where a module can't be read."""
    found: list[Scenario] = []

    class Collector:
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items: Sequence[Any]) -> None:
            found.extend(scenario(item) for item in items)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                print(report.longrepr, file=sys.stderr)

    os.environ["OBSGEN_LIVE"] = "every"
    options = ("--collect-only", "-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider")
    if code := pytest.main([*options, str(HERE)], plugins=[Collector()]):
        raise SystemExit(f"the scenarios can't be read (pytest: {code!r})")
    return found


def main() -> None:
    """Prints what doesn't hold; exit code 1 for an error."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--require", choices=["live"], help="live: of live-ha and live-objectives too, an error")
    require = parser.parse_args().require == "live"
    excused = yaml.safe_load(page.NOT_PROVOKED.read_text()) if page.NOT_PROVOKED.exists() else None
    results = kept.everything()
    faults = [
        *stale(collected(), stands.hashes, require=require),
        *unprovoked(rendered_alerts(), results, excused or {}),
    ]
    for fault in faults:
        print(fault)
    for run, command in page.COMMANDS.items():
        print(f"{command.strip('`')}: {page.row(results, run)} runs in a row")
    errors = sum(not fault.warning for fault in faults)
    print(f"{errors} errors, {len(faults) - errors} warnings, {len(results)} results")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
