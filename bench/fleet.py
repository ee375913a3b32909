"""A fleet of any size, the same every time: one declaration in which each service has a group of ten alerts of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

SERVICES_PER_TEAM = 10


class Alert(NamedTuple):
    """One of the ten questions; `SERVICE` stands for the service's name."""

    name: str
    query: str
    bound: str
    warning: float
    critical: float
    summary: str
    description: str


ALERTS = (
    Alert(
        "ErrorRatio",
        'sum(rate(http_requests_total{app="SERVICE",code=~"5.."}[5m])) / sum(rate(http_requests_total{app="SERVICE"}[5m]))',
        "above",
        0.01,
        0.05,
        "Many requests fail",
        "{{ $value | humanizePercentage }} of the requests to SERVICE fail",
    ),
    Alert(
        "ErrorsOfOnePath",
        'sum by (path) (rate(http_requests_total{app="SERVICE",code=~"5.."}[10m]))\n  /\n'
        'sum by (path) (rate(http_requests_total{app="SERVICE"}[10m]))',
        "above",
        0.05,
        0.2,
        "Many requests to one path fail",
        "{{ $value | humanizePercentage }} of the requests to {{ $labels.path }} fail",
    ),
    Alert(
        "SlowestHundredth",
        'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{app="SERVICE"}[5m])))',
        "above",
        1,
        2.5,
        "One request in a hundred is slow",
        "The slowest hundredth of the requests to SERVICE takes {{ $value | humanizeDuration }} and more",
    ),
    Alert(
        "SlowHalf",
        'histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{app="SERVICE"}[10m])))',
        "above",
        0.25,
        0.5,
        "Every second request is slow",
        "Half of the requests to SERVICE take {{ $value | humanizeDuration }} and more",
    ),
    Alert(
        "SlowPath",
        'histogram_quantile(0.95, sum by (le, path) (rate(http_request_duration_seconds_bucket{app="SERVICE"}[10m])))',
        "above",
        2,
        5,
        "Requests to one path are slow",
        "{{ $labels.path }}: one request in twenty takes {{ $value | humanizeDuration }} and more",
    ),
    Alert(
        "SlowerThanYesterday",
        'sum(rate(http_request_duration_seconds_sum{app="SERVICE"}[30m]))\n  / '
        'sum(rate(http_request_duration_seconds_count{app="SERVICE"}[30m]))\n  / ('
        'sum(rate(http_request_duration_seconds_sum{app="SERVICE"}[30m] offset 1d))\n  / '
        'sum(rate(http_request_duration_seconds_count{app="SERVICE"}[30m] offset 1d)))',
        "above",
        2,
        4,
        "Requests take longer than yesterday",
        "SERVICE takes {{ $value }} times as long as yesterday",
    ),
    Alert(
        "FewRequests",
        'sum(rate(http_requests_total{app="SERVICE"}[10m])) or vector(0)',
        "below",
        0.5,
        0.1,
        "Hardly any requests arrive",
        "SERVICE sees {{ $value }} requests a second",
    ),
    Alert(
        "ManyRequests",
        'sum(rate(http_requests_total{app="SERVICE"}[5m])) / sum(rate(http_requests_total{app="SERVICE"}[1h] offset 1w))',
        "above",
        3,
        6,
        "Far more requests than a week ago",
        "SERVICE sees {{ $value }} times the requests of a week ago",
    ),
    Alert(
        "OneReplicaDoesAll",
        'max(sum by (pod) (rate(http_requests_total{app="SERVICE"}[5m]))) / '
        'avg(sum by (pod) (rate(http_requests_total{app="SERVICE"}[5m])))',
        "above",
        2,
        4,
        "One replica does most of the work",
        "The busiest replica of SERVICE has {{ $value }} times the average",
    ),
    Alert(
        "RefusedRequests",
        'sum by (pod) (increase(http_requests_total{app="SERVICE",code="429"}[15m]))',
        "above",
        100,
        1000,
        "Requests are refused",
        "Replica {{ $labels.pod }} has refused {{ $value }} requests in 15 minutes",
    ),
)

