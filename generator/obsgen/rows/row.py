"""The form of a row: an output file's path, its template, and what the template may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import upstream
from ..model import Declaration
from ..plan import Plan
from ..rules import Engine


@dataclass(frozen=True)
class View:
    """What a row's context is worked out from.

    `item` is that of an `each` row, `files` are the texts that a row wraps; `paths` are all paths of the output, `manifests` those that
    `kubectl apply -k` takes.
    """

    plan: Plan
    item: Any = None
    files: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()

    @property
    def d(self) -> Declaration:
        """The declaration."""
        return self.plan.declaration


Value = Callable[[View], Any]


class Row(NamedTuple):
    """One line of a table.

    `each` makes one file per item, its name put for `*` in the path. `wraps` are patterns of other rows' paths, rendered before and given
    to the context as `files`. `manifest` says that `kubectl apply -k` takes it. `template` None: the item is the text itself, which is
    taken over unchanged. A text whose path ends in .json is written as JSON always is, however its template wrote it.
    """

    path: str
    template: str | None
    context: Mapping[str, Value]
    when: Callable[[Plan], bool] = lambda plan: True
    each: Callable[[Plan], Iterable[tuple[str, Any]]] | None = None
    wraps: tuple[str, ...] = ()
    manifest: bool = False


def _header(view: View) -> str:
    return f"Rendered from {' and '.join(view.plan.sources)}: obsgen render --profile {view.plan.profile}. Change those, not this."


COMMON: Mapping[str, Value] = {
    "header": _header,
    "namespace": lambda v: v.d.namespace,
    "cluster": lambda v: v.d.cluster,
}


def named(*names: str) -> dict[str, Value]:
    """The common values of these names."""
    return {name: COMMON[name] for name in names}


def image_of(server: str) -> Value:
    """The image of a server at the version declared."""
    return lambda view: image(server, getattr(view.d.versions, server))


def image(server: str, target: str | None = None) -> str:
    """The container image of a server at a declared MAJOR.MINOR, or at the newest known one."""
    version = upstream.version(server, target or upstream.versions(server)[-1])
    assert version is not None, f"the check version/unknown lets no {server} {target} through"
    return version.image


def taken_rules(path: str, engine: Engine) -> Row:
    """Rule files that are taken over, byte for byte, among the rendered ones."""
    return Row(path, None, {}, each=lambda p: [(file.stem, file.text) for file in p.rule_files(engine)])


_CONFIGMAP_LIMIT = 256 * 1024  # bytes; client-side apply stops at 262,144


def configmaps(name: str, files: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Texts in as few ConfigMaps as stay under 256 KiB: NAME alone, or NAME-1, NAME-2, …"""
    parts: list[dict[str, str]] = [{}]
    used = 0
    for key, text in files.items():
        length = len(text.encode()) + text.count("\n") * 4  # each line is indented by four
        if parts[-1] and used + length > _CONFIGMAP_LIMIT:
            parts.append({})
            used = 0
        parts[-1][key] = text
        used += length
    if len(parts) == 1:
        return [(name, parts[0])]
    return [(f"{name}-{number}", part) for number, part in enumerate(parts, 1)]


def by_name(files: Mapping[str, str]) -> dict[str, str]:
    """Texts by the last part of their path, as keys of a ConfigMap."""
    return {path.rpartition("/")[2]: text for path, text in files.items()}
