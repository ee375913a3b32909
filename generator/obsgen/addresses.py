"""Where each server answers, as the others are told: by its Service, in compose by the name of its service there, or by the address
declared for one that is not deployed."""

from __future__ import annotations

from . import deadletters
from .model import Declaration


def inside(declaration: Declaration, host: str, port: int) -> str:
    """host:port of one of ours, as the rest of the output reaches it."""
    if declaration.output == "compose":
        return f"{host}:{port}"
    return f"{host}.{declaration.namespace}.svc.cluster.local:{port}"


def loki_push(declaration: Declaration) -> str:
    """URL where agents push; empty where Loki is neither deployed nor declared."""
    return _loki(declaration, "loki-distributor")


def loki_query(declaration: Declaration) -> str:
    """URL where people and Grafana query; that of `loki_push` where one Service answers for all of Loki."""
    return _loki(declaration, "loki-query-frontend")


def _loki(declaration: Declaration, microservice: str) -> str:
    loki = declaration.loki
    if not loki.deploy:
        return (loki.url or "").rstrip("/")
    host = microservice if loki.mode == "microservices" else "loki"
    return f"http://{inside(declaration, host, 3100)}"


def loki_peers(declaration: Declaration) -> dict[str, str]:
    """Where Loki's parts find each other, each in the form that its setting takes (3.7.6)."""
    return {
        "memberlist": inside(declaration, "loki-memberlist", 7946),
        "compactor": inside(declaration, "loki-compactor", 9095),
        "index_gateways": f"dns+{inside(declaration, 'loki-index-gateway-headless', 9095)}",
        "queriers": f"http://{inside(declaration, 'loki-querier', 3100)}",
        "query_frontends": f"dns:///{inside(declaration, 'loki-query-frontend-headless', 9095)}",
        "schedulers": inside(declaration, "loki-query-scheduler-headless", 9095),
    }


def prometheus(declaration: Declaration) -> str:
    """URL that answers PromQL; empty where Prometheus is neither deployed nor declared."""
    prometheus = declaration.prometheus
    if not prometheus.deploy:
        return (prometheus.url or "").rstrip("/")
    if declaration.output == "operator":
        return _operated(declaration, "prometheus", 9090)
    return f"http://{inside(declaration, 'prometheus', 9090)}"


def alertmanagers(declaration: Declaration) -> list[str]:
    """Every replica by its own name: a load-balanced address would tell only one of a cluster, and late.

    How many the operator runs is not ours to know: its headless Service leads to one that answers.
    """
    alertmanager = declaration.alertmanager
    if not alertmanager.deploy:
        return [alertmanager.url] if alertmanager.url else []
    if declaration.output == "operator":
        return [_operated(declaration, "alertmanager", 9093)]
    if declaration.output == "compose":
        hosts = ["alertmanager"]  # one: checks/machine.py
    else:
        hosts = [f"alertmanager-{replica}.alertmanager-headless" for replica in range(alertmanager.replicas)]
    return [f"http://{inside(declaration, host, 9093)}" for host in hosts]


def alertmanager(declaration: Declaration) -> str:
    """URL where people's programs ask for alerts and silences: any replica will do; empty where there is none."""
    found = declaration.alertmanager
    if not found.deploy:
        return (found.url or "").rstrip("/")
    if declaration.output == "operator":
        return _operated(declaration, "alertmanager", 9093)
    return f"http://{inside(declaration, 'alertmanager', 9093)}"


def _operated(declaration: Declaration, server: str, port: int) -> str:
    # the Service that the operator makes for each of its servers, whatever the object's name (0.85)
    return f"http://{server}-operated.{declaration.monitoring_namespace}.svc.cluster.local:{port}"


def redis(declaration: Declaration) -> str:
    """host:port of the dead letters' Redis: the one that is deployed, or the one declared."""
    redis = deadletters.of(declaration).redis
    return inside(declaration, "dlq-redis", 6379) if redis.deploy else redis.address or ""
