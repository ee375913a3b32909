"""What the pages tell to type, and where in Grafana they lead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from shlex import quote as shell
from urllib.parse import quote

from . import compose
from .model import Declaration
from .runbook_people import few


def alertmanager_url(declaration: Declaration) -> str:
    """Where people and amtool reach Alertmanager: its declared address, else the Service in the cluster."""
    declared = declaration.urls.alertmanager or (
        None if declaration.alertmanager.deploy else declaration.alertmanager.url
    )
    return (declared or f"http://alertmanager.{declaration.namespace}.svc:9093").rstrip("/")


def silence(declaration: Declaration, name: str) -> str:
    """The command that silences an alert for two hours."""
    url = shell(alertmanager_url(declaration))
    return f"amtool silence add alertname={shell(name)} -d 2h -c 'WHY, and who you are' --alertmanager.url={url}"


def beside_the_api(declaration: Declaration) -> str:
    """What to put before a command that runs in the admin API's container, where Redis and its password are known; "" without queues.

    A process that Compose starts in a container has none of the variables that its first process read from files.
    """
    dlq = declaration.dlq
    if not dlq or not dlq.queues:
        return ""
    if declaration.output != "compose":
        return f"kubectl -n {declaration.namespace} exec -i deploy/dlq-api --"
    script = compose.start(compose.variables(declaration)["dlq-api"])
    return f"docker compose exec -T dlq-api /bin/sh -ec {shell(script)} sh"


def explore(grafana: str, query: str) -> str:
    """Grafana's Explore on the data source with the uid `loki` (or, where there is none, the default one), last hour."""
    panes = {
        "a": {
            "datasource": "loki",
            "queries": [{"refId": "A", "expr": query, "datasource": {"type": "loki", "uid": "loki"}}],
            "range": {"from": "now-1h", "to": "now"},
        }
    }
    return f"{grafana.rstrip('/')}/explore?schemaVersion=1&panes={quote(json.dumps(panes), safe='')}"


# prometheus-operator's pods carry no label `app` (0.85); ours carry both
_NAMED_BY = dict.fromkeys(("alertmanager", "prometheus"), "app.kubernetes.io/name")


def commands(output: str, apps: tuple[str, ...], namespace: str, found: bool) -> Iterator[str]:
    app = shell(apps[0]) if len(apps) == 1 else '"$APP"' if apps else ""
    if len(apps) > 1:
        which = "the alert's label service says which of" if found else "then each of"
        yield f"APP={shell(apps[0])}  # {which}: {', '.join(few(apps))}"
    yield from (_of_docker if output == "compose" else _of_kubectl)(app, namespace)


def _of_docker(app: str, namespace: str) -> Iterator[str]:
    # a service may be of another project: what they share is the network
    found = f"docker ps --all --filter network={shell(namespace)}"
    found += f" --filter label=com.docker.compose.service={app}" if app else ""
    yield found
    if app:
        yield f"{found} --quiet | xargs -r -n 1 docker logs --since=1h --tail=200"
    yield "docker events --since=1h --until=0s --filter type=container"


def _of_kubectl(app: str, namespace: str) -> Iterator[str]:
    inside = f"kubectl -n {shell(namespace)}"
    pods = '-l "app=$APP" ' if app == '"$APP"' else f"-l {_NAMED_BY.get(app, 'app')}={app} " if app else ""
    yield f"{inside} get pods {pods}-o wide"
    if pods:
        yield f"{inside} logs {pods}--all-containers --prefix --since=1h --tail=200"
    yield f"{inside} get events --sort-by=.lastTimestamp"
