"""What prometheus-operator takes without a word and then leaves aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import scrape, upstream
from ..road import Declared
from .finding import Finding
from .routing import alertmanager_config
from .versions import written

READS_AS = "0.28"
"""The Alertmanager whose configuration prometheus-operator 0.85 knows (its go.mod; a test compares)."""


def no_labels(declared: Declared) -> Iterator[Finding]:
    """Rules and monitors without the label that your Prometheus selects by are in the cluster, and in no Prometheus."""
    d = declared.declaration
    if d.output == "operator" and d.operator.labels is None:
        fact = "nothing says which labels your Prometheus selects rules and monitors by"
        remedy = "add labels: {release: NAME} with the name of your kube-prometheus-stack, or labels: {} where it selects all"
        yield Finding(("operator",), fact, remedy, key=True)


def no_effect(declared: Declared) -> Iterator[Finding]:
    """A patch of a configuration that the operator writes itself would be lost."""
    d = declared.declaration
    if d.output != "operator":
        return
    for server, whose in (("prometheus", "Prometheus object"), ("grafana", "Grafana's chart")):
        if getattr(d, server).raw.patch:
            fact = f"this patches nothing: with output: operator no configuration of {server} is rendered"
            yield Finding((server, "raw"), fact, f"write it into your {whose}, and here raw: null", key=True)


def newer_option(declared: Declared) -> Iterator[Finding]:
    """Where the operator also collects AlertmanagerConfigs it reads ours strictly, and one key that it doesn't know stops all changes."""
    d = declared.declaration
    if d.output != "operator":
        return
    used = {key for _, key in written(alertmanager_config(declared), ())}
    for option in upstream.added("alertmanager"):
        if option.key in used and upstream.number(option.since) > upstream.number(READS_AS):
            fact = f"what is rendered uses {option.key} of Alertmanager {option.since}; the operator knows {READS_AS}, and refuses it"
            yield Finding(("output",), fact, "choose another channel")


_VARIABLE = re.compile(r"\$\(\w+\)")


def variable(declared: Declared) -> Iterator[Finding]:
    """The operator's reloader expands it, and where no such variable is set, takes no change of the whole file."""
    d = declared.declaration
    if d.output != "operator":
        return
    for target in scrape.targets(d):
        if found := _VARIABLE.search(target.path):
            fact = f"the operator's reloader takes {found[0]} for a variable"
            yield Finding(("services", target.app, "metrics", "path"), fact, "write the path without it")
    for value in _texts(alertmanager_config(declared)):
        if found := _VARIABLE.search(value):
            fact = f"Alertmanager's configuration holds {found[0]}, which the operator's reloader takes for a variable"
            yield Finding(("output",), fact, "write it in another way")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
