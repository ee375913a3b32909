"""What a scenario stands on: the rendered files that feed its apps, and the harness; each as one hash.

Which file feeds which app is read from the rendered objects themselves: the workload whose Pods carry the label `app`, what those Pods
mount or name (ConfigMaps, their ServiceAccount and what is bound to it), and what selects them (Services, budgets, network policies).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from .scenarios import HERE, Scenario

ROOT = HERE.parents[1]
CONFIG = HERE / "observability.yaml"
OURS = "registry.example.com/auralink-"
"""Images of our own: what runs in them is libs/."""
Object = dict[str, Any]


def render(profile: str, tree: Path) -> None:
    """Renders a profile of tests/live/profiles into a folder."""
    words = ("render", "--config", str(CONFIG), "--profile", profile, "--out", str(tree))
    ended = subprocess.run([sys.executable, "-m", "obsgen", *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def hashes(one: Scenario) -> dict[str, str]:
    """`rendered` and `harness` of a scenario, as this work tree has them. Raises LookupError for an app that its profile hasn't."""
    read = rendered(one, _tree)
    return {"rendered": digest(_trees(), read), "harness": digest(ROOT, harness(one, read))}


def rendered(one: Scenario, tree: Callable[[str], Path]) -> set[Path]:
    """The rendered files that a scenario stands on, of its profile's tree and of others that it names. Raises LookupError."""
    found: set[Path] = set()
    for name in one.apps:
        profile, _, app = name.rpartition("/")
        found |= files(tree(profile or one.profile), [app])
    if _libraries(one, found):  # our own code reads it
        found |= files(tree(one.profile), ["contract"])
    return found


@functools.cache
def _tree(profile: str) -> Path:
    render(profile, _trees() / profile)
    return _trees() / profile


@functools.cache
def _trees() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="obsgen-stands-")
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # they go when the program ends


def digest(root: Path, paths: Iterable[Path]) -> str:
    """One hash of the files' paths below `root` and their bytes, in 16 digits."""
    found = hashlib.sha256()
    for path in sorted(set(paths)):
        text = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()}\0{len(text)}\0".encode() + text)
    return found.hexdigest()[:16]


def files(tree: Path, apps: Iterable[str]) -> set[Path]:
    """The rendered files that feed these apps. An app may also be a folder of the tree (`dashboards`). Raises LookupError."""
    found: set[Path] = set()
    for app in apps:
        fed = _feeding(tree, app)
        if not fed and (tree / app).is_dir():
            fed = {path for path in (tree / app).rglob("*") if path.is_file()}
        if not fed:
            raise LookupError(f"{tree.name} renders no app {app}")
        found |= fed
    return found


def _feeding(tree: Path, app: str) -> set[Path]:
    compose = tree / "compose.yaml"
    if compose.exists():
        return _mounted(tree, compose, app)
    objects = list(_objects(tree))
    pods = [
        (path, labels, spec) for path, one in objects for labels, spec in _templates(one) if labels.get("app") == app
    ]
    found = {path for path, _, _ in pods}
    for _, labels, spec in pods:
        named = set(_named(spec))
        account = spec.get("serviceAccountName")
        roles = {
            (one["roleRef"]["kind"], one["roleRef"]["name"])
            for _, one in objects
            if account and any(subject["name"] == account for subject in one.get("subjects") or ())
        }
        named |= roles | {("ServiceAccount", account)}
        for path, one in objects:
            name = one["kind"], one["metadata"]["name"]
            bound = "roleRef" in one and (one["roleRef"]["kind"], one["roleRef"]["name"]) in roles
            if name in named or bound or _selects(one, labels):
                found.add(path)
    return found


