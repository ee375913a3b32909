"""`output: compose`: the same configurations as files, and the Compose file that mounts them into containers.

What a server's template sees is what it sees in Kubernetes' table. Only how servers find each other differs, and that `addresses` and
`agent.DISCOVERY` know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any

from .. import addresses, agent, compose, deadletters, secrets
from ..model import Declaration
from ..plan import Plan
from ..quoting import sha256
from ..routing import receivers
from . import dlq, grafana, logging, monitoring
from .row import Row, Value, View, image_of, named

_KUBERNETES = {row.path: row for row in (*logging.ROWS, *monitoring.ROWS, *grafana.ROWS, *dlq.ROWS)}
_DASHBOARDS_PATH = "/etc/grafana/dashboards"


def _as_file(path: str, template: str, manifest: str, by: str = "compose/raw.j2", **more: Value) -> Row:
    """A text that a manifest carries in Kubernetes, as a file of its own; `by` is what includes its template."""
    row = _KUBERNETES[manifest]
    mine: dict[str, Value] = {
        "mark": lambda v: "//" if path.endswith(".alloy") else "#",
        "patch": lambda v: _patch(v.d, template.partition("/")[0]),
        "template": lambda v: template,
    }
    return Row(path, by, {**row.context, **mine, **more}, when=row.when)


def _patch(d: Declaration, server: str) -> Mapping[str, Any]:
    raws = {"loki": d.loki.raw, "prometheus": d.prometheus.raw, "alertmanager": d.alertmanager.raw}
    return raws[server].patch if server in raws else {}


def _moved(rows: tuple[Row, ...], before: str, after: str) -> tuple[Row, ...]:
    return tuple(
        row._replace(path=row.path.replace(before, after, 1)) for row in rows if fnmatch(row.path, f"{before}*")
    )


def _rule_paths(view: View) -> list[str]:
    # by name: a pattern would take the tests beside them for rules, and Prometheus would not start
    groups, taken = view.plan.groups_of("prometheus"), view.plan.rule_files("prometheus")
    names = [*(group.name for group in groups), *(file.stem for file in taken)]
    return [f"/etc/prometheus/rules/{name}.yaml" for name in sorted(names)]


def _deployed(plan: Plan) -> bool:
    return plan.declaration.deploys_grafana


_SERVERS: tuple[Row, ...] = (
    _as_file("loki/loki.yaml", "loki/config.yaml.j2", "logging/loki.yaml"),
    *_moved(logging.ROWS, "logging/rules/", "loki/rules/"),
    _as_file("agent/promtail.yaml", "promtail/config.yaml.j2", "logging/promtail.yaml"),
    _as_file("agent/config.alloy", "alloy/config.alloy.j2", "logging/alloy.yaml"),
    _as_file(
        "prometheus/prometheus.yaml", "prometheus/config.yaml.j2", "monitoring/prometheus.yaml", rule_paths=_rule_paths
    ),
    *_moved(monitoring.ROWS, "monitoring/rules/", "prometheus/rules/"),
    _as_file("alertmanager/alertmanager.yaml", "alertmanager/config.yaml.j2", "monitoring/alertmanager.yaml"),
    Row("alertmanager/templates/notifications.tmpl", "alertmanager/notifications.tmpl.j2", {}),
)

_GRAFANA: tuple[Row, ...] = (
    *_moved(tuple(row for row in grafana.ROWS if not row.manifest), "dashboards/", "grafana/dashboards/"),
    *(
        _as_file(
            f"grafana/{path}",
            f"grafana/{name}.yaml.j2",
            "dashboards/grafana.yaml",
            by,
            dashboards_path=lambda v: _DASHBOARDS_PATH,
        )._replace(when=_deployed)
        for path, name, by in (
            ("grafana.ini", "config", "compose/grafana.ini.j2"),
            ("provisioning/datasources/datasources.yaml", "datasources", "compose/provisioned.j2"),
            ("provisioning/dashboards/providers.yaml", "providers", "compose/provisioned.j2"),
        )
    ),
)

_DEAD_LETTERS: tuple[Row, ...] = (
    *(
        _as_file(f"dlq/{name}", f"dlq/{name}.j2", "dlq/redis.yaml")
        for name in ("redis.conf", "start.sh", "keys.txt", "exporter-commands.txt")
    ),
    _as_file("dlq/commands.txt", "", "dlq/redis.yaml", by="compose/commands.j2"),
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
    "dashboards_path": lambda v: _DASHBOARDS_PATH,
    "dlq": lambda v: v.d.dlq,
    "given": lambda v: {name: sorted(set(of.values())) for name, of in compose.variables(v.d).items()},
    "image": _images,
    "keys": _of_dlq(lambda d: ",".join(deadletters.measured_keys(d))),
    "loki_env": lambda v: compose.LOKI_VARIABLES,
    "loki_variables": lambda v: compose.loki_variables(v.d),
    "name": lambda v: v.d.name,
    "parts": _parts,
    "prometheus": lambda v: v.d.prometheus,
    "redis_probe": _redis_probe,
    "rules": lambda v: {"loki": v.plan.has_rules("loki"), "prometheus": v.plan.has_rules("prometheus")},
    "secret_files": lambda v: compose.mounted(v.d),
    "starts": lambda v: {name: compose.start(of) for name, of in compose.variables(v.d).items()},
    "urls": lambda v: v.d.urls,
    "volumes": _volumes,
}

ROWS: tuple[Row, ...] = (
    *_SERVERS,
    *_GRAFANA,
    *_DEAD_LETTERS,
    Row("compose.yaml", "compose/compose.yaml.j2", _COMPOSE, wraps=tuple(_READ_ONCE.values())),
    Row(".gitignore", "compose/gitignore.j2", named("header")),
)
