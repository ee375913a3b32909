"""The only doors for values into YAML, JSON and the configuration languages inside them; Markdown's are in its module."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from jinja2 import Undefined

from . import markdown
from .model import seconds
from .overlay import merge

_WORD = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./@-]|:(?=[A-Za-z0-9/]))*|(?:[0-9]+(?:ms|[smhdwy]))+")  # or a duration
# Words that YAML 1.1 or 1.2 readers take for something else than text.
_RESERVED = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])
_SINGLE = re.compile(r"[\x20-\x26\x28-\x7e]*")  # printable ASCII without the single quote
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# JSON leaves these bare; YAML readers fold, strip or refuse them.
_BARE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
# Begins with something to see, and holds nothing that a YAML reader breaks lines at, strips or refuses.
_LITERAL = re.compile(
    "[!-~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    "[\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)


def yaml_value(value: Any) -> str:
    """One line of YAML that every reader takes for exactly this value; maps and lists in flow style."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Undefined):
        str(value)  # StrictUndefined names itself here; the JSON encoder would hide the name
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_value(str(key))}: {yaml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(yaml_value, value)) + "]"
    if isinstance(value, SecretFile):
        raise TypeError("a secret stands here, of which only the file is written (write | secret_file | yaml)")
    return _float(value) if isinstance(value, float) else json.dumps(value)


def _float(value: float) -> str:
    """YAML 1.1 takes `1e+16` and `Infinity` for text: it wants a point in the first, and `.inf` for the second."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(value))


def _text(value: str) -> str:
    if _WORD.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if '"' in value or "\\" in value:
        if _SINGLE.fullmatch(value):
            return f"'{value}'"
    elif value.isascii() and value.isprintable():
        return f'"{value}"'
    return _BARE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def json_value(value: Any) -> str:
    """JSON with two spaces of indentation, text as it is written, keys in the order given."""
    if isinstance(value, str | int | None):
        return json.dumps(
            value, ensure_ascii=False
        )  # with an indentation json.dumps is written in Python, and ten times as slow
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def alloy_value(value: Any) -> str:
    """One line of Alloy's syntax for exactly this value: its strings are Go's, whose escapes hold all of JSON's but pairs of surrogates.

    A character beyond those that a string holds bare is written as its number: Alloy refuses a byte order mark within a file.
    """
    if isinstance(value, str):
        return _BARE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_alloy_key(str(key))} = {alloy_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(alloy_value, value)) + "]"
    return json.dumps(value, allow_nan=False)


def _alloy_key(key: str) -> str:
    # `alloy fmt` takes the quotes off an identifier
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else alloy_value(key)


def block(text: str, indent: int) -> str:
    """A YAML literal block: `|` and the text below it, `indent` spaces deep, with one final newline.

    Text that a literal block can't hold as it is, such as an indented first line or a separator of YAML 1.1, comes in quotes.
    """
    text = text.strip("\n")
    if not _LITERAL.fullmatch(text):
        return yaml_value(text + "\n")
    pad = " " * indent
    lines = text.split("\n")
    return "|\n" + "\n".join(pad + line if line else "" for line in lines)


def verbatim(text: str, indent: int) -> str:
    """Text of somebody else as the value of a key, to the last byte: a literal block where one holds it, else in quotes."""
    if not _LITERAL.fullmatch(text) or text.endswith("\n\n"):
        return yaml_value(text)
    return block(text, indent) if text.endswith("\n") else block(text, indent).replace("|", "|-", 1)


def nested(text: str, indent: int) -> str:
    """A YAML document as the value of a key: its lines as they stand, `indent` spaces deep, where that means the same; else written anew.

    Comments above the first line are left out: they speak of the file.
    """
    said = yaml.load(text, _LOADER)
    lines = re.sub(r"\A(?:[ \t]*(?:#.*)?\n|---[ \t]*\n)*", "", text.rstrip() + "\n").rstrip("\n").split("\n")
    pad = " " * indent
    moved = "\n" + "\n".join(pad + line if line.strip() else line for line in lines)
    try:
        same = yaml.load(f"key:{moved}\n", _LOADER) == {"key": said}
    except yaml.YAMLError:  # a second document, a directive
        same = False
    return moved if same else "\n" + "\n".join(pad + line for line in _dumped(said).rstrip("\n").split("\n"))


def expression(text: str, indent: int) -> str:
    """A query: on one line where it is one line, else as a literal block."""
    return block(text, indent) if "\n" in text.strip() else yaml_value(text.strip())


def go_duration(text: str) -> str:
    """A Prometheus duration for keys that Loki reads with Go's parser, which knows no days or weeks (3.7.6)."""
    return f"{seconds(text) / 3600:g}h" if re.search("[dwy]", text) else text


