"""An exception as the fields of a line."""

from __future__ import annotations

import errno
import traceback
from typing import NamedTuple

from .values import to_text


class Failure(NamedTuple):
    """`error` is never empty for an exception; `error_code` and `stack_trace` are "" where there is none."""

    error: str = ""
    error_type: str = ""
    error_code: str = ""
    stack_trace: str = ""


def failure(error: object) -> Failure:
    """The fields of an exception, with its causes in the stack; anything else that was given as an error is its text. Raises nothing."""
    if not isinstance(error, BaseException):
        return Failure(to_text(error))
    kind = type(error).__name__
    try:
        stack = "".join(traceback.format_exception(error)).rstrip("\n")
    except Exception:  # a broken __cause__, a traceback without source
        stack = ""
    return Failure(to_text(error) or kind, kind, _code(error), stack)


def _code(error: BaseException) -> str:
    """`error_code` of the exception itself, else a `code` that is a word, else the name of an OSError's number."""
    try:
        for name in ("error_code", "code"):
            found = getattr(error, name, None)
            if isinstance(found, str) or (name == "error_code" and isinstance(found, int)):
                return to_text(found)
        if isinstance(error, OSError) and error.errno:
            return errno.errorcode.get(error.errno, str(error.errno))
    except Exception:
        return ""
    return ""
