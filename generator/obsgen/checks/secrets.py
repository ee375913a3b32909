"""References to secrets, and secrets that were written down: in git they are everybody's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..document import Path
from ..road import Declared
from .finding import Finding
from .names import unknown

# Maps whose keys are the names of something else: fields, labels, annotations, a server's own configuration.
_OTHER_NAMES = frozenset({"alerts", "annotations", "fields", "patch", "redact"})


def unknown_secret(declared: Declared) -> Iterator[Finding]:
    """A reference to an undeclared secret would become a file that never exists."""
    secrets = declared.declaration.secrets
    for path, name in references(declared.layers.data):
        if name not in secrets and (_token(name) or _random(name)):
            fact = "this looks like a secret itself, and not like the name of one"
            yield Finding(
                (*path, "secret"), fact, "revoke it if it was committed; then write the name of an entry of secrets"
            )
        elif name not in secrets:
            yield unknown((*path, "secret"), "secret", name, secrets)


def unused_secret(declared: Declared) -> Iterator[Finding]:
    """A secret that nothing refers to is a leftover, or a reference that was forgotten."""
    documents = (
        *declared.layers.documents,
        *declared.layers.included,
    )  # what a profile removes the declaration still uses
    used = {name for document in documents for _, name in references(document.data)}
    for name in declared.declaration.secrets:
        if name not in used:
            yield Finding(("secrets", name), f"nothing uses the secret {name!r}", "refer to it, or remove it", key=True)


def references(data: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every `{secret: NAME}` of the data, outside the table of secrets itself."""
    if isinstance(data, dict):
        if set(data) == {"secret"} and isinstance(data["secret"], str):
            yield path, data["secret"]
            return
        for key, value in data.items():
            if key not in _OTHER_NAMES and (path or key != "secrets"):
                yield from references(value, (*path, key))


# What real credentials look like, whatever key they stand under.
_TOKENS = re.compile(
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z]\w{6,}/\w|\bxox[abeoprs]-[\w-]{10}|\bxapp-\d-\w{8}|"
    r"\bgh[pousr]_[A-Za-z0-9]{20}|\bgithub_pat_\w{20}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bglpat-[\w-]{20}|"
    r"\bsk-(?:[a-z]+-)*[A-Za-z0-9]{20}|\bR0[0-9A-Z]{30}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{10,}\.[\w-]{10,}\.|"
    r"webhook\.office\.com/webhookb2/\w|\.logic\.azure\.com\S*[?&]sig=\w|discord(?:app)?\.com/api/webhooks/\d+/\w"
)
# One of these stands in every such token: a plain search is ten times as fast as the expression.
_SIGNS = (
    "slack",
    "xox",
    "xapp",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github",
    "AKIA",
    "ASIA",
    "glpat",
    "sk-",
    "R0",
    "KEY",
    "eyJ",
    "office",
    "azure",
    "discord",
)
_USERINFO = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
# $VAR, <password>, {{ … }}, ***, …, PASSWORD: how documentation writes a password that it doesn't tell
_PLACEHOLDER = re.compile(r"[$<{\[*…%].*|[A-Z][A-Z0-9_]*|x+|\.+")
_SECRET_KEY = re.compile(
    r"(.*_)?(password|passwd|secret|token|api_?key|access_?key|secret_?key|routing_?key|service_?key|credentials?|private_?key)"
    r"(_id)?"
)


def literal_secret(declared: Declared) -> Iterator[Finding]:
    """A token, password or webhook address in the declaration is in git, in every clone and in every render."""
    yield from _literals(declared.layers.data, ())


def _literals(value: Any, path: Path) -> Iterator[Finding]:
    if isinstance(value, dict):
        if set(value) <= {"secret", "key"} and "secret" in value and "patch" not in path:
            return
        for key, item in value.items():
            yield from _literals(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _literals(item, (*path, place))
    elif isinstance(value, str):
        if _token(value) or _password(value) or _random(value):
            yield Finding(path, "this looks like a secret", _REMEDY)
        elif _SECRET_KEY.fullmatch(str(path[-1])) and not _PLACEHOLDER.fullmatch(value):
            yield Finding(path, f"{path[-1]!r} holds text, not a reference to a secret", _REMEDY)


_REMEDY = "declare it under secrets, and write {secret: NAME}"


def _token(value: str) -> bool:
    return any(sign in value for sign in _SIGNS) and bool(_TOKENS.search(value))


def _password(value: str) -> bool:
    return "://" in value and any(not _PLACEHOLDER.fullmatch(found["password"]) for found in _USERINFO.finditer(value))


def _random(value: str) -> bool:
    """A word of 32 or more characters, alone, that nobody would think up: hexadecimal, or base64 that changes its kind often.

    Words written together change once or twice a word, about 0.3 a character; random base64 does 0.6.
    """
    if re.fullmatch(r"[0-9a-fA-F]{32,}", value):
        return len(set(value)) > 8
    if not re.fullmatch(r"[A-Za-z0-9+][A-Za-z0-9+/_-]{31,}={0,2}", value):
        return False
    kinds = [(c.islower(), c.isupper(), c.isdigit()) for c in value]
    mixed = all(any(kind[which] for kind in kinds) for which in range(3))
    return mixed and sum(a != b for a, b in pairwise(kinds)) > 0.37 * len(value)
