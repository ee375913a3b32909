"""`python -m bench.runtime [--quick] [--write] [SUBJECT ...]`: measures, prints Markdown; with --write, into docs/speed-runtime.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from bench.processes import ROOT

from . import conformance, dead_letters, go_loggers, loggers

PAGE = ROOT / "docs" / "speed-runtime.md"

SUBJECTS: Mapping[str, Callable[[bool], str]] = {
    "loggers": loggers.report,
    "go-loggers": go_loggers.report,
    "dead-letters": dead_letters.report,
    "conformance": conformance.report,
}
"""What is measured, each in a module of its own: `report(quick)` gives its tables as Markdown, which stand in the page
between `<!-- SUBJECT: begin -->` and `<!-- SUBJECT: end -->`. `quick` only shows that it runs."""


def main() -> None:
    """Measures the subjects that are named, else all, one after the other."""
    options = _options()
    for subject in options.subjects or SUBJECTS:
        found = SUBJECTS[subject](options.quick)
        print(found)
        if options.write:
            _write(subject, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.runtime", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", choices=[[], *SUBJECTS], help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="little of everything: does it run at all")
    parser.add_argument("--write", action="store_true", help="put the numbers into docs/speed-runtime.md")
    return parser.parse_args()


def _write(subject: str, found: str) -> None:
    begin, end = (f"<!-- {subject}: {mark} -->\n" for mark in ("begin", "end"))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(before + begin + found + end + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