def expand_env(text: str) -> str:
    """YAML text that Loki's `-config.expand-env=true` gives back unchanged; the last filter, because Loki expands before it reads YAML.

    `${` is a variable, and `$$`, `\\\\` and `\\/` each lose their first character (3.7.6, drone/envsubst 1.0.3).
    """
    return re.sub(r"\$(?=[${])|\\(?=[\\/])", r"\g<0>\g<0>", text)


def compose_value(value: Any) -> str:
    """One line of YAML for exactly this value in a Compose file.

    Compose fills in `$NAME` and `${NAME}` in every value once the YAML is read, and takes `$$` for one (compose-go 2.16).
    """
    return yaml_value(_twice(value))


def _twice(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _twice(item) for key, item in value.items()}  # keys are not filled in
    if isinstance(value, (list, tuple)):
        return [_twice(item) for item in value]
    return value


def provisioned(text: str) -> str:
    """YAML text that Grafana's provisioning gives back unchanged; the last filter.

    It expands `$NAME`, `${NAME}` and `$5` in every value, and takes `$$` for one (12.4, pkg/services/provisioning/values).
    """
    return text.replace("$", "$$")


def ini(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """`grafana.ini`: sections of keys. A value with a sign of ini's own stands in backticks, in which go-ini reads everything as it is."""
    lines: list[str] = []
    for section, keys in sections.items():
        lines += [f"[{section}]", *(f"{key} = {_ini_value(value)}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _ini_value(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return f"`{text}`" if re.search(r"[#;\"'%\\]|^\s|\s$", text) else text


def loaded(text: str) -> Any:
    """What YAML text means, for a filter that writes it in another form."""
    return yaml.safe_load(text)


@dataclass(frozen=True)
class SecretFile:
    """A channel's secret, as `secrets.located` has put it there for this output: the file in which Alertmanager finds it."""

    path: str


def secret_file(secret: SecretFile) -> str:
    """The file in which Alertmanager finds a channel's secret."""
    return secret.path


def sha256(text: str) -> str:
    """Checksum for a pod annotation, so that a changed configuration restarts the pod."""
    return hashlib.sha256(text.encode()).hexdigest()


def patched(text: str, patch: Mapping[str, Any]) -> str:
    """A server's configuration with the declaration's `raw.patch` (RFC 7396) merged over it; unchanged where there is none."""
    if not patch:
        return text
    return _dumped(merge(yaml.safe_load(text), dict(patch)))


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with quotes around what only other readers take for a number or a truth, or for a break of lines."""


_NOT_TEXT_TO_ALL = re.compile(r"[yYnN]|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|0o[0-7]+|(?s:.*[\x85\u2028\u2029\ufeff].*)")


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, '"' if _NOT_TEXT_TO_ALL.fullmatch(text) else None)


_Dumper.add_representer(str, _represented)

FILTERS = {
    "yaml": yaml_value,
    "compose": compose_value,
    "json": json_value,
    "alloy": alloy_value,
    "block": block,
    "expression": expression,
    "expand_env": expand_env,
    "go_duration": go_duration,
    "ini": ini,
    "loaded": loaded,
    "nested": nested,
    "provisioned": provisioned,
    "secret_file": secret_file,
    "verbatim": verbatim,
    "sha256": sha256,
    "patched": patched,
    "re_escape": re.escape,
    **markdown.FILTERS,
}
