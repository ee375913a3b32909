"""`output: compose`: the same configurations as files, and the Compose file that mounts them into containers.

What a server's template sees is what it sees in Kubernetes' table. Only how servers find each other differs, and that `addresses` and
`agent.DISCOVERY` know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

from .. import addresses, agent, compose, deadletters, secrets
from ..grafana import DASHBOARDS
from ..model import Declaration
from ..quoting import sha256
from ..routing import receivers
from . import grafana, logging, monitoring
from .row import Row, Value, View, image_of, named


def _moved(rows: Iterable[Row], before: str, after: str) -> list[Row]:
    """Files that are the same in Kubernetes, under another folder."""
    return [row._replace(path=after + row.path.removeprefix(before)) for row in rows if row.path.startswith(before)]


def _rule_paths(view: View) -> list[str]:
    # by name: a pattern would take the tests beside them for rules, and Prometheus would not start
    return [f"/etc/prometheus/rules/{path.rpartition('/')[2]}" for path in view.files]


def _agent(server: str, name: str) -> Row:
    return Row(
        f"agent/{name}",
        f"compose/{server}.j2",
        logging.AGENT,
        when=lambda p: p.declaration.logging.agent.type == server,
    )


def _grafana(path: str, name: str, context: Mapping[str, Value]) -> Row:
    return Row(f"grafana/{path}", f"compose/{name}.j2", context, when=lambda p: p.declaration.deploys_grafana)


def _redis(name: str, template: str, context: Mapping[str, Value]) -> Row:
    return Row(
        f"dlq/{name}", template, context, when=lambda p: bool(p.declaration.dlq and p.declaration.dlq.redis.deploy)
    )


_TEMPLATES = "/etc/alertmanager/templates"

_CONFIGURATIONS: tuple[Row, ...] = (
    Row("loki/loki.yaml", "compose/loki.j2", logging.LOKI, when=lambda p: p.declaration.loki.deploy),
    *_moved(logging.ROWS, "logging/rules/", "loki/rules/"),
    _agent("promtail", "promtail.yaml"),
    _agent("alloy", "config.alloy"),
    Row(
        "prometheus/prometheus.yaml",
        "compose/prometheus.j2",
        {**monitoring.PROMETHEUS, "rule_paths": _rule_paths},
        when=lambda p: p.declaration.prometheus.deploy,
        wraps=("prometheus/rules/*.yaml",),
    ),
    *_moved(monitoring.ROWS, "monitoring/rules/", "prometheus/rules/"),
    Row(
        "alertmanager/alertmanager.yaml",
        "compose/alertmanager.j2",
        {**monitoring.ALERTMANAGER, "templates": lambda v: f"{_TEMPLATES}/*.tmpl"},
    ),
    Row("alertmanager/templates/notifications.tmpl", "alertmanager/notifications.tmpl.j2", {}),
    _grafana("grafana.ini", "grafana", grafana.CONFIGURATION),
    _grafana("provisioning/datasources/datasources.yaml", "datasources", grafana.DATASOURCES),
    _grafana("provisioning/dashboards/providers.yaml", "providers", grafana.PROVIDERS),
    *_moved((row for row in grafana.ROWS if not row.manifest), "dashboards/", "grafana/dashboards/"),
    _redis("redis.conf", "dlq/redis.conf.j2", {}),
    _redis("start.sh", "dlq/start.sh.j2", {}),
    _redis("keys.txt", "dlq/keys.txt.j2", {"queues": lambda v: sorted(deadletters.of(v.d).queues)}),
    _redis("exporter-commands.txt", "dlq/exporter-commands.txt.j2", {}),
    _redis("commands.txt", "compose/commands.j2", {**named("header"), "commands": lambda v: deadletters.commands()}),
)


# The Compose file


def _parts(view: View) -> list[str]:
    """Which services there are, each by its template."""
    d = view.d
    deployed = {
        "loki": d.loki.deploy,
        d.logging.agent.type: True,
        "prometheus": d.prometheus.deploy,
        "alertmanager": d.alertmanager.deploy,
        "grafana": d.deploys_grafana,
        "dlq": d.dlq is not None,
    }
    return [name for name, wanted in deployed.items() if wanted]


def _volumes(view: View) -> list[str]:
    found = [name for name in _parts(view) if name not in ("dlq", "grafana")]
    return [*found, "dlq-redis"] if view.d.dlq and view.d.dlq.redis.deploy else found


def _images(view: View) -> dict[str, str]:
    servers = ("loki", "prometheus", "alertmanager", "grafana", "redis", "redis_exporter")
    return {name: image_of(name)(view) for name in servers} | {"agent": image_of(view.d.logging.agent.type)(view)}


_READ_ONCE = {
    "agent": "agent/*",
    "alertmanager": "alertmanager/*",
    "contract": "contract/*",
    "dlq": "dlq/*",
    "grafana": "grafana/[gp]*",  # dashboards are read again by themselves
    "loki": "loki/loki.yaml",  # and so are the ruler's rules
}


def _checksums(view: View) -> dict[str, str]:
    return {
        name: sha256("".join(text for path, text in view.files.items() if fnmatch(path, pattern)))
        for name, pattern in _READ_ONCE.items()
    }


def _agent_probe(view: View) -> str:
    """Bash asks whether the agent is ready: the images have no program for it."""
    server = view.d.logging.agent.type
    path = {"promtail": "/ready", "alloy": "/-/ready"}[server]
    ask = rf"printf 'GET {path} HTTP/1.0\r\n\r\n' >&3"
    return f"exec 3<>/dev/tcp/127.0.0.1/{agent.PORTS[server]} && {ask} && grep -q '^HTTP/1.. 200' <&3"


def _redis_probe(view: View) -> str:
    names = compose.variables(view.d).get("dlq-redis", {})
    password = f"{secrets.FILES_OF_COMPOSE}/{names.get('EXPORTER_PASSWORD')}"
    return f'test "$(REDISCLI_AUTH="$(cat {password})" redis-cli --user exporter ping)" = PONG'


def _of_dlq(found: Callable[[Declaration], Any]) -> Value:
    return lambda view: found(view.d) if view.d.dlq else None


_COMPOSE: Mapping[str, Value] = {
    **named("header", "namespace"),
    "address": _of_dlq(addresses.redis),
    "admin_password": lambda v: v.d.grafana.admin_password.secret if v.d.grafana.admin_password else None,
    "agent_probe": _agent_probe,
    "channel_secrets": lambda v: [name for name, _ in secrets.files(v.d, receivers(v.d))],
    "checksum": _checksums,
    "dashboards_path": lambda v: DASHBOARDS,
    "dlq": lambda v: v.d.dlq,
    "files": lambda v: {
        service: {variable: f"{secrets.FILES_OF_COMPOSE}/{name}" for variable, name in of.items()}
        for service, of in compose.file_names(v.d).items()
    },
    "given": lambda v: compose.given(v.d),
    "image": _images,
    "keys": _of_dlq(lambda d: ",".join(deadletters.measured_keys(d))),
    "loki_env": lambda v: compose.LOKI_VARIABLES,
    "loki_variables": lambda v: compose.loki_variables(v.d),
    "name": lambda v: v.d.name,
    "parts": _parts,
    "prometheus": lambda v: v.d.prometheus,
    "redis_probe": _redis_probe,
    "rules": lambda v: {name: v.plan.has_rules(name) for name in ("loki", "prometheus")},
    "secret_files": lambda v: compose.mounted(v.d),
    "starts": lambda v: {name: compose.start(of) for name, of in compose.variables(v.d).items()},
    "urls": lambda v: v.d.urls,
    "volumes": _volumes,
}

ROWS: tuple[Row, ...] = (
    *_CONFIGURATIONS,
    Row("compose.yaml", "compose/compose.yaml.j2", _COMPOSE, wraps=tuple(_READ_ONCE.values())),
    Row(".gitignore", "compose/gitignore.j2", named("header")),
)
