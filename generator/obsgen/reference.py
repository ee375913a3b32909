"""The reference pages, made from the schema and from the command line: `python -m obsgen.reference` writes docs/reference."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from . import cli, road
from .problem import Problem, ProblemsError, told

Schema = Mapping[str, Any]
_HEADER = "<!-- Made by: python -m obsgen.reference. Change the {}, not this. -->\n\n# The {}"
_PROFILES = (
    "A profile has the same keys, none required; there `null` deletes, and `extends` names a profile to build on."
)
_EXIT_CODES = (
    ("0", "nothing to say: no error, no difference"),
    ("1", "problems or differences, of `logs check` also a command that failed; with `--strict` a warning is enough"),
    ("2", "could not run: wrong usage, a profile or file that is missing, a folder that can't be written"),
)
_OUTPUT = (
    "stdout is the product: findings of `check` and `logs check`, differences, what `explain` and `schema` print. stderr is talk, and what "
    "a command under `logs check --run` says."
)
_WORDS = {"string": "text", "boolean": "`true` or `false`", "integer": "whole number", "object": "map"}
_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def grammar(schema: Schema) -> str:
    """Markdown of every key: the top of the file, each map by name, then the values that are one text.

    Raises ProblemsError with every key that says too little of itself.
    """
    if bare := sorted(_bare(schema)):
        raise ProblemsError(
            [Problem("schemas/observability.schema.json", 0, 0, fact, "", "schema/undescribed") for fact in bare],
            could_not_run=True,
        )
    maps = {"top": schema, "objectives": schema["properties"]["objectives"]}
    maps |= {name: one for name, one in schema["$defs"].items() if _keys(schema, one)}
    sections = [part for name, one in maps.items() for part in _section(name, one, schema)]
    values = [_value(name, one) for name, one in schema["$defs"].items() if name not in maps]
    sections += ["## Values", _table(("value", "meaning", "form", "examples"), values)]
    return "\n\n".join([_HEADER.format("schema", "grammar"), _PROFILES, *filter(None, sections)]) + "\n"


def _bare(schema: Schema) -> Iterator[str]:
    """What has no description, no example, or no reason for its default."""
    maps = {"top": schema, **schema["$defs"]}
    yield from (f"{name} has no description" for name, one in maps.items() if "description" not in one)
    for name, one in maps.items():
        for key, spec in _keys(schema, one).items():
            wanted = {"description", "examples"} | ({"x-why"} if "default" in spec else set())
            yield from (f"{name}.{key} has no {word}" for word in wanted - set(spec))


def _section(name: str, one: Schema, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n\n{one['description']}"
    rows = [_row(key, spec, key in one.get("required", ())) for key, spec in _keys(schema, one).items()]
    yield _table(("key", "type", "default, and why", "meaning", "example"), rows)
    yield "\n".join(f"- {note}." for note in dict.fromkeys(_notes(one)))


def _keys(schema: Schema, one: Schema) -> dict[str, Any]:
    """The keys of a map; a `$ref` brings those of another, whose words stay where this one has no own."""
    below = _keys(schema, schema["$defs"][one["$ref"].rpartition("/")[2]]) if "$ref" in one else {}
    return below | {key: {**below.get(key, {}), **own} for key, own in one.get("properties", {}).items()}


def _row(key: str, spec: Schema, required: bool) -> tuple[str, ...]:
    default = f"{_code(spec['default'])} {spec['x-why']}" if "default" in spec else "required" if required else ""
    name = f"[`{key}`](#{key})" if key == "objectives" and "properties" in spec else f"`{key}`"
    return name, _type(spec), default, spec["description"], _code(spec["examples"][0])


def _type(spec: Schema) -> str:
    if "$ref" in spec:
        return _link(spec) + "".join(f", with `{key}`" for key in spec.get("required", ()))
    if "enum" in spec or "const" in spec:
        return " or ".join(f"`{value}`" for value in spec.get("enum", [spec.get("const")]))
    if isinstance(entry := spec.get("additionalProperties"), Mapping):
        return f"map of {_type({'type': 'names', **spec['propertyNames']})} to {_type(entry)}"
    if spec["type"] == "array":
        return f"list of {_type(spec['items'])}"
    if "then" in spec:  # an alert of a pack: changed, or removed by null
        return f"{_type(spec['then'])} or `null`"
    kinds = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    bounds = [f", {words} {spec[word]}" for word, words in _BOUNDS.items() if word in spec]
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds) + "".join(bounds)


def _notes(one: Schema) -> Iterator[str]:
    """What the schema says of keys that need or exclude each other, and which type of channel has which keys."""
    for branch in (one, *one.get("allOf", ())):
        arms = [branch.get(arm, {}) for arm in ("then", "else")]
        yield from (arm["x-message"] for arm in arms if "x-message" in arm)
        for arm in (arm for arm in arms if "$ref" in arm):
            yield f"with `type: {branch['if']['properties']['type']['const']}`: the keys of {_link(arm)}"


def _value(name: str, one: Schema) -> tuple[str, ...]:
    anchor, examples = f'<a id="{name}"></a>{name}', ", ".join(map(_code, one["examples"]))
    return anchor, one["description"], f"`{one['pattern']}`", examples


def _link(reference: Schema) -> str:
    name = reference["$ref"].rpartition("/")[2]
    return f"[{name}](#{name})"


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def command_line(main: click.Group) -> str:
    """Markdown of every verb with its options as `--help` shows them, and of the exit codes."""
    parts = [_HEADER.format("command line", "command line"), str(main.help)]
    for name, verb in _verbs(main):
        context = click.Context(verb, info_name=f"obsgen {name}", terminal_width=100, **verb.context_settings)
        shown = [option.get_help_record(context) or ("", "") for option in verb.get_params(context)]
        rows = [(f"`{option}`", " ".join(words.split())) for option, words in shown if words]
        parts.append(f"## {name}\n\n{inspect.cleandoc(verb.help or '')}\n\n```\n{verb.get_usage(context)}\n```")
        parts.append(_table(("option", "meaning"), rows))
    return "\n\n".join([*parts, "## Exit codes", _table(("code", "meaning"), _EXIT_CODES), _OUTPUT]) + "\n"


def _verbs(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, verb in group.commands.items():
        yield before + name, verb
        if isinstance(verb, click.Group):
            yield from _verbs(verb, f"{before}{name} ")


def main() -> None:
    """Rewrite the pages of the checkout that this is called in."""
    for name, text in (("grammar", grammar(road.schema("observability"))), ("command-line", command_line(cli.main))):
        Path(f"docs/reference/{name}.md").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    told(main)
