"""What Kubernetes' own programs and schemas say about the manifests, and yamllint about every YAML text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ..plan import Plan
from ..problem import Problem, ProblemsError
from ..rules import object_name
from . import apiserver, operator, tools
from .task import Answer, Outcome, Task, Text, ask, refusal
from .texts import texts

ACCEPTED = Outcome(True)
INDEX = "kustomization.yaml"

# For texts that a machine writes and people read: what changes a meaning or a diff is an error, taste is not asked.
YAMLLINT = """
extends: default
rules:
  braces: {max-spaces-inside: 1}
  brackets: {max-spaces-inside: 1}
  comments: {level: error}
  comments-indentation: {level: error}
  document-start: disable
  indentation: {spaces: 2, indent-sequences: consistent}
  line-length: disable
  octal-values: enable
  truthy: {check-keys: false, level: error}
"""
# In a manifest an empty value is a field that is silently not set; Promtail's `labels:` and compose's `volumes:` mean it.
MANIFESTS = f"{YAMLLINT}  empty-values: enable\n"


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Every question about rendered files that yamllint, kubernetes-validate, kustomize and kube-apiserver answer."""
    manifests = [Text(path, files[path]) for path in _resources(files.get(INDEX, "")) if path in files]
    for text in texts(files):
        if text.name.endswith((".yaml", ".yml")) and not _taken_over(text, plan):
            rules = MANIFESTS if text in manifests else YAMLLINT
            yield Task("yamllint", "", text.name, (text,), (), partial(_yamllint, text, rules))
    if INDEX not in files:
        return
    target = plan.declaration.versions.kubernetes
    yield from _schema_tasks(manifests, target)
    tree = (Text(INDEX, files[INDEX]), *manifests)
    yield Task("kustomize", "kustomize", INDEX, tree, ("build", "."), partial(_kustomize, tree))
    yield Task("kubectl", "kube-apiserver", INDEX, tree, APPLY, partial(_kubectl, tree, target))


def _taken_over(text: Text, plan: Plan) -> bool:
    """Whether a text is, or carries, rules that somebody else wrote: their style is not ours to judge."""
    files = plan.rule_files()
    names = {f"{file.stem}.yaml" for file in files} | {f"{object_name(file.stem)}.yaml" for file in files}
    carriers = ("monitoring/alert-rules.yaml", "monitoring/rules.yaml", "logging/loki-rules.yaml")
    return bool(files) and (text.base in names or text.name in carriers)


def _resources(index: str) -> list[str]:
    """The files that a kustomization names; none if it can't be read, which kustomize will say in its own words."""
    found = _objects(index)
    return [str(path) for path in found[0].get("resources") or ()] if found else []


def _objects(text: str) -> list[dict[str, Any]]:
    """The objects of a manifest; none of a text that is no YAML."""
    try:
        return [one for one in yaml.load_all(text, yaml.CSafeLoader) if isinstance(one, dict)]
    except yaml.YAMLError:
        return []


def _named(one: Mapping[str, Any]) -> str:
    place = [str(name) for name in (_at(one, "metadata", "namespace"), _at(one, "metadata", "name")) if name]
    return f"{one.get('kind')} {'/'.join(place)}"


# yamllint


def _yamllint(text: Text, rules: str, program: Path, work: Path) -> Outcome:
    from yamllint import linter  # type: ignore[import-untyped]
    from yamllint.config import YamlLintConfig  # type: ignore[import-untyped]

    found = linter.run(text.text, YamlLintConfig(rules))
    return _outcome([f"{one.line}:{one.column}: {_said(one.desc, one.rule)}" for one in found])


def _said(fact: str, rule: str | None) -> str:
    return f"{fact} ({rule})" if rule and not fact.endswith(f"({rule})") else fact


def _outcome(refusals: Sequence[str]) -> Outcome:
    return Outcome(not refusals, "\n".join(refusals))


# kubernetes-validate


def _schema_tasks(manifests: Sequence[Text], target: str) -> Iterator[Task]:
    for text in manifests:
        if any(_builtin(one) for one in _objects(text.text)):
            arguments = ("--strict", "--version", target)
            yield Task("kubernetes-validate", "", text.name, (text,), arguments, partial(_validate, text, target))


