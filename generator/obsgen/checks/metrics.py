"""Metrics and labels that nobody exports: such an alert never fires, and looks like one that never needed to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .. import agent, promql, scrape, upstream
from ..document import Path, did_you_mean
from ..model import Declaration
from ..query import QueryError
from ..road import Declared
from .finding import Fault, Finding
from .questions import Asked, alerts, at, made, promql_trees

TARGET_LABELS = frozenset({*agent.TARGET_LABELS, "pod", "job", "instance"})
"""Labels of every scraped series."""

Known = Mapping[str, frozenset[str] | None]


def known_metrics(declared: Declared) -> Known:
    """Every metric that some server, pack or declared service exports, with its own labels; None where they are not known."""
    known: dict[str, frozenset[str] | None] = {
        name: None if metric.open else frozenset(metric.labels) for name, metric in upstream.all_metrics().items()
    }
    for service in declared.declaration.services.values():
        if not service.metrics:
            continue
        for name, labels in service.metrics.exports.items():
            known |= {name: frozenset(labels), f"{name}_bucket": frozenset({*labels, "le"})}
            known |= dict.fromkeys((f"{name}_count", f"{name}_sum"), frozenset(labels))
        if requests := service.metrics.requests:
            names = [requests.total, *([requests.seconds] if requests.seconds else [])]
            known |= {name + end: None for name in names for end in ("", "_bucket", "_count", "_sum")}
    for expanded in declared.packs.values():
        known |= dict.fromkeys(expanded.records)
    return known


def unknown_metric(declared: Declared) -> Iterator[Finding]:
    """An alert on a metric that nobody exports never fires, and looks exactly like one that never needed to."""
    known = known_metrics(declared)
    for _, path, text, tree in promql_trees(declared):
        for fact, remedy, metric in strange_metrics(declared, known, tree):
            yield Finding(path, fact, remedy, span=at(text, metric))
        for metric, servers in _unscraped(declared, promql.metrics(tree)):
            fact = f"{metric!r} is a metric of {' and '.join(servers)}, which is not scraped here"
            yield Finding(path, fact, "deploy it, or ask for a metric of what is", span=at(text, metric))


def strange_metrics(declared: Declared, known: Known, tree: promql.Expr) -> Iterator[Fault]:
    """Metrics of an expression that nobody exports."""
    for metric in sorted({name for name, _ in promql.metrics(tree)} - {""}):
        if metric not in known and not _foreign(declared, metric):
            yield Fault(f"no server, pack or declared service exports {metric!r}", _meant(metric, known), metric)


def _unscraped(declared: Declared, read: Iterable[tuple[str, frozenset[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Metrics of servers that this declaration leaves out, with those servers; only where Prometheus is ours, and we know its targets."""
    d = declared.declaration
    if not d.prometheus.deploy:
        return
    ours = scrape.servers(d)
    for metric in sorted({name for name, _ in read}):
        servers = upstream.exporters().get(metric, frozenset())
        if servers and not servers & ours and not _exported(d, metric):
            yield metric, sorted(servers)


def _exported(d: Declaration, metric: str) -> bool:
    """Whether a declared service says that it exports this metric."""
    return any(metric in service.metrics.exports for service in d.services.values() if service.metrics)


# Runtimes of services, and exporters that a cluster brings: ours says nothing of them.
_FOREIGN = (
    "go_",
    "process_",
    "python_",
    "nodejs_",
    "jvm_",
    "kube_",
    "container_",
    "node_",
    "kubelet_",
    "probe_",
    "grafana_",
)


def _foreign(declared: Declared, metric: str) -> bool:
    """Does somebody export it of whom the declaration says nothing? A Prometheus that isn't ours scrapes what it likes."""
    family = metric.partition("_")[0] + "_"
    ours = {name.partition("_")[0] + "_" for name in upstream.all_metrics()} - set(_FOREIGN)
    return metric.startswith(_FOREIGN) or (not declared.declaration.prometheus.deploy and family not in ours)


def _meant(metric: str, known: Known) -> str:
    guess = did_you_mean(metric, known)
    hint = f"did you mean {guess!r}? " if guess else ""
    return f"{hint}check its name, or declare it: services.NAME.metrics.exports: {{{metric}: [its, labels]}}"


def unknown_label(declared: Declared) -> Iterator[Finding]:
    """A selector by a label that the metric doesn't have finds nothing; grouping by it puts all series into one."""
    known = known_metrics(declared)
    for _, path, text, tree in promql_trees(declared):
        for fact, remedy, label in strange_labels(known, text, tree):
            yield Finding(path, fact, remedy, span=at(text, label))


def strange_labels(known: Known, text: str, tree: promql.Expr) -> Iterator[Fault]:
    """Labels of an expression that its metrics don't have."""
    for metric, labels in sorted(promql.metrics(tree), key=lambda found: found[0]):
        for label in _strange(labels, known.get(metric)):
            yield Fault(*_no_label(metric, label, known), label)
    read = [known.get(metric) for metric, _ in promql.metrics(tree)]
    has = TARGET_LABELS.union(*(labels for labels in read if labels is not None), made(text))
    for label in sorted(promql.grouping_labels(tree) - has) if read and None not in read else ():
        fact = f"no metric of this query has the label {label!r}, so this groups by nothing"
        yield Fault(fact, f"there are: {', '.join(sorted(has - made(text)))}", label)


def _strange(labels: frozenset[str], own: frozenset[str] | None) -> list[str]:
    """Labels that are neither the metric's nor the target's; one that both have was renamed by Prometheus."""
    if own is None:
        return []
    return sorted(label for label in labels - TARGET_LABELS - own if not label.startswith("exported_"))


def _no_label(metric: str, label: str, known: Known) -> tuple[str, str]:
    return (
        f"{metric!r} has no label {label!r}",
        f"there are: {', '.join(sorted({*(known[metric] or ()), *TARGET_LABELS}))}",
    )


def made_up_example(declared: Declared) -> Iterator[Finding]:
    """A test with made-up series proves nothing: it passes for a metric or a label that doesn't exist."""
    known = known_metrics(declared)
    for asked in alerts(declared):
        for part, series in _examples(asked):
            path = (*asked.path, "examples", part, series)
            yield from _faults(declared, asked, path, series, known)


def _examples(asked: Asked) -> Iterator[tuple[str, str]]:
    examples = asked.alert.examples
    if examples and not asked.alert.logql:
        yield from (("fires", series) for series in examples.fires)
        yield from (("silent", series) for series in examples.silent)


def _faults(declared: Declared, asked: Asked, path: Path, series: str, known: Known) -> Iterator[Finding]:
    try:
        found = promql.metrics(promql.parse(series))
    except QueryError as error:
        yield Finding(path, f"this is no series: {error.message}", 'write metric{label="value"}', key=True)
        return
    read = _read_by(declared, asked.alert.query or asked.alert.expr or "")
    for metric, labels in found:
        if read and metric not in read and "" not in read:
            remedy = f"it reads: {', '.join(sorted(read))}"
            yield Finding(path, f"the alert doesn't read {metric!r}, so this shows nothing", remedy, key=True)
        for label in _strange(labels, known.get(metric)):
            yield Finding(path, *_no_label(metric, label, known), key=True)


def _read_by(declared: Declared, expr: str) -> set[str]:
    """Metrics that an expression reads, and those behind the packs' recordings among them."""
    records = {name: record.query for expanded in declared.packs.values() for name, record in expanded.records.items()}
    try:
        names = {name for name, _ in promql.metrics(promql.parse(expr))}
    except QueryError:
        return set()
    return names.union(*(_read_by(declared, records[name]) for name in names if name in records))
