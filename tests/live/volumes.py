"""The volumes of a Pod as a kubelet lays them out: files of ConfigMaps and Secrets behind a `..data` link that is swapped whole."""

from __future__ import annotations

import base64
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Read = Callable[[str, str], Object | None]  # (kind, name) → the object in the Pod's namespace


def lay_out(volume: Object, folder: Path, group: int | None, read: Read, token: Callable[[Object], str]) -> None:
    """Makes or renews a ConfigMap, Secret or projected volume in `folder`. Raises LookupError for what isn't there."""
    files: dict[str, tuple[bytes, int]] = {}
    if "configMap" in volume:
        files = _files(
            "ConfigMap", volume["configMap"], volume["configMap"]["name"], read, volume["configMap"].get("defaultMode")
        )
    elif "secret" in volume:
        files = _files(
            "Secret", volume["secret"], volume["secret"]["secretName"], read, volume["secret"].get("defaultMode")
        )
    elif "projected" in volume:
        mode = volume["projected"].get("defaultMode", 0o644)
        for source in volume["projected"]["sources"]:
            if "configMap" in source:
                files |= _files("ConfigMap", source["configMap"], source["configMap"]["name"], read, mode)
            elif "secret" in source:
                files |= _files("Secret", source["secret"], source["secret"]["name"], read, mode)
            elif "serviceAccountToken" in source:
                files[source["serviceAccountToken"]["path"]] = token(source["serviceAccountToken"]).encode(), 0o644
            elif "downwardAPI" in source:
                for item in source["downwardAPI"]["items"]:
                    files[item["path"]] = token(item["fieldRef"]).encode(), mode
    _swap(folder, files, group)


def _files(kind: str, source: Object, name: str, read: Read, mode: int | None) -> dict[str, tuple[bytes, int]]:
    found = read(kind, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise LookupError(f"{kind} {name} is not there")
    data = contents(kind, found)
    if not source.get("items"):
        return {key: (value, mode or 0o644) for key, value in data.items()}
    missing = [item["key"] for item in source["items"] if item["key"] not in data]
    if missing:
        raise LookupError(f"{kind} {name} has no key {', '.join(missing)}")
    return {item["path"]: (data[item["key"]], item.get("mode") or mode or 0o644) for item in source["items"]}


def contents(kind: str, found: Mapping[str, Any]) -> dict[str, bytes]:
    """Key → bytes of a ConfigMap or a Secret."""
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    return {key: value.encode() for key, value in (found.get("data") or {}).items()}


def _swap(folder: Path, files: Mapping[str, tuple[bytes, int]], group: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    before = data.resolve() if data.is_symlink() else None
    if before and {str(one.relative_to(before)): one.read_bytes() for one in before.rglob("*") if one.is_file()} == {
        path: text for path, (text, _) in files.items()
    }:
        return
    fresh = folder / f"..{uuid.uuid4().hex}"
    for path, (text, mode) in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        target.chmod(mode)
        if group is not None:
            os.chown(target, 0, group)
    fresh.mkdir(exist_ok=True)
    link = folder / "..data_tmp"
    link.symlink_to(fresh.name)
    link.rename(data)
    tops = {path.split("/")[0] for path in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for old in folder.iterdir():
        if old.is_symlink() and not old.name.startswith("..") and old.name not in tops:
            old.unlink()
    if before:
        shutil.rmtree(before)