def schema_version(target: str) -> str:
    """The MAJOR.MINOR whose schemas are used for a declared one: the same; else the next newer; else the newest."""
    from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped]

    known = sorted(_numbers(version)[:2] for version in all_versions())
    newer = [version for version in known if version >= _numbers(target)[:2]]
    return ".".join(map(str, (newer or known[-1:])[0]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _builtin(one: Mapping[str, Any]) -> bool:
    """Whether the kind is Kubernetes' own: those of operators have no schema there, their CRD judges them."""
    group = str(one.get("apiVersion", "")).rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def _validate(text: Text, target: str, program: Path, work: Path) -> Outcome:
    import kubernetes_validate as library  # type: ignore[import-untyped]

    version, refusals = schema_version(target), []
    for one in filter(_builtin, _objects(text.text)):
        try:
            library.validate(one, version, strict=True)
        except library.ValidationError as error:
            refusals.append(f"{_named(one)}: {_path(error.absolute_path)}: {error.message}")
        except library.SchemaNotFoundError as error:
            refusals.append(f"{_named(one)}: {error.message}")
        except KeyError as error:
            refusals.append(f"{_named(one)}: has no {error.args[0]}")
    other = [] if version == target else [f"by the schemas of Kubernetes {version}: there are none of {target} here"]
    return Outcome(not refusals, "\n".join([*refusals, *other]))


def _path(keys: Sequence[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys) or "."


# kustomize


def _write(tree: Sequence[Text], work: Path) -> None:
    for text in tree:
        path = work / text.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.text, encoding="utf-8", newline="\n")


def _kustomize(tree: Sequence[Text], program: Path, work: Path) -> Outcome:
    _write(tree, work)
    answer = ask(program, ("build", "."), work)
    if answer.code:
        return Outcome(False, refusal(answer))
    before = Counter(_written(one) for text in tree[1:] for one in _objects(text.text))
    after = Counter(_written(one) for one in _objects(answer.stdout))
    lost = [f"{name}: is not in the output as it stands in its file" for name, _ in (before - after).elements()]
    gained = [f"{name}: is in the output, and in no file like this" for name, _ in (after - before).elements()]
    return _outcome(sorted(lost) + sorted(gained))


def _written(one: Mapping[str, Any]) -> tuple[str, str]:
    return _named(one), json.dumps(one, sort_keys=True, default=str)


# kube-apiserver

SERVER_SIDE = ("apply", "--server-side", "--dry-run=server", "--validate=strict")
APPLY = (*SERVER_SIDE, "-k", ".")
_RESTRICTED = "obsgen-restricted"


def _kubectl(tree: Sequence[Text], target: str, program: Path, work: Path) -> Outcome:
    _write(tree, work)
    objects = [one for text in tree[1:] for one in _objects(text.text)]
    cluster = apiserver.shared(_programs(program, target))
    with cluster.lock:
        cluster.label({**pod_security(objects), _RESTRICTED: "restricted"})
        cluster.define(operator.definitions(objects, work))
        outcome = _taken(cluster.kubectl(*APPLY, work=work))
        beside = neighbours(objects)
        if outcome.accepted and beside:
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": beside}, default=str)
            outcome = _taken(cluster.kubectl(*SERVER_SIDE, "-f", "-", work=work, stdin=text))
    return outcome


def _taken(answer: Answer) -> Outcome:
    if answer.code == 0 and "Warning" not in answer.stderr:
        return ACCEPTED
    return Outcome(False, refusal(answer._replace(stdout="")))


def cluster(target: str) -> apiserver.Cluster:
    """The running API server of a MAJOR.MINOR. Raises ProblemsError: judge/absent where a program for it is not here."""
    kube_apiserver = tools.find("kube-apiserver", target)
    if kube_apiserver is None:
        raise ProblemsError([_absent("kube-apiserver", "an API server")], could_not_run=True)
    return apiserver.shared(_programs(kube_apiserver.path, target))


def _programs(kube_apiserver: Path, target: str) -> apiserver.Programs:
    etcd, kubectl = tools.find("etcd", ""), tools.find("kubectl", target)
    if etcd and kubectl:
        return apiserver.Programs(etcd.path, kube_apiserver, kubectl.path)
    problems = [_absent(name, "kube-apiserver") for name, tool in (("etcd", etcd), ("kubectl", kubectl)) if not tool]
    raise ProblemsError(problems, could_not_run=True)


def _absent(name: str, asked: str) -> Problem:
    return Problem(name, 0, 0, f"is not here, and {asked} is asked with its help", "run: make tools", "judge/absent")


def pod_security(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The Pod Security level of each namespace: restricted, but privileged where a DaemonSet mounts its host's paths."""
    agents = {_namespace(one) for one in objects if _reads_host(one)}
    return {space: "privileged" if space in agents else "restricted" for space in map(_namespace, objects)}


def neighbours(objects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What shares an agent's privileged namespace without being one, put into a restricted namespace."""
    agents = {_namespace(one) for one in objects if _reads_host(one)}
    beside = [one for one in objects if _at(one, "metadata", "namespace") in agents and not _reads_host(one)]
    return [{**one, "metadata": {**one["metadata"], "namespace": _RESTRICTED}} for one in beside]


def _namespace(one: Mapping[str, Any]) -> str:
    return str(_at(one, "metadata", "namespace") or "default")


def _reads_host(one: Mapping[str, Any]) -> bool:
    volumes = _at(one, "spec", "template", "spec", "volumes")
    return one.get("kind") == "DaemonSet" and any(_at(volume, "hostPath") is not None for volume in volumes or ())


def _at(value: Any, *keys: str) -> Any:
    """The value at a path of keys, None where the path ends: what is judged may be of any shape."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
