"""What every output has: the contract, the runbooks, the list of secrets, the list of files."""

from __future__ import annotations

from .. import compose, contract, routing, runbook_commands, runbook_people, runbooks, secrets
from .row import Row, by_name, configmaps, named

ROWS: tuple[Row, ...] = (
    Row("contract/contract.json", "contract/contract.json.j2", {"contract": lambda v: contract.contract(v.d)}),
    Row(
        "contract/log-entry.schema.json",
        "contract/contract.json.j2",
        {"contract": lambda v: contract.log_entry_schema(v.d)},
    ),
    Row(
        "runbooks/*.md",
        "runbooks/alert.md.j2",
        {
            **named("header"),
            "output": lambda v: v.d.output,
            "page": lambda v: v.item,
            "retried": lambda v: runbook_commands.beside_the_api(v.d),
        },
        each=lambda p: [(page.name, page) for page in runbooks.pages(p)],
    ),
    Row(
        "runbooks/README.md",
        "runbooks/README.md.j2",
        {
            **named("header", "cluster", "namespace"),
            "answer": lambda v: runbook_people.answer(v.d),
            "duties": lambda v: runbook_people.duties(v.d),
            "name": lambda v: v.d.name,
            "output": lambda v: v.d.output,
            "queues": lambda v: sorted(v.d.dlq.queues.items()) if v.d.dlq else [],
            "retried": lambda v: runbook_commands.beside_the_api(v.d),
            "rows": lambda v: runbooks.index(v.plan),
            "silence": lambda v: runbook_commands.silence(v.d, "ALERT"),
            "severities": lambda v: runbooks.by_severity(v.plan),
            "strays": lambda v: runbook_people.strays(v.d),
            "unguarded": lambda v: runbooks.unguarded(v.plan),
            "unscraped": lambda v: [name for name, service in v.d.services.items() if not service.metrics],
        },
    ),
    Row(
        "SECRETS.md",
        "SECRETS.md.j2",
        {
            **named("header", "namespace"),
            "files": lambda v: compose.files(v.d),
            "loki_env": lambda v: compose.LOKI_VARIABLES,
            "loki_variables": lambda v: compose.loki_variables(v.d),
            "monitoring_namespace": lambda v: v.d.monitoring_namespace,
            "mounted": lambda v: sorted({s.secret for _, s in secrets.files(v.d, routing.receivers(v.d))}),
            "needed": lambda v: secrets.needed(v.d, routing.receivers(v.d)),
            "output": lambda v: v.d.output,
            "tokens": lambda v: v.d.dlq.api.tokens.secret if v.d.dlq and v.d.dlq.api.tokens else None,
        },
    ),
    Row("FILES", "FILES.j2", {**named("header"), "paths": lambda v: v.paths}),
)

# Only where Kubernetes reads the output.
KUBERNETES: tuple[Row, ...] = (
    Row(
        "contract/contract.yaml",
        "kubernetes/configmaps.yaml.j2",
        {
            **named("header", "namespace"),
            "app": lambda v: "obsgen",
            "maps": lambda v: configmaps("obsgen-contract", by_name(v.files)),
        },
        wraps=("contract/*.json",),
        manifest=True,
    ),
    Row(
        "kustomization.yaml",
        "kubernetes/kustomization.yaml.j2",
        {**named("header"), "resources": lambda v: v.manifests},
    ),
)
