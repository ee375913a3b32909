"""One line against the contract. The hot path: 100,000 lines a second on one core (docs/speed.md), so it asks little of most lines."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from . import strict
from .credentials import MARK, Credentials
from .rules import RULES
from .shapes import EXPLAINS, FORMS, MOST_KEYS, SPECIAL, Known, Node
from .standard import Standard, declared_types
from .tally import Example, Finding, Place, Tally
from .words import lasting

LINE = 15_360
"""Bytes of a line with its newline, as the standard has it (docs/design.md): container runtimes split at 16 KiB."""

LONGEST = 1 << 20
"""Bytes of a line that are looked at; Loki (3.7) takes a quarter of it by default."""

SKEW = 60.0
"""Seconds that a line's own time may be from the time when it was captured, or ahead of the clock."""

ZEROS = "0" * 32  # W3C's invalid trace id, which is what a line outside any trace has
FAILED = frozenset({"ERROR", "FATAL"})
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII).fullmatch
_MILLISECONDS = {f"{number:03d}Z": number / 1000 for number in range(1000)}
_TRACE = re.compile(r"[0-9a-f]{32}").fullmatch
_AGAINST = frozenset(rule.id for rule in RULES if rule.severity == "error")
_MOST_SERVICES, _MOST_DAYS = 1000, 1000
_DEEP = "\0"  # between the keys of a path
_SHOWN, _EXCERPT = 40, 240  # characters of a value in a fact, of a line under it
Decoded = dict[str, Any]
_decode = msgspec.json.Decoder().decode


class Captured(NamedTuple):
    """What a container runtime or Loki put around a line.

    `begins` is the byte of the captured line at which the service's own begins, None where it stands there in another spelling. `at`
    is when it was captured, in seconds since 1970, `service` whose stream it came from.
    """

    begins: int | None = None
    at: float | None = None
    service: str | None = None


BARE = Captured(0)


class Span:
    """Bytes of a service's lines of one day, and the first and last of their timestamps in seconds since 1970."""

    __slots__ = ("bytes", "first", "last")

    def __init__(self, at: float) -> None:
        self.bytes, self.first, self.last = 0, at, at