_HEAD = """\
apiVersion: obsgen/v1
kind: Observability
name: fleet
namespace: observability
cluster: use1
urls: {runbooks: "https://runbooks.fleet.example"}
secrets:
  routing-key: {secret: alertmanager-secrets, key: routing-key}
  webhook: {secret: alertmanager-secrets, key: webhook}
logging:
  fields:
    level: {required: true, store: label}
loki:
  schema: {"2025-10-01": {store: tsdb, version: v13}}
  limits: {max_global_streams_per_user: 20000}
grafana: {deploy: false}
severities:
  critical: {priority: P0, notify: [page, chat]}
  warning: {priority: P1, notify: [chat]}
routing: {unrouted: [chat]}
"""

_SERVICE = """\
  {service}:
    team: {team}
    metrics: {{port: 8080, requests: {{total: http_requests_total, errors: 'code=~"5.."', seconds: http_request_duration_seconds}}}}
"""

_ALERT = """\
  {key}:
    group: {group}
    service: {service}
    query: {query}
    levels:
      warning: {{{bound}: {warning:g}, for: 10m}}
      critical: {{{bound}: {critical:g}, for: 5m}}
    summary: {summary}
    description: {description}
    runbook:
      meaning: |-
        {meaning}
      diagnosis: |-
        1. Compare the start with the last release of {service} and with its error logs.
        2. Ask the same of its neighbours: is it this service, or what all of them call?
      mitigation: |-
        Roll the last release back if it began with it.
"""


def service(number: int) -> str:
    """`shop-0007`: its label `app`."""
    return f"shop-{number:04}"


def team(number: int) -> str:
    """The team of a service; the first is the default one."""
    return f"team-{number // SERVICES_PER_TEAM:03}"


def alert_key(number: int, alert: Alert) -> str:
    """Unique in the fleet, and the alertname."""
    return f"Shop{number:04}{alert.name}"


def declaration(services: int) -> str:
    """The text of an `observability.yaml` with this many services."""
    numbers = range(services)
    parts = [_HEAD, "services:\n"]
    parts += [_SERVICE.format(service=service(number), team=team(number)) for number in numbers]
    parts += ["teams:\n", *map(_team, dict.fromkeys(map(team, numbers)))]
    parts += ["alerts:\n", *(_alert(number, alert) for number in numbers for alert in ALERTS)]
    return "".join(parts)


def _team(name: str) -> str:
    default = "\n    default: true" if name == team(0) else ""
    page = "page: {type: pagerduty, routing_key: {secret: routing-key}}"
    chat = f'chat: {{type: slack, channel: "#{name}", webhook: {{secret: webhook}}}}'
    return f"  {name}:{default}\n    channels:\n      {page}\n      {chat}\n"


def _alert(number: int, alert: Alert) -> str:
    name = service(number)
    return _ALERT.format(
        key=alert_key(number, alert),
        group=name,
        service=name,
        query=_query(alert.query.replace("SERVICE", name)),
        bound=alert.bound,
        warning=alert.warning,
        critical=alert.critical,
        summary=alert.summary,
        description=json.dumps(alert.description.replace("SERVICE", name)),
        meaning=f"{alert.summary}: see the numbers of {name} on its dashboard.",
    )


def _query(text: str) -> str:
    return "|-\n" + "\n".join(f"      {line}" for line in text.split("\n")) if "\n" in text else text


def write(folder: Path, services: int) -> None:
    """A fleet in `folder`: the declaration, and a profile that changes one word."""
    (folder / "profiles").mkdir(parents=True)
    (folder / "observability.yaml").write_text(declaration(services), encoding="utf-8")
    (folder / "profiles" / "prod.yaml").write_text("cluster: use2\n", encoding="utf-8")
