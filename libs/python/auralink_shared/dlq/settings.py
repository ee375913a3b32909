"""What `observability.yaml` says about dead letters, as `contract.json` carries it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import contract

BODY_LIMIT = 256 * 1024  # bytes: one of 8 MB blocks Redis for 117 ms
REPLAY_CAP = 5
TRASH_SECONDS = 7 * 86400
AUDIT_SECONDS = 365 * 86400
SEEN_SECONDS = 86400  # a retry that was cut off between two slots is finished once only within this time


@dataclass(frozen=True)
class QueueSettings:
    """Attempts before a message dies; seconds before a letter is let go."""

    max_attempts: int = 3
    retention_seconds: int = 30 * 86400


@dataclass(frozen=True)
class Settings:
    """All declared queues, and what holds for one that isn't declared."""

    queues: Mapping[str, QueueSettings] = field(default_factory=dict)
    default: QueueSettings = QueueSettings()
    body_limit: int = BODY_LIMIT
    replay_cap: int = REPLAY_CAP
    trash_seconds: int = TRASH_SECONDS
    audit_seconds: int = AUDIT_SECONDS

    def of(self, queue: str) -> QueueSettings:
        """A queue's own numbers, else the default."""
        return self.queues.get(queue, self.default)

    @classmethod
    def from_contract(cls, found: Mapping[str, Any]) -> Settings:
        """The section `dlq` of contract.json; defaults where there is none."""
        section = found.get("dlq") or {}

        def one(part: Mapping[str, Any]) -> QueueSettings:
            names = ("max_attempts", "retention_seconds")
            return QueueSettings(**{name: part[name] for name in names if name in part})

        queues = {name: one(part) for name, part in section.get("queues", {}).items()}
        return cls(queues, one(section))

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """From the contract that OBSGEN_CONTRACT names, else from that of this release. Raises ContractError."""
        return cls.from_contract(contract.load(environ.get(contract.VARIABLE)))
