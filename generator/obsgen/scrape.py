"""What Prometheus scrapes: our own servers, then the declared services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .agent import PORTS
from .model import Declaration


class Target(NamedTuple):
    """Pods of one app, found by its label, and where they answer."""

    app: str
    namespace: str
    port: int
    path: str = "/metrics"


def targets(declaration: Declaration) -> list[Target]:
    """Every target, in the order declared."""
    return [*_ours(declaration), *_theirs(declaration)]


def agent_namespace(declaration: Declaration) -> str:
    """Where the agent runs: its own namespace if declared, because it needs the host's logs; on Docker there are none."""
    if declaration.output == "compose":
        return declaration.namespace
    return declaration.logging.agent.namespace or declaration.namespace


def servers(declaration: Declaration) -> frozenset[str]:
    """The servers whose metrics our Prometheus has, named as the folders of `upstream/`."""
    of_apps = {"redis-exporter": "redis_exporter", "dlq-api": "dlq"}
    return frozenset(of_apps.get(target.app, target.app) for target in _ours(declaration))


def _ours(declaration: Declaration) -> Iterator[Target]:
    namespace, agent = declaration.namespace, declaration.logging.agent.type
    if declaration.alertmanager.deploy:
        yield Target("alertmanager", declaration.monitoring_namespace, 9093)
    if declaration.grafana.deploy:
        yield Target("grafana", namespace, 3000)
    if declaration.loki.deploy:
        yield Target("loki", namespace, 3100)
    yield Target(agent, agent_namespace(declaration), PORTS[agent])
    if declaration.prometheus.deploy:
        yield Target("prometheus", declaration.monitoring_namespace, 9090)
    if declaration.dlq:
        yield Target("redis-exporter", namespace, 9121)
        yield Target("dlq-api", namespace, 8080)


def _theirs(declaration: Declaration) -> Iterator[Target]:
    for name, service in declaration.services.items():
        if service.metrics:
            yield Target(name, declaration.namespace, service.metrics.port, service.metrics.path)
