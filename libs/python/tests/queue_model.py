"""The queue as plain Python: each operation as the states that Redis may be found in when its client dies in it."""

from __future__ import annotations

import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass, field

from auralink_shared.dlq import Conflict, DeadLetterError, Quarantined, Unknown

RETENTION, TRASH, CAP = 30 * 86400, 7 * 86400, 2  # so few replays that a machine gets there


@dataclass
class Sent:
    """A retry on its way to another slot."""

    payload: bytes
    edited: bool
    pushed: bool = False


@dataclass
class Kept:
    payload: bytes
    created: float
    replays: int = 0
    sent: Sent | None = None
    removed: float = 0.0

    @property
    def quarantined(self) -> bool:
        return self.replays >= CAP


@dataclass
class State:
    live: dict[str, Kept] = field(default_factory=dict)
    trash: dict[str, Kept] = field(default_factory=dict)
    queue: list[bytes] = field(default_factory=list)
    known: dict[bytes, tuple[str, int]] = field(default_factory=dict)  # payload to id and replays

    def shown(self) -> tuple[object, ...]:
        """What can be seen from outside."""
        live = {id: (one.payload, one.replays, one.quarantined, bool(one.sent)) for id, one in self.live.items()}
        return live, {id: one.payload for id, one in self.trash.items()}, self.queue


@dataclass
class Plan:
    """States one after the other, the first being what was; or what is raised, and nothing happens."""

    states: list[State]
    error: type[DeadLetterError] | None = None

    @property
    def last(self) -> State:
        return self.states[-1]

    def then(self, more: Plan) -> Plan:
        return Plan(self.states + more.states[1:], more.error)


def nothing(state: State, error: type[DeadLetterError] | None = None) -> Plan:
    return Plan([state], error)


def changed(state: State) -> tuple[Plan, State]:
    """A plan of one step, and the state to be changed for it."""
    new = deepcopy(state)
    return Plan([state, new]), new


def add(state: State, id: str, one: Kept) -> Plan:
    if id in state.live or id in state.trash:
        return nothing(state, Conflict)
    plan, new = changed(state)
    new.live[id] = one
    return plan


def retry(
    state: State, id: str, now: float, *, elsewhere: bool, edited: bytes | None = None, force: bool = False
) -> Plan:
    """`elsewhere`: the queue is in another slot, so that a client may die between three steps."""
    if id not in state.live:
        return nothing(state, Unknown)
    one = state.live[id]
    sent = one.sent or Sent(edited or one.payload, edited is not None)
    if edited is not None and one.sent and edited != one.sent.payload:
        return nothing(state, Conflict)
    if one.quarantined and not force:
        return nothing(state, Quarantined)
    taken = deepcopy(state)
    taken.live[id].sent = deepcopy(sent)
    pushed = deepcopy(taken)
    if not sent.pushed:
        pushed.queue.append(sent.payload)
        pushed.live[id].sent.pushed = True  # type: ignore[union-attr]
    digest = hashlib.sha1(sent.payload).hexdigest()[:8]
    known_as = re.sub("~[0-9a-f]{8}$", "", id) + f"~{digest}" if sent.edited else id
    if not sent.pushed:
        pushed.known[sent.payload] = (known_as, one.replays + 1)
    settled = deepcopy(pushed)
    gone = settled.live.pop(id)
    if sent.edited:
        gone.sent, gone.removed = None, now
        settled.trash[id] = gone
    return Plan([state, taken, pushed, settled] if elsewhere else [state, settled])


def remove(state: State, id: str, now: float) -> Plan:
    if id not in state.live:
        return nothing(state, Unknown)
    if state.live[id].sent:
        return nothing(state, Conflict)
    plan, new = changed(state)
    new.trash[id] = new.live.pop(id)
    new.trash[id].removed = now
    return plan


def restore(state: State, id: str) -> Plan:
    if id not in state.trash:
        return nothing(state, Unknown)
    plan, new = changed(state)
    new.live[id] = new.trash.pop(id)
    return plan


def purge(state: State, id: str) -> Plan:
    if id not in state.trash:
        return nothing(state, Unknown)
    plan, new = changed(state)
    del new.trash[id]
    return plan


def sweep(state: State, now: float) -> Plan:
    plan = nothing(state)
    for id, one in state.live.items():
        if one.sent:
            plan = plan.then(retry(plan.last, id, now, elsewhere=True, force=True))
    return plan


def cleanup(state: State, now: float) -> Plan:
    plan = sweep(state, now)
    for place, too_old in (
        ("live", lambda one: one.created < now - RETENTION),
        ("trash", lambda one: one.removed < now - TRASH),
    ):
        step, new = changed(plan.last)
        kept = {id: one for id, one in getattr(new, place).items() if not too_old(one)}
        setattr(new, place, kept)
        plan = plan.then(step)
    return plan


def bulk_retry(state: State, order: list[str], now: float, *, elsewhere: bool) -> Plan:
    plan = sweep(state, now)
    for id in order:
        if id in plan.last.live:
            step = retry(plan.last, id, now, elsewhere=elsewhere)
            plan = plan.then(step) if not step.error else plan
    return plan