class Checker:
    """Holds the lines of one stream to a standard; what it finds is in `tally`, how much was written in `days`, by service.

    `service` is the one service that may write here; without, any that the contract names. `source` is what places are told in, `now`
    the clock that a line may not be ahead of, in seconds since 1970.
    """

    def __init__(self, standard: Standard, *, source: str = "-", service: str | None = None, shown: int = 3) -> None:
        contract, log = standard.contract, standard.contract.logging
        self.standard, self.source, self.now = standard, source, time.time()
        self.tally, self.days = Tally(shown), dict[str, dict[str, Span]]()
        self._credentials = Credentials(log.redact)
        self._possible = self._credentials.possible
        paths = {name: field.path for name, field in log.fields.items()}
        special = {path: name for name, path in paths.items() if name in SPECIAL}
        self._known = Known([paths[name] for name in log.required if name in paths], special, self._credentials)
        self._top = Node(self._known, (), declared_types(contract))
        self._at, self._level, self._service, self._trace = (_DEEP.join(paths.get(name, (name,))) for name in FORMS)
        self._deep = [path for name, path in paths.items() if name in FORMS and len(path) > 1]
        self._levels = frozenset(log.levels)
        self._quiet = self._levels - FAILED
        self._services = frozenset([service] if service else contract.services)
        self._explainable = not EXPLAINS.isdisjoint(paths)
        self._spaced = self._explained = self._bad = False
        self._second, self._base = "", 0.0
        self._today: dict[str, Span] = {}
        self._texts: list[str] = []
        self._open: list[str] = []
        self._text, self._number, self._captured = b"", 0, BARE
        self._value: Decoded | None = None

    def unasked(self) -> dict[str, str]:
        """Rules of which this stream or this contract says nothing, or not all, and why."""
        found = {}
        if not self._explainable:
            found["logs/error-fields"] = "the contract declares no error field"
        if self._known.full:
            found["logs/type-drift"] = f"beyond the first {MOST_KEYS:,} keys: ids belong into values"
        return found

    def whole(self, rule: str, fact: str, remedy: str, count: float = 1) -> None:
        """Tells something of the stream as a whole, or of one file of it."""
        before = self.tally.counts.get(rule, 0)
        if not self.tally.known(rule, fact):
            self.tally.keep(Example(Finding(rule, fact, remedy), Place(self.source, 0), 0, ""))
        self.tally.counts[rule] = before + count

    def check(self, text: bytes, number: int, captured: Captured = BARE) -> Decoded | None:
        """Counts what one line does against the rules; gives its object, None where it is none.

        `text` is the line as the service wrote it, without its newline, `number` its place in the stream, from 1.
        """
        self._text, self._number, self._captured, self._value, self._bad = text, number, captured, None, False
        tally = self.tally
        size = len(text) + 1
        tally.lines += 1
        tally.bytes += size
        if size > LINE:
            self._too_long(size)
        if size <= LONGEST:
            try:
                value = _decode(text)
                if value.__class__ is dict:
                    self._value = value
                    self._object(value, text)
                    self._forms(value, size, captured)
                else:
                    self._found(*strict.not_an_object(value))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._found(*strict.fault(text, error))
        if not self._bad:
            tally.conforming += 1
        return self._value

    def _too_long(self, size: int) -> None:
        words = f"{size:,} bytes" if size <= LONGEST else "more than a mebibyte"
        self._found("logs/size", f"longer than {LINE:,} bytes", f"cut it, or log less at once; this one has {words}")

    def _object(self, value: Decoded, text: bytes) -> None:
        texts: list[str] = []
        self._texts, self._explained = texts, False
        self._open.clear()
        keys = self._walk(self._top, value)
        # Every key has '":' behind it, and few texts do. Blanks before the colon would hide one: who writes them is found out by the
        # first line of a shape, and from then on every line is read twice.
        if (text.count(b'":') != keys or self._spaced) and (twice := strict.duplicate(text)):
            self._found(*twice)
        if self._open:
            self._not_redacted()
        if self._possible("\n".join(texts)) and any(self._credentials.text(one) != one for one in texts):
            self._secret(value)

    def _walk(self, node: Node, value: Decoded) -> int:
        """Goes through an object and those below it; gives how many keys they have."""
        plan = node.plans.get((*value, *map(type, value.values())))
        if plan is None:
            self._spaced = self._spaced or b" :" in self._text or b"\t:" in self._text
            plan = node.plan(value, f"{self.source}:{self._number}")
        keys, texts, objects, rest, explains, plain = plan
        if plain:
            node.last, node.last_keys, node.last_texts = value, keys, texts(value) if texts else ()
            self._texts += node.last_texts
        elif texts is not None:
            self._texts += texts(value)
        for key, below in objects:
            item = value[key]
            if item == below.last:
                keys += below.last_keys
                self._texts += below.last_texts
            else:
                keys += self._walk(below, item)
        if rest is not None:
            for finding in rest.findings:
                self._found(*finding)
            for key, below in rest.lists:
                keys += self._list(below, value[key])
            for key in rest.secret:
                if self._credentials.open(value[key]):
                    self._open.append(".".join((*node.path, key)))
        if explains:
            self._explained = True
        return keys

    def _list(self, node: Node, items: list[Any]) -> int:
        keys = 0
        for item in items:
            kind = type(item)
            if kind is dict:
                keys += self._walk(node, item)
            elif kind is str:
                self._texts.append(item)
            elif kind is list:
                keys += self._list(node, item)
        return keys

    def _forms(self, value: Decoded, size: int, captured: Captured) -> None:
        """Fields whose form is more than a type; one of another type was told by its shape."""
        get = (value | self._dug(value) if self._deep else value).get
        level, service, trace, timestamp = get(self._level), get(self._service), get(self._trace), get(self._at)
        if level.__class__ is str and level not in self._quiet:
            self._level_of(level)
        if service.__class__ is not str:
            service = ""
        elif service not in self._services or (captured is not BARE and captured.service not in (None, service)):
            self._foreign(service)
        if trace.__class__ is str:
            if trace == ZEROS:
                self._found("logs/no-trace", *_NO_TRACE, self._trace)
            elif not _TRACE(trace):
                fact = "a trace id that is not 32 lowercase hexadecimal digits"
                self._found("logs/trace", fact, f"write it as W3C has it, not {self._short(trace)}", self._trace)
        if timestamp.__class__ is str:
            part = _MILLISECONDS.get(timestamp[20:])
            if part is None or timestamp[:20] != self._second:
                part = self._another_second(timestamp)
            if part is not None:
                at = self._base + part
                then = None if captured is BARE else captured.at
                if at - (self.now if then is None else then) > SKEW or (then is not None and then - at > SKEW):
                    self._skewed(at, then)
                span = self._today.get(service) or self._span(service, at)
                span.bytes += size
                if at > span.last:
                    span.last = at
                elif at < span.first:
                    span.first = at

    def _dug(self, value: Decoded) -> Decoded:
        """What stands deeper than at the top, by its path."""
        found = {}
        for path in self._deep:
            here: Any = value
            for step in path:
                here = here.get(step) if isinstance(here, dict) else None
            found[_DEEP.join(path)] = here
        return found

    def _another_second(self, text: str) -> float | None:
        """Makes the second of a timestamp the current one, and gives its fraction; None where it isn't of the standard's form."""
        part = _MILLISECONDS.get(text[20:])
        if part is not None and _TIMESTAMP(text):
            try:
                self._base = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()
            except ValueError:  # a thirteenth month
                part = None
            else:
                self._second = text[:20]
                self._today = self.days.setdefault(text[:10], {}) if len(self.days) < _MOST_DAYS else {}
                return part
        fact = "a timestamp that is not of the form 2025-10-15T23:21:00.000Z"
        self._found("logs/timestamp", fact, f"write UTC with three fraction digits, not {self._short(text)}", self._at)
        return None

    def _span(self, service: str, at: float) -> Span:
        if len(self._today) >= _MOST_SERVICES:
            service = ""
        return self._today.setdefault(service, Span(at))

    def _skewed(self, at: float, captured: float | None) -> None:
        seconds = at - (self.now if captured is None else captured)
        how = f"{'before' if seconds < 0 else 'after'} that of its capture"
        if captured is None:
            how = "ahead of this machine's clock"
        remedy = f"here by {lasting(abs(seconds))}: write UTC, from a clock that is set"
        self._found("logs/skew", f"its own time is more than {SKEW:g} s {how}", remedy, self._at)

    def _level_of(self, level: str) -> None:
        if level not in self._levels:
            from ..document import did_you_mean  # which takes longer than a thousand lines

            guess = did_you_mean(level.upper(), self._levels) or level.upper()
            known = guess if guess in self._levels else f"one of {', '.join(self.standard.contract.logging.levels)}"
            self._found("logs/level", f"no declared level is {self._short(level)}", f"write {known}", self._level)
        if level in FAILED and not self._explained and self._explainable:
            remedy = "add error, error_type, error_code or stack_trace"
            self._found("logs/error-fields", f"{level} without any error field", remedy, self._level)

    def _foreign(self, service: str) -> None:
        known = self._captured.service or ", ".join(sorted(self._services))
        fact = f"{self._short(service)} is not the service that writes here"
        self._found("logs/service", fact, f"write {known}" if known else "declare it under services", self._service)

    def _not_redacted(self) -> None:
        names = ", ".join(map(repr, self._open))
        key = self._open[0].rpartition(".")[2]
        self._found("logs/redact", f"{names} is not redacted", f"write {MARK}", key)

    def _secret(self, value: Decoded) -> None:
        found = [".".join(path) for path in self._credentials.found(value)]
        if found:
            names = ", ".join(map(repr, dict.fromkeys(found)))
            remedy = "redact it where it is logged, and replace the credential"
            self._found(
                "logs/secret", f"{names} holds what looks like a credential", remedy, found[0].rpartition(".")[2]
            )

    def _found(self, rule: str, fact: str, remedy: str, at: int | str = 0) -> None:
        """`at` is the byte of the line that a finding is about, or the key."""
        if rule in _AGAINST:
            self._bad = True
        if self.tally.known(rule, fact):
            return
        begins = self._captured.begins
        byte = at if isinstance(at, int) else max(self._text.find(f'"{at.rpartition(_DEEP)[2]}"'.encode()), 0)
        column = 1 if begins is None else begins + byte + 1
        self.tally.keep(
            Example(Finding(rule, fact, remedy, at), Place(self.source, self._number), column, self._excerpt())
        )

    def _excerpt(self) -> str:
        """The line, without its secrets: this goes where logs of builds go."""
        if self._value is None:
            text = self._credentials.text(self._text[: 2 * _EXCERPT].decode("utf-8", "replace"))
        else:
            text = msgspec.json.encode(self._credentials.masked(self._value)).decode()
        text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[: _EXCERPT + 1])
        return f"    {text}" if len(text) <= _EXCERPT else f"    {text[:_EXCERPT]}…"

    def _short(self, value: str) -> str:
        return repr(self._credentials.text(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"))


_NO_TRACE = ("no trace", "open one for each unit of work: a request, a message, a job")
