"""What PromQL and LogQL share: an error that knows its place, and the labels that a result may carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class QueryError(Exception):
    """A query that its server would refuse, in plain words.

    `offset` counts characters of the query from 0, `length` spans the offending token (0: the end of the query).
    `offset` is None where the place is unknown.
    """

    def __init__(self, message: str, offset: int | None = None, length: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = length


@dataclass(frozen=True, slots=True)
class Labels:
    """Label names that a result series may carry.

    `known` are allowed for certain. `open`: besides them, everything that the selected series carry, except `dropped`.
    """

    known: frozenset[str] = frozenset()
    open: bool = False
    dropped: frozenset[str] = frozenset()


NONE = Labels()
ANY = Labels(open=True)


def allows(labels: Labels, name: str) -> bool:
    """May a result series carry this label? Certain when it says no."""
    return name in labels.known or (labels.open and name not in labels.dropped)


def only(labels: Labels, names: Iterable[str]) -> Labels:
    """The labels after `by (names)`: no others, and none that was gone before."""
    return Labels(known=frozenset(name for name in names if allows(labels, name)))


def without(labels: Labels, names: Iterable[str]) -> Labels:
    """The labels less these."""
    gone = frozenset(names)
    return Labels(labels.known - gone, labels.open, labels.dropped | gone if labels.open else frozenset())


def plus(labels: Labels, names: Iterable[str]) -> Labels:
    """The labels and these."""
    added = frozenset(names)
    return Labels(labels.known | added, labels.open, labels.dropped - added)


def either(left: Labels, right: Labels) -> Labels:
    """What a series of one or the other side may carry (`or`)."""
    known = left.known | right.known
    sides = [side.dropped for side in (left, right) if side.open]
    return Labels(known, bool(sides), frozenset.intersection(*sides) - known if sides else frozenset())


def both(left: Labels, right: Labels) -> Labels:
    """What two series with equal labels may carry (a one-to-one match)."""
    if not right.open:
        return only(left, right.known)
    if not left.open:
        return only(right, left.known)
    return Labels(left.known | right.known, True, left.dropped | right.dropped)


@dataclass(frozen=True, slots=True)
class Matching:
    """How a binary operation pairs its sides; `on` None means `ignoring (ignored)`, `many` the side that may repeat."""

    on: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    many: str = ""
    extra: frozenset[str] = frozenset()


def matched(left: Labels, right: Labels, matching: Matching) -> Labels:
    """Labels of `left OPERATOR right` between two vectors, by Prometheus' and Loki's resultMetric.

    One to one: the `on` labels, or all but the ignored ones. Grouped: those of the many side, the extras from the one.
    """
    if matching.many:
        many, one = (left, right) if matching.many == "left" else (right, left)
        return plus(without(many, matching.extra), only(one, matching.extra).known)
    if matching.on is not None:
        return only(only(left, matching.on), only(right, matching.on).known)
    return both(without(left, matching.ignored), without(right, matching.ignored))