def _objects(tree: Path) -> Iterator[tuple[Path, Object]]:
    """The objects of a tree, each with its file."""
    for resource in yaml.safe_load((tree / "kustomization.yaml").read_text())["resources"]:
        for one in yaml.load_all((tree / resource).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if one:
                yield tree / resource, one


def _templates(one: Object) -> Iterator[tuple[Object, Object]]:
    """Labels and spec of the Pods that an object makes."""
    spec = one.get("spec") or {}
    for template in (spec.get("template"), spec.get("jobTemplate", {}).get("spec", {}).get("template")):
        if template:
            yield template["metadata"].get("labels", {}), template["spec"]


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """ConfigMaps that a Pod's spec names: volumes, projected ones too, and variables."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("configMap", "configMapKeyRef", "configMapRef"):
                yield "ConfigMap", value["name"]
            else:
                yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)


def _selects(one: Object, labels: Object) -> bool:
    """Whether a Service, a budget or a network policy is about Pods of these labels."""
    spec = one.get("spec") or {}
    selector = spec.get("podSelector") if one["kind"] == "NetworkPolicy" else spec.get("selector")
    wanted = (selector or {}).get("matchLabels", {} if "matchExpressions" in (selector or {}) else selector or {})
    return bool(wanted) and all(labels.get(name) == value for name, value in wanted.items())


def _mounted(tree: Path, compose: Path, service: str) -> set[Path]:
    """Of a compose tree: compose.yaml, and what a service binds out of the tree."""
    declared = yaml.safe_load(compose.read_text())["services"].get(service)
    if declared is None:
        return set()
    folders = [tree / one["source"] for one in declared.get("volumes", ()) if one["type"] == "bind"]
    bound = {path for folder in folders for path in folder.rglob("*") if path.is_file() and path.is_relative_to(tree)}
    return {compose, *bound}


def harness(one: Scenario, read: Iterable[Path]) -> set[Path]:
    """What runs a scenario that stands on the rendered files `read`: its own module and all that it and its conftest.py import, each
    with the shared files of its folder, stand-ins of ours too; libs/ where our own code runs.
    """
    module = HERE / f"{one.module}.py"
    conftests = {folder / "conftest.py" for folder in (HERE, module.parent)}
    found = imported({module, *(path for path in conftests if path.exists())})
    for folder in {path.parent for path in found if path.is_relative_to(HERE)}:
        found |= {path for path in folder.iterdir() if path.is_file() and _shared(path)}
    if _libraries(one, read):
        found |= {
            path
            for folder in ("python/auralink_shared", "lua", "go/logging", "go/internal")
            for path in (ROOT / "libs" / folder).rglob("*")
            if path.is_file() and path.suffix != ".pyc" and not path.name.endswith("_test.go")
        }
    return found


def _libraries(one: Scenario, read: Iterable[Path]) -> bool:
    """Whether our own code runs in it: services that write by a fixture or by an order, the test itself, a rendered image of ours."""
    modules = imported({HERE / f"{one.module}.py"})
    return (
        one.writers
        or any(_OURS.search(path.read_text()) for path in modules)
        or any(OURS in path.read_text() for path in read if path.suffix == ".yaml")
    )


_OURS = re.compile(r"\bauralink_shared\b|\.order\b")


def imported(modules: Iterable[Path]) -> set[Path]:
    """These modules of the harness and all that they import of it; of the generator only its stand-ins (obsgen.judging.dockerd).

    What else of the generator a scenario asks judges what is booted, and boots nothing.
    """
    found: set[Path] = set()
    left = {*modules}
    while left:
        module = left.pop()
        found.add(module)
        if module.is_relative_to(HERE):
            left |= {*_imports(module)} - found
    return found


@functools.cache
def _imports(module: Path) -> tuple[Path, ...]:
    named: set[Path] = set()
    for one in ast.walk(ast.parse(module.read_text())):
        if isinstance(one, ast.ImportFrom):
            words = (one.module or "").split(".") if one.module else []
            if one.level:
                folder = module.parents[one.level - 1].joinpath(*words)
            elif words[:2] == ["obsgen", "judging"]:
                folder = (ROOT / "generator").joinpath(*words)
            else:
                continue
            named |= {folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in one.names)}
    return tuple(sorted(path for path in named if path.is_file()))


def _shared(path: Path) -> bool:
    """Whether a file of the harness bears on every scenario: no scenarios, nothing that judges them afterwards, no declaration."""
    return not path.name.startswith("test_") and path.name not in (
        "__init__.py",
        "check.py",
        "page.py",
        "not_provoked.yaml",
        "observability.yaml",
    )
