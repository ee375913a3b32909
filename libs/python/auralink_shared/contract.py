"""The contract that obsgen renders from `observability.yaml`: what a log line holds, what is redacted, which queues there are."""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import resources
from typing import Any

VARIABLE = "OBSGEN_CONTRACT"  # set in the rendered workloads to /etc/obsgen/contract.json


class ContractError(Exception):
    """The contract that `OBSGEN_CONTRACT` names can't be read; the message names the file and why."""


@cache
def load(path: str | None = None) -> dict[str, Any]:
    """The contract at `path`, else at `OBSGEN_CONTRACT`, else the one of this release; read once, not to be changed.

    Raises ContractError where a named file is missing or is no contract of version 1: who named one would not want
    another in its place. A logger that must not fail takes `load_or_default`.
    """
    named = path or os.environ.get(VARIABLE)
    if not named:
        return _default()
    try:
        with open(named, encoding="utf-8") as file:  # noqa: PTH123 - the path may be a pipe or /dev/fd/N
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise ContractError(f"{named}: {error}") from error
    if not isinstance(found, dict) or found.get("version") != 1 or not isinstance(found.get("logging"), dict):
        raise ContractError(f"{named}: no contract of version 1")
    return found


def load_or_default() -> tuple[dict[str, Any], str]:
    """The contract, and "" or why it is only the default one."""
    try:
        return load(), ""
    except ContractError as error:
        return _default(), str(error)


@cache
def _default() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("default_contract.json").read_text("utf-8")
    contract: dict[str, Any] = json.loads(text)
    return contract
