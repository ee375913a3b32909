"""What a change means for the people on call: read from the rendered rules and routes, before and after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

import yaml

from . import matching
from .judging.texts import configs

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RULES = ("monitoring/rules/*.yaml", "logging/rules/*.yaml", "prometheus/rules/*.yaml", "loki/rules/*.yaml")
_SHOWN = 3  # names of alerts in a line


class Watched(NamedTuple):
    """An alert of one severity, for one team: when it fires."""

    name: str
    severity: str
    team: str


class Rules(NamedTuple):
    """The rules of an alert: expressions and waiting times, each as one line; and the labels that are no templates."""

    conditions: frozenset[str]
    labels: Mapping[str, str]


Alerts = Mapping[Watched, Rules]


class Told(NamedTuple):
    """Who hears of an alert, and how often again."""

    channels: frozenset[str]
    repeat: str


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """One line for each thing that changes for somebody: alerts that come, go or fire otherwise, and people told otherwise.

    Both are `{path: text}` of an output folder; one without Alertmanager says nothing of who is told.
    """
    old, new = alerts(before), alerts(after)
    was, now = _routes(before), _routes(after)
    return [
        *(f"new:     {_known(one, new[one], now)}" for one in sorted(new.keys() - old.keys())),
        *(f"gone:    {_known(one, old[one], was)}" for one in sorted(old.keys() - new.keys())),
        *_retuned(old, new),
        *(_told_otherwise(old, new, was, now) if was and now else ()),
    ]


def alerts(files: Mapping[str, str]) -> Alerts:
    """Every alert of the rule files; where it reads a recording, with what that asks."""
    rules = [rule for path, text in sorted(files.items()) if _holds_rules(path) for rule in _rules(text)]
    records = {str(rule["record"]): str(rule.get("expr")) for rule in rules if "record" in rule}
    found: dict[Watched, Rules] = {}
    for rule in (rule for rule in rules if "alert" in rule):
        labels = {name: str(value) for name, value in (rule.get("labels") or {}).items()}
        fixed = {name: value for name, value in labels.items() if "{{" not in value}
        for team in _literals(labels.get("team", "")):
            watched = Watched(str(rule["alert"]), labels.get("severity", ""), team)
            others = found[watched].conditions if watched in found else frozenset()
            conditions = others | {_condition(rule, records)}
            found[watched] = Rules(conditions, {**fixed, "alertname": watched.name, "team": team})
    return found


def _holds_rules(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in _RULES) and not path.endswith("_test.yaml")


def _rules(text: str) -> list[dict[str, Any]]:
    try:
        return [rule for group in yaml.load(text, _LOADER)["groups"] for rule in group["rules"]]
    except (yaml.YAMLError, KeyError, TypeError):
        return []  # a folder that somebody else wrote into: `verify` says what is wrong with it


def _condition(rule: Mapping[str, Any], records: Mapping[str, str]) -> str:
    asked = re.sub(
        r"[\w:]+", lambda name: f"({records[name[0]]})" if name[0] in records else name[0], str(rule.get("expr"))
    )
    waits = [f"{key} {rule[key]}" for key in ("for", "keep_firing_for") if key in rule]
    return ", ".join([" ".join(asked.split()), *waits])


def _literals(label: str) -> list[str]:
    """The values that a label can have: itself, or each branch of a template that chooses between names."""
    return [part for part in re.split(r"\{\{.*?\}\}", str(label)) if part] or [""]


def _routes(files: Mapping[str, str]) -> Mapping[str, Any] | None:
    found = configs(files, "alertmanager.yaml")
    config = yaml.load(found[0].text, _LOADER) if found else None
    return config if isinstance(config, dict) else None


def told(config: Mapping[str, Any], labels: Mapping[str, str]) -> Told:
    """Who hears of an alert with these labels by this configuration of Alertmanager."""
    reached = matching.reached(config["route"], labels)
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    channels = frozenset(word for route in reached for word in _channels(receivers[route["receiver"]]))
    return Told(channels, ", ".join(sorted({str(route.get("repeat_interval", "4h")) for route in reached})))


def _channels(receiver: Mapping[str, Any]) -> Iterator[str]:
    for key, configured in receiver.items():
        if key.endswith("_configs"):
            for channel in configured:
                yield f"{key.removesuffix('_configs')} {_name(channel)}".strip()


def _name(channel: Mapping[str, Any]) -> str:
    """A channel's public name; where it has none, that of its secret."""
    public = next((str(channel[key]) for key in ("channel", "to", "url") if channel.get(key)), "")
    secret = next((str(value) for key, value in channel.items() if key.endswith("_file")), "")
    return public or secret.rpartition("/")[2]


def _known(alert: Watched, rules: Rules, config: Mapping[str, Any] | None) -> str:
    return f"{_words(alert)}, tells {_list(told(config, rules.labels).channels)}" if config else _words(alert)


def _words(alert: Watched) -> str:
    of = f" of team {alert.team}" if alert.team else ""
    return f"{alert.name} ({alert.severity or 'no severity'}){of}"


def _retuned(old: Alerts, new: Alerts) -> Iterator[str]:
    changed: dict[tuple[str, str, frozenset[str], frozenset[str]], None] = {}  # once, for however many teams
    for one in sorted(old.keys() & new.keys()):
        before, after = old[one].conditions, new[one].conditions
        if before != after:
            changed[(one.name, one.severity, before - after, after - before)] = None
    for name, severity, gone, come in changed:
        yield f"retuned: {name} ({severity})"
        yield from (f"         - {line}" for line in sorted(gone))
        yield from (f"         + {line}" for line in sorted(come))


def _told_otherwise(old: Alerts, new: Alerts, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Alerts that share severity, team and what changes make one line."""
    grouped: dict[tuple[str, str, Told, Told], list[str]] = {}
    for one in sorted(old.keys() & new.keys()):
        before, after = told(was, old[one].labels), told(now, new[one].labels)
        if before != after:
            grouped.setdefault((one.severity, one.team, before, after), []).append(one.name)
    for (severity, team, before, after), names in grouped.items():
        what = [f"now also {_list(more)}"] if (more := after.channels - before.channels) else []
        what += [f"no longer {_list(less)}"] if (less := before.channels - after.channels) else []
        what += [f"again every {after.repeat}, not {before.repeat}"] if after.repeat != before.repeat else []
        who = f"{severity or 'no severity'} of team {team}" if team else severity or "no severity"
        yield f"told:    {who}: {'; '.join(what)} ({_few(names)})"


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nobody"


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
