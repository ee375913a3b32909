"""`python -m bench [--quick] [--rounds N] [--write]`: measures, prints Markdown; with --write, into docs/speed.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from . import fleet
from .processes import ROOT, module, obsgen, reported, run
from .table import Aim, Number, Numbers, aims, growth, sizes

PAGE = ROOT / "docs" / "speed.md"
_BEGIN, _END = "<!-- numbers: begin -->\n", "<!-- numbers: end -->\n"

VERBS = {
    "`check`": ["check"],
    "`render` into an empty folder": ["render"],
    "`render`, nothing changed": ["render"],
    "`render --check`": ["render", "--check"],
}
STAGES = ("read", "shape", "model", "rules", "checks", "rule texts", "dashboards", "all texts", "write")
SDK = "grafana-foundation-sdk"
PEERS = ("rjsonnet", "rjsonnet, YAML", "gojsonnet", "yaml.compose", "yaml.compose, collector off", SDK)
OURS, IMPORTS = "`render --profile prod` of AuraLink", '`python -c "import click, jinja2, yaml, jsonschema"`'

Found = dict[str, dict[int, Number]]


def main() -> None:
    """Measures in rounds, every program once a round: a slow minute of the machine meets all of them. The least counts."""
    options = _options()
    services = (2, 10, 50) if options.quick else (2, 100, 1000)
    rounds = options.rounds or (1 if options.quick else 5)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {number: Path(temporary) / str(number) for number in services}
        _prepare(folders)
        everything = _least([_round(folders) for _ in _counted(rounds)])
    page = report(everything, judged=not options.quick)
    print(page)
    if options.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
        PAGE.write_text(before + _BEGIN + page + _END + rest.partition(_END)[2], encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small fleets, one round: does it run at all")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (5; with --quick 1)")
    parser.add_argument("--write", action="store_true", help="put the numbers into docs/speed.md")
    return parser.parse_args()


def _counted(rounds: int) -> Iterator[int]:
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        yield number


def _prepare(folders: dict[int, Path]) -> None:
    for services, folder in folders.items():
        fleet.write(folder, services)
        run(module("peers", "prepare", str(folder)))
    smallest = folders[min(folders)]
    run(obsgen("render", *_of(smallest)))
    run(module("peers", "same", str(smallest)))


def _of(folder: Path) -> list[str]:
    return ["--config", str(folder / "observability.yaml"), "--profile", "prod"]


def _round(folders: dict[int, Path]) -> Found:
    found: Found = {}
    for services, folder in folders.items():
        for name, number in (*_verbs(folder), *_stages(folder), *_peers(folder)):
            found.setdefault(name, {})[services] = number
    for name, command in ((OURS, _auralink(next(iter(folders.values())))), (IMPORTS, _imports())):
        used = run(command)
        found[name] = {0: Number(used.seconds, rss=used.rss)}
    return found


def _verbs(folder: Path) -> Iterator[tuple[str, Number]]:
    source = (folder / "observability.yaml").stat().st_size
    with tempfile.TemporaryDirectory(dir=folder) as out:
        for name, (verb, *flags) in VERBS.items():
            place = [] if verb == "check" else ["--out", out]
            used = run(obsgen(verb, *_of(folder), *place, *flags))
            yield name, Number(used.seconds, source, used.rss)


def _stages(folder: Path) -> Iterator[tuple[str, Number]]:
    used = reported(run(module("stages", str(folder))))
    for name in STAGES:
        yield name, Number(used["seconds"][name], int(used["bytes"][name]))


def _peers(folder: Path) -> Iterator[tuple[str, Number]]:
    for name in PEERS:
        ran = run(module("peers", name, str(folder)))
        used = reported(ran)
        yield name, Number(used["seconds"][name], int(used["bytes"][name]), ran.rss)


def _auralink(folder: Path) -> list[str]:
    return obsgen("render", *_of(ROOT), "--out", str(folder / "auralink"))


def _imports() -> list[str]:
    return [sys.executable, "-c", "import click, jinja2, yaml, jsonschema"]


def _least(rounds: Sequence[Found]) -> Found:
    """What disturbs a run only ever adds to it."""
    return {
        name: {size: min((one[name][size] for one in rounds), key=lambda number: number.seconds) for size in row}
        for name, row in rounds[0].items()
    }


def report(found: Found, judged: bool) -> str:
    """The page's tables; small fleets are not judged, for starting Python is most of their time."""

    def part(names: Iterable[str]) -> Numbers:
        return {name: found[name] for name in names}

    ours, imports = found[OURS][0], found[IMPORTS][0]
    return "\n".join(
        [
            sizes(part(VERBS), "the whole process; services:"),
            sizes(part(STAGES), "a stage of it; services:"),
            sizes(part(PEERS), "a peer; services:"),
            *([aims(_aims(found))] if judged else []),
            f"{OURS}: {ours.seconds:.2f} s, {ours.rss:.0f} MB; {IMPORTS}: {imports.seconds:.2f} s.\n",
        ]
    )


def _aims(found: Found) -> Iterator[Aim]:
    largest = max(found["read"])
    at = {name: row[largest] for name, row in found.items() if largest in row}
    rules = at["rules"].seconds + at["rule texts"].seconds
    fastest = min(at["rjsonnet"].seconds, at["rjsonnet, YAML"].seconds)
    yield Aim("model to rule files ÷ the faster rjsonnet to the same rule files", rules / fastest, 1)
    for peer in ("yaml.compose", "yaml.compose, collector off"):
        yield Aim(f"`check` ÷ {peer}, of the same declaration", at["`check`"].seconds / at[peer].seconds, 3)
    yield Aim(f"dashboards ÷ {SDK}, of the same panels, per byte", _pace(at["dashboards"]) / _pace(at[SDK]), 1.5)
    steepest = max((*VERBS, *STAGES), key=lambda name: growth(found[name]))
    yield Aim(f"growth between the larger fleets, steepest: {steepest}", growth(found[steepest]), 1.1)
    yield Aim("peak RSS", max(at[name].rss or 0 for name in VERBS), 300, " MB")
    yield Aim("AuraLink's `render` ÷ importing its libraries", found[OURS][0].seconds / found[IMPORTS][0].seconds, 4)


def _pace(number: Number) -> float:
    """Seconds a byte: the builders leave out half of what a dashboard holds."""
    return number.seconds / (number.bytes or 1)


if __name__ == "__main__":
    main()
