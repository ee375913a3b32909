"""A dashboard through the published types of Grafana: what the types don't know, and what is of another type than they say.

Grafana's own loading checks nothing, and nor does `from_json` of grafana-foundation-sdk. But what it drops is missing when the
loaded dashboard is written again, and what it keeps can be compared with the annotations of its classes.
"""

from __future__ import annotations

import enum
import functools
import json
import typing
import warnings
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the classic model is the one that files are read in
    from grafana_foundation_sdk.models.dashboard import Dashboard

# `target` of an annotation is typed for Grafana's own; a query of Prometheus there carries its expression.
_KNOWN = ("annotations.list[1].target.expr", "annotations.list[1].target.interval")


@functools.cache
def _registered() -> None:
    register_default_plugins()


def faults(text: str) -> list[str]:
    """Everything of a dashboard's JSON that the types don't know or contradict, by its path."""
    _registered()
    loaded = Dashboard.from_json(json.loads(text))
    again = json.loads(json.dumps(loaded, cls=JSONEncoder))
    return [*_dropped(json.loads(text), again), *_wrong(loaded, Dashboard, "dashboard")]


def _dropped(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            place = f"{path}.{key}".lstrip(".")
            if key not in after:
                if value not in (None, [], {}) and place not in _KNOWN:
                    yield f"{place}: the types don't know it"
            else:
                yield from _dropped(value, after[key], place)
    elif isinstance(before, list) and isinstance(after, list):
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _dropped(one, other, f"{path}[{number}]")
        if len(before) != len(after):
            yield f"{path}: {len(before)} became {len(after)}"
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"


def _wrong(value: Any, hint: Any, path: str) -> Iterator[str]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        if hasattr(
            value, "to_json"
        ):  # the options of a panel: typed by the panel's kind, not by the class that holds them
            yield from _of_class(value, type(value), path)
        return
    if origin in (typing.Union, UnionType):
        if value is None and NoneType in inner:
            return
        options = [option for option in inner if option is not NoneType]
        tried = [list(_wrong(value, option, path)) for option in options]
        yield from min(tried, key=len)
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{path}: {value!r} is none of {inner}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
        else:
            for number, item in enumerate(value):
                yield from _wrong(item, inner[0], f"{path}[{number}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no map"
        else:
            for key, item in value.items():
                yield from _wrong(item, inner[1], f"{path}.{key}")
    elif isinstance(hint, type):
        yield from _of_class(value, hint, path)


def _of_class(value: Any, hint: type, path: str) -> Iterator[str]:
    if issubclass(hint, enum.Enum):
        if value not in [member.value for member in hint]:
            yield f"{path}: {value!r} is none of {[member.value for member in hint]}"
    elif hint in (str, bool, int, float):
        right = isinstance(value, int | float) and not isinstance(value, bool) if hint is float else type(value) is hint
        if not right:
            yield f"{path}: {value!r} is no {hint.__name__}"
    elif isinstance(value, hint) or hasattr(value, "to_json"):
        for name, of in typing.get_type_hints(type(value).__init__).items():
            if name != "return":
                yield from _wrong(getattr(value, name, None), of if _asked(value, name) else Any, f"{path}.{name}")
    elif hasattr(hint, "from_json") and isinstance(value, dict):  # 0.0.21 leaves transformations as they are
        made = hint.from_json(value)
        yield from _dropped(value, json.loads(json.dumps(made, cls=JSONEncoder)), path)
        yield from _wrong(made, hint, path)
    elif getattr(hint, "__module__", "").startswith("grafana_foundation_sdk"):
        yield f"{path}: {value!r} is no {hint.__name__}"


def _asked(value: Any, name: str) -> bool:
    return getattr(value, name, None) is not None
