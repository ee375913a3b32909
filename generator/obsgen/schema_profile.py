"""The schema of profiles, made from the declaration's: the same words, nothing required, null where it deletes.

`python -m obsgen.schema_profile` rewrites `schemas/profile.schema.json` of the checkout that it is called in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import schema_file
from .problem import told


def profile_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """What `profiles/NAME.yaml` may say, given `schemas/observability.schema.json`, which judges the merged result."""
    profile = {**_optional(schema), "type": "object", "title": "profiles/NAME.yaml, obsgen/v1"}
    extends = {"$ref": "#/$defs/name", "description": "Another profile that this one builds on.", "examples": ["prod"]}
    profile["description"] = "One place to deploy to, merged over observability.yaml: null deletes, lists are replaced."
    profile["properties"] = {"extends": extends, **profile["properties"]}
    channels = [branch["properties"] for name, branch in profile["$defs"].items() if name.startswith("channel-")]
    foreign = {key: {"type": "null"} for keys in channels for key in keys}  # a new type deletes the keys of the old one
    for keys in channels:
        keys |= {key: null for key, null in foreign.items() if key not in keys}
    return profile


def _optional(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {word: _relaxed(word, value) for word, value in schema.items() if word not in ("required", "not")}
    dropped = {"allOf"} if kept.get("allOf") == [] else set()
    if not any("$ref" in kept.get(branch, {}) for branch in ("then", "else")):
        dropped |= {"if", "then", "else"}  # only demanded or forbade keys
    return {word: value for word, value in kept.items() if word not in dropped}


def _relaxed(word: str, value: Any) -> Any:
    if word in ("properties", "$defs"):
        return {name: _optional(inner) for name, inner in value.items()}
    if word == "allOf":
        return [branch for branch in map(_optional, value) if branch]
    if word == "type":
        return sorted({value, "null"} if isinstance(value, str) else {*value, "null"})
    if word == "enum":
        return [*value, None]
    return _optional(value) if word in ("additionalProperties", "then", "else") else value


def main() -> None:
    """Rewrite `schemas/profile.schema.json` from `schemas/observability.schema.json`, both in the folder that this is called in."""
    folder = Path("schemas")
    schema = schema_file.read(folder / "observability.schema.json")
    text = json.dumps(profile_schema(schema), indent=2, ensure_ascii=False) + "\n"
    (folder / "profile.schema.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    told(main)
