"""One log line: the renderer behind every door.

Keys in this order, those with * always there: timestamp* level* service* trace_id* span_id user_id request_id message*
error error_type error_code stack_trace context* metadata* truncated. A line is at most `LINE` bytes with its newline,
because container runtimes split at 16 KiB. What doesn't fit is cut and `"truncated":true` says so.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from time import time_ns
from typing import Any, TypeVar

from .failure import Failure
from .levels import LEVELS
from .metrics import counts
from .redaction import Redaction
from .trace import NOBODY, ZEROS, Identity, current, get_current
from .trace import request_id_var as request_id
from .trace import span_id_var as span_id
from .trace import trace_id_var as trace_id
from .trace import user_id_var as user_id
from .values import DEPTH, Cut, Values, size

LINE = 15360
MESSAGE, ERROR, NAME = 8192, 2048, 128  # NAME: of ids, codes, types, service, metadata
KEPT = 1024  # messages and identities that are kept as they come out
T = TypeVar("T")
NOTHING: Mapping[str, Any] = {}
NO_FAILURE = Failure()
_CONTEXT = ',"context":'
_TRUNCATED = ',"truncated":true'
_LAST = b'"error":"the log line could not be rendered","context":{},"metadata":{}}\n'


class Entry:
    """Log lines of one service under one contract.

    `metadata` is `instance_id`, `version`, `environment`; each falls back to the environment (HOSTNAME or the host's
    name, SERVICE_VERSION, ENVIRONMENT), then to "unknown".
    """

    def __init__(self, service: str, contract: Mapping[str, Any], metadata: Mapping[str, str | None] = NOTHING) -> None:
        self.counts = counts(service)
        log = contract["logging"]
        declared = log["levels"]
        self._values = Values(Redaction(log["redact"]), _types(log["fields"]))
        self._quick = self._values.quick.context
        self._service = self._values.text(service, NAME, Cut())
        self._levels = {
            level: f'Z","level":"{_declared(level, declared)}","service":{self._service},"trace_id":'
            for level in LEVELS
        }
        self._messages: dict[str, str] = {}
        self._identities: dict[Identity, str] = {}
        pairs = ",".join(
            f'"{key}":{self._values.text(metadata.get(key) or default, NAME, Cut())}'
            for key, default in (
                ("instance_id", os.environ.get("HOSTNAME") or socket.gethostname() or "unknown"),
                ("version", os.environ.get("SERVICE_VERSION") or "unknown"),
                ("environment", os.environ.get("ENVIRONMENT") or "unknown"),
            )
        )
        self._tail = f',"metadata":{{{pairs}}}}}\n'
        self._second = (-1, "")
        # The same as bytes, for the quick way.
        self._begins = {level: text.encode() for level, text in self._levels.items()}
        self._here: dict[tuple[str, ...], bytes] = {}
        self._said: dict[str, bytes] = {}
        self._ends = self._tail.encode()
        self._moment = (0, 0, b"")  # nanoseconds from and to, where a line begins then

    def here(
        self, level: str, message: object, context: object = None, failure: Failure = NO_FAILURE, at: int | None = None
    ) -> bytes:
        """The `line` of the running code, whose identity is `current`."""
        try:
            # The quick way: each part was made before, nothing is left out, so it is no long line. No calls that can be spared.
            if (
                failure is NO_FAILURE
                and (get_current is None or not get_current())
                and (who := self._here.get((trace_id.get(), span_id.get(), user_id.get(), request_id.get())))
                and type(message) is str
                and (said := self._said.get(message))
                and (
                    members := self._quick(context, DEPTH)
                    if type(context) is dict
                    else b"{}"
                    if context is None
                    else None
                )
            ):
                at = time_ns() if at is None else at
                start, end, begun = self._moment
                if not start <= at < end:
                    start = at - at % 1_000_000
                    begun = self._begun(at).encode()
                    self._moment = start, start + 1_000_000, begun
                return b"".join((begun, self._begins[level], who, said, members, self._ends))
        except Exception:  # what can't be a key of a dict
            pass
        identity = current()
        line = self.line(level, message, context, identity, failure, at)
        self._learn(message, identity)
        return line

    def _learn(self, message: object, identity: Identity) -> None:
        """What `_line` kept of the message, and who is `here`, if anybody; for a span of OpenTelemetry's is asked every time."""
        try:
            if type(message) is str and (said := self._messages.get(message)):
                _keep(self._said, message, said.encode())
            key = trace_id.get(), span_id.get(), user_id.get(), request_id.get()
            span = get_current is not None and get_current()
            who = None if span or identity[0] == ZEROS else self._identities.get(identity)
            if who and all(type(one) is str for one in key):
                _keep(self._here, key, who.encode())
        except Exception:  # a tracer that fails itself
            return

    def line(
        self,
        level: str,
        message: object,
        context: object = None,
        identity: Identity = NOBODY,
        failure: Failure = NO_FAILURE,
        at: int | None = None,
    ) -> bytes:
        """The line as UTF-8 with its newline. `at` is nanoseconds since 1970 (now). Raises nothing."""
        at = time_ns() if at is None else at
        if identity[0] == ZEROS:
            self.counts.without_trace += 1
        try:
            return self._line(level, message, context, identity, failure, at)
        except Exception as error:
            self.counts.failures += 1
            try:
                trouble = Failure(f"the log line could not be rendered: {type(error).__name__}")
                return self._line(level, message, None, NOBODY, trouble, at)
            except Exception:
                head = f'{{"timestamp":"1970-01-01T00:00:00.000Z","level":"ERROR","service":{self._service},'
                return f'{head}"trace_id":"{NOBODY.trace_id}","message":"",'.encode() + _LAST

    def _line(
        self, level: str, message: object, context: object, identity: Identity, failure: Failure, at: int
    ) -> bytes:
        cut, text = Cut(), self._values.text
        who, said = self._who(identity, cut), self._message(message, cut)
        head = f"{self._begun(at)}{self._levels[level]}{who}{said[: -len(_CONTEXT)]}"
        stack = ""
        if failure is not NO_FAILURE:
            error, kind, code, stack = failure
            if error:
                head += f',"error":{text(error, ERROR, cut)}'
            if kind:
                head += f',"error_type":{text(kind, NAME, cut)}'
            if code:
                head += f',"error_code":{text(code, NAME, cut)}'
        if not stack:
            members = "{}" if context is None else self._context(context, LINE, cut)
            line = f"{head}{_CONTEXT}{members}{self._tail}".encode()
            if not cut.happened and len(line) <= LINE - len(_TRUNCATED):
                return line
        room = LINE - size(head) - len(',"stack_trace":"","context":') - size(self._tail) - len(_TRUNCATED)
        members = self._context(context, room, cut)
        if stack:
            stack, members = self._share(stack, context, members, room, cut)
            head += f',"stack_trace":{stack}'
        tail = self._tail[:-2] + _TRUNCATED + "}\n" if cut.happened else self._tail
        return f"{head}{_CONTEXT}{members}{tail}".encode()

    def _who(self, identity: Identity, cut: Cut) -> str:
        """Whose line it is, up to where the message begins; kept, because the next line is mostly of the same."""
        if found := self._identities.get(identity):
            return found
        parts, own = [f'"{identity.trace_id}"'], Cut()
        for key, value in zip(Identity._fields[1:], identity[1:], strict=True):
            if value:
                parts.append(f'"{key}":{self._values.text(value, NAME, own)}')
        found = ",".join(parts) + ',"message":'
        if own.happened:
            cut.happened = True
        else:
            _keep(self._identities, identity, found)
        return found

    def _message(self, message: object, cut: Cut) -> str:
        """The message, up to where the context begins. Most are the same few, since what varies belongs into the context."""
        if type(message) is str and (found := self._messages.get(message)):
            return found
        own = Cut()
        found = self._values.text(message, MESSAGE, own) + _CONTEXT
        if own.happened:
            cut.happened = True
        elif type(message) is str and len(message) <= 200:
            _keep(self._messages, message, found)
        return found

    def _context(self, context: object, room: int, cut: Cut) -> str:
        if context is None:
            return "{}"
        if not isinstance(context, Mapping):
            context = {"value": context}
        try:
            return self._values.context(context, room, cut)
        except Exception:  # a mapping whose methods fail
            return f'{{"value":{self._values.text(f"<unencodable {type(context).__name__}>", NAME, cut)}}}'

    def _share(self, stack: str, context: object, members: str, room: int, cut: Cut) -> tuple[str, str]:
        """Stack and context within `room`: where both are large each gets half; of the stack the end is kept."""
        whole = self._values.text(stack, max(room // 2, room - size(members)), cut, tail=True)
        if size(whole) - 2 + size(members) > room:
            members = self._context(context, room - size(whole) + 2, cut)
        return whole, members

    def _begun(self, at: int) -> str:
        """Where a line begins, up to the digits of its timestamp."""
        second, rest = divmod(at // 1_000_000, 1000)
        known, text = self._second  # one tuple, so that threads never see halves of two
        if second != known:
            text = time.strftime('{"timestamp":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
            self._second = second, text
        return f"{text}{rest:03d}"


def _keep(known: dict[Any, T], key: object, text: T) -> None:
    if len(known) >= KEPT:
        known.clear()
    known[key] = text


def _declared(level: str, declared: list[str]) -> str:
    """The level as the contract has it: itself, else the next higher that is declared, else the highest."""
    order = list(LEVELS)
    for name in order[order.index(level) :]:
        if name in declared:
            return name
    return next((name for name in reversed(order) if name in declared), declared[-1] if declared else level)


def _types(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Declared types below `context`, as a tree."""
    tree: dict[str, Any] = {}
    for field in fields.values():
        path = field["path"]
        if len(path) > 1 and path[0] == "context":
            below = tree
            for key in path[1:-1]:
                deeper = below.setdefault(key, {})
                below = deeper if isinstance(deeper, dict) else {}
            below[path[-1]] = field["type"]
    return tree
