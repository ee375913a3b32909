"""What Prometheus' and Loki's own programs say of the queries in dashboards, with Grafana's variables filled in as Grafana would.

Not exercised: Grafana itself, which nothing here can start: how it draws a panel, its transformations, its links.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from ..dashboard_reader import Asked, BadJSONError, filled, queries, read, variables
from ..plan import Plan
from . import texts
from .loki import parse
from .task import Outcome, Task, Text, ask, lay_out, outcome, refusal

DASHBOARDS = ("dashboards/*.json", "grafana/dashboards/*.json")

# a query may be the same in two panels, and its name is no metric
_CHECK = ("check", "rules", "--lint=none")


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Of each dashboard: promtool reads its PromQL as rules, logcli and lezer-logql read its LogQL."""
    for text in texts.matching(files, DASHBOARDS):
        asked = _asked(text.text)
        if rules := [one for one in asked if one.of == "prometheus"]:
            yield _promql(text.name, rules)
        if logs := [(one.where, one.text) for one in asked if one.of == "loki"]:
            written = Text(f"{text.name}#logql.json", json.dumps([query for _, query in logs], indent=1))
            yield Task("lezer-logql", "lezer-logql", text.name, (written,), (), partial(parse, logs))
            yield Task("logcli", "logcli", text.name, (written,), ("fmt",), partial(_format, logs))


def _asked(text: str) -> list[Asked]:
    """The queries as they are sent; none of a file that isn't read, which `dashboard/json` tells."""
    try:
        board = read(text)
    except BadJSONError:
        return []
    known = variables(board)
    return [one._replace(text=filled(one.text, known)) for one in queries(board)]


def _promql(name: str, asked: list[Asked]) -> Task:
    """Rules whose names count the queries; JSON is YAML, so promtool reads it."""
    rules = [{"record": f"query:{number}", "expr": one.text} for number, one in enumerate(asked, 1)]
    base = f"{Path(name).stem}.yaml"
    written = Text(f"{name}#{base}", json.dumps({"groups": [{"name": "queries", "rules": rules}]}, indent=1))
    arguments = (*_CHECK, base)
    return Task("promtool", "promtool", name, (written,), arguments, partial(_check, written, asked, arguments))


def _check(rules: Text, asked: list[Asked], arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    lay_out(work, [rules])
    said = outcome(ask(program, arguments, work))
    if said.accepted:
        return said
    numbers = [number for number, _ in enumerate(asked, 1) if f'"query:{number}"' in said.message]
    where = "".join(f"query:{number} is {asked[number - 1].where}\n" for number in numbers)
    return Outcome(False, f"{where}{said.message}")


def _format(asked: list[tuple[str, str]], program: Path, work: Path) -> Outcome:
    answers = [(where, ask(program, ("fmt",), work, stdin=query)) for where, query in asked]
    wrong = [f"{where}: {refusal(answer)}" for where, answer in answers if answer.code]
    return Outcome(not wrong, "\n".join(wrong))
