"""Every query of a rendered tree as a server gets it: of rules, of runbooks with their placeholders, of dashboards with their variables."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import promql_parser
import yaml

from obsgen import logql, promql, promql_tree, upstream
from obsgen.dashboard_reader import Board, choices, filled, queries, read, variables
from obsgen.query import QueryError

PIXELS = 1000  # of a panel: Grafana asks for one point each
Kind = Literal["prometheus", "loki"]


class Question(NamedTuple):
    """Who asks, whom, what; `seconds` back from now every `step`, or for now alone (0).

    `condition`: what an alert asks, which finds nothing unless it fires.
    """

    where: str
    of: Kind
    text: str
    seconds: int = 0
    step: int = 0
    condition: bool = False


def of_rules(tree: Path) -> Iterator[Question]:
    """The expression of every alert and recording of both engines."""
    kinds: tuple[tuple[Kind, str], ...] = ("prometheus", "monitoring/rules"), ("loki", "logging/rules")
    for of, folder in kinds:
        for path in sorted((tree / folder).glob("*.yaml")):
            if not path.stem.endswith("_test"):
                for group in yaml.safe_load(path.read_text())["groups"]:
                    for rule in group["rules"]:
                        where = f"{path.stem}: {rule.get('alert') or rule['record']}"
                        yield Question(where, of, rule["expr"].strip(), condition="alert" in rule)


def records(tree: Path) -> dict[str, str]:
    """What each recording rule for Prometheus records."""
    found = (one for one in of_rules(tree) if one.of == "prometheus" and not one.condition)
    return {one.where.partition(": ")[2]: one.text for one in found}


_FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)")


def of_runbooks(tree: Path, words: Mapping[str, str]) -> Iterator[Question]:
    """What a page has people ask: its blocks, the queries in its sentences, those behind its links.

    `words` stand for the placeholders: `APP`, `QUEUE`, …
    """
    metrics = {*upstream.all_metrics(), *records(tree)}
    for path in sorted((tree / "runbooks").glob("*.md")):
        text = path.read_text()
        for _, language, body in _FENCE.findall(text):
            if language in ("promql", "logql"):
                yield _of_a_page(f"{path.stem}: block", "loki" if language == "logql" else "prometheus", body.strip())
        for _, span in _SPAN.findall(_FENCE.sub("", text)):
            said = re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], span.strip())
            if of := _engine(said, metrics):
                yield _of_a_page(f"{path.stem}: {span.strip()}", of, said)
        for url in re.findall(r"\]\((https?://[^)\s]+)\)", text):
            for of, said in _linked(url):
                yield _of_a_page(f"{path.stem}: link", of, said)


def _of_a_page(where: str, of: Kind, text: str) -> Question:
    read = logql.parse(text) if of == "loki" else promql.parse(text)
    return Question(where, of, text, condition=read.has_comparison)


def _engine(text: str, metrics: Container[str]) -> Kind | None:
    """Whose query a span of code is; None for one that is none: a word, a command, a key."""
    try:
        if text.startswith("{") or re.search(r"\(\s*\{", text):
            return "loki" if logql.parse(text) else None
        named = promql.metrics(promql.parse(text))
    except QueryError:
        return None
    return "prometheus" if "(" in text or any(name in metrics for name, _ in named) else None


def _linked(url: str) -> Iterator[tuple[Kind, str]]:
    """What a link has Prometheus' graph or Grafana's Explore ask."""
    words = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    for expr in words.get("g0.expr", ()):
        yield "prometheus", expr
    for pane in words.get("panes", ()):
        for query in (query for one in json.loads(pane).values() for query in one["queries"]):
            yield query["datasource"]["type"], query["expr"]


def boards(tree: Path) -> dict[str, Board]:
    """The dashboards by their uid."""
    return {path.stem: read(path.read_text()) for path in sorted((tree / "dashboards").glob("*.json"))}


def of_board(
    uid: str, board: Board, seconds: int, chosen: Mapping[str, Sequence[str]], scrape: int
) -> Iterator[Question]:
    """Its queries for a time range, as the browser and the two back ends fill them in; `scrape`: `timeInterval` of the data source.

    https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/: $__rate_interval is the larger of $__interval
    and the scrape interval together, and four scrape intervals. Loki's $__auto is the step of a range, the range of an instant.
    """
    interval = max(scrape, round(seconds / PIXELS))
    for one in queries(board):
        if one.where.startswith("variable "):  # asked before, for the choices
            continue
        own = {
            "interval": interval,
            "rate_interval": max(interval + scrape, 4 * scrape),
            "range": seconds,
            "auto": seconds if one.instant else interval,
        }
        text = filled(one.text, variables(board), own, chosen)
        assert one.of in ("prometheus", "loki"), one
        span = (0, 0) if one.instant else (seconds, interval)
        yield Question(f"{uid}: {one.where}", "loki" if one.of == "loki" else "prometheus", text, *span)


class Servers:
    """The two that answer."""

    def __init__(self, addresses: Mapping[Kind, str]) -> None:
        """Kind → where it is asked: `http://HOST:PORT/api/v1`, Loki with `/loki` before `/api`."""
        self.addresses = addresses

    def get(self, of: Kind, path: str, **words: str | Sequence[str]) -> Any:
        """`data` of its answer. Raises AssertionError with what it says instead."""
        url = f"{self.addresses[of]}{path}?{urllib.parse.urlencode(words, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer).get("data")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code} {error.read().decode()[:500]}") from None

    def ask(self, question: Question) -> list[dict[str, Any]]:
        """The series or streams that it finds. Raises AssertionError with the question where the server refuses it."""
        now = time.time()
        words = {"query": question.text}
        if question.of == "loki":
            words |= {"limit": "1000", "direction": "backward"}
        logs = question.of == "loki" and not question.seconds and not logql.parse(question.text).is_metric
        if question.seconds or logs:  # lines are asked for along a range always
            path, step = "/query_range", max(1, question.step)
            words |= {"start": f"{now - (question.seconds or 900)}", "end": f"{now}", "step": f"{step}"}
        else:
            path = "/query"
            words |= {"time": f"{now}"}
        try:
            data = self.get(question.of, path, **words)
        except AssertionError as error:
            raise AssertionError(f"{question.where}: {question.text}: {error}") from None
        found = data["result"]
        return [{"value": found}] if data["resultType"] in ("scalar", "string") else list(found)

    def choices(self, board: Board) -> dict[str, list[str]]:
        """What each variable of a board offers, asked of the server where it is a query, all others at All; without those of a server
        that isn't here. Raises AssertionError for a sort of query that nobody here knows.
        """
        known, found = variables(board), {}
        for name, variable in known.items():
            if variable["type"] == "custom":
                found[name] = choices(variable)
            elif variable["type"] == "query" and variable["datasource"]["type"] in self.addresses:
                found[name] = self._values(variable["query"], known)
        return found

    def _values(self, query: Mapping[str, Any], known: Mapping[str, dict[str, Any]]) -> list[str]:
        if "stream" in query:  # Loki's
            return list(self.get("loki", f"/label/{query['label']}/values", query=filled(query["stream"], known)))
        asked = re.fullmatch(r"label_values\((.*),\s*(\w+)\)", query["query"])
        assert asked, f"{query}: nobody here knows how Grafana asks this"
        return list(self.get("prometheus", f"/label/{asked[2]}/values", **{"match[]": filled(asked[1], known)}))


def selectors(text: str) -> list[str]:
    """Each selector of a PromQL query, as `/api/v1/series` takes it."""
    found = []
    for one in promql_tree.selectors(promql_parser.parse(text)):
        name, _ = promql_tree.metric(one)
        conditions = "".join(f",{each.name}{each.op}{json.dumps(each.value)}" for each in promql_tree.conditions(one))
        found.append(f"{name}{{{conditions.removeprefix(',')}}}")
    return found
