"""Rendered files → the texts that servers read: the files, and what the manifests mount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

import yaml

from .task import Text

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOUNTED = {"ConfigMap": "data", "Secret": "stringData"}
_RULES = "PrometheusRule"


def texts(files: Mapping[str, str]) -> tuple[Text, ...]:
    """Each file, sorted by path, then each entry of each ConfigMap (and Secret with stringData): the bytes a kubelet mounts.

    Of each PrometheusRule the rule file that its `spec` is, line for line: prometheus-operator writes the same into a ConfigMap.

    A file that is no YAML has no entries; the judges that read it whole will say what is wrong.
    """
    whole = [Text(path, files[path]) for path in sorted(files)]
    return (*whole, *(entry for text in whole for entry in _entries(text)))


def configs(files: Mapping[str, str], key: str) -> list[Text]:
    """The configurations called `key`: entries of ConfigMaps, and raw files that are no Kubernetes manifests."""
    return [text for text in texts(files) if text.base == key and ("#" in text.name or not _manifests(text))]


def matching(files: Mapping[str, str], patterns: Iterable[str]) -> list[Text]:
    """The texts whose names match a pattern, raw files before mounted entries."""
    return [text for text in texts(files) if any(fnmatch(text.name, pattern) for pattern in patterns)]


def place(files: Mapping[str, str], name: str, line: int) -> tuple[str, int]:
    """(file, line) of a line of a text, both from 1: a line of a mounted entry stands further down in its manifest."""
    path, _, entry = name.partition("#")
    if path not in files:
        return name, 0
    return path, _offset(files[path], entry) + line if entry else line


def _entries(text: Text) -> Iterator[Text]:
    for manifest in _manifests(text):
        name = manifest["metadata"]["name"]
        for key, value in (manifest.get(_MOUNTED.get(manifest["kind"], "")) or {}).items():
            if isinstance(value, str):
                yield Text(f"{text.name}#{name}/{key}", value)
    if f"kind: {_RULES}" in text.text:
        yield from _rule_files(text)


def _rule_files(text: Text) -> Iterator[Text]:
    lines = text.text.split("\n")
    for document in _nodes(text.text):
        name, spec = _value(document, "metadata", "name"), _child(document, "spec")
        if _value(document, "kind") == _RULES and name and isinstance(spec, yaml.MappingNode):
            begin, end = spec.start_mark, spec.end_mark
            moved = lines[begin.line : end.line] or [lines[begin.line][: end.column]]
            said = "\n".join(line[begin.column :] for line in moved)
            yield Text(f"{text.name}#{name}/{name}.yaml", said.rstrip("\n") + "\n")


def _nodes(manifest: str) -> list[Any]:
    try:
        return list(yaml.compose_all(manifest, _LOADER))
    except yaml.YAMLError:
        return []


def _manifests(text: Text) -> list[dict[str, Any]]:
    """The objects of a Kubernetes manifest; none for any other text. Most texts are told apart without parsing them."""
    if not text.name.endswith((".yaml", ".yml")) or "kind:" not in text.text or "apiVersion:" not in text.text:
        return []
    try:
        found = list(yaml.load_all(text.text, _LOADER))
    except yaml.YAMLError:
        return []
    return [one for one in found if isinstance(one, dict) and _is_object(one)]


def _is_object(document: Mapping[str, Any]) -> bool:
    metadata = document.get("metadata")
    return {"apiVersion", "kind"} <= document.keys() and isinstance(metadata, dict) and "name" in metadata


def _offset(manifest: str, entry: str) -> int:
    """Lines of the manifest above the first line of an entry; block scalars begin on the line after their mark."""
    name, _, key = entry.partition("/")
    for document in yaml.compose_all(manifest, _LOADER):
        if _value(document, "metadata", "name") != name:
            continue
        if _value(document, "kind") == _RULES:
            return int(_child(document, "spec").start_mark.line)
        node = _child(document, next((field for field in _MOUNTED.values() if _child(document, field)), ""))
        value = _child(node, key)
        if value:
            return int(value.start_mark.line) + (value.style in ("|", ">"))
    return 0


def _value(node: Any, *keys: str) -> Any:
    for key in keys:
        node = _child(node, key)
    return getattr(node, "value", None)


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)
