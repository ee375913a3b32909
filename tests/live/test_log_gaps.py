"""Lines where something ends: an agent while Loki is away, a day."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

from .by_hand import scale
from .kept import Kept
from .lines import flush, lines
from .shipping import Agent, Writing
from .stage import Stage
from .test_logs import backdated, with_each_agent, with_promtail


@with_promtail
def test_lines_on_both_sides_of_a_midnight_are_found_through_the_index_of_each_day(stage: Stage, agent: Agent) -> None:
    mark, today = uuid.uuid4().hex, datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = today - timedelta(days=1)  # so old that no query asks the ingester (query_ingesters_within, 3h)
    seconds = range(-50, 50)
    backdated(stage, mark, [(midnight + timedelta(seconds=n), "INFO", f"{mark} {n}") for n in seconds])

    def found(since: int, until: int) -> list[int]:
        at = midnight.timestamp()
        texts = [one.text for one in lines(stage, f'{{app="quiet-for-days"}} |= "{mark}"', at + since, at + until)]
        return sorted(int(json.loads(text)["message"].split()[1]) for text in texts)

    def stored() -> bool:
        flush(stage)
        return found(-60, 60) == list(seconds)

    stage.await_(stored, 60, "the lines are not in the store")
    stage.replace(stage.pods("loki")[0], 120)  # it writes its index
    assert (found(-60, 0), found(0, 60), found(-60, 60)) == (list(seconds[:50]), list(seconds[50:]), list(seconds))
    tables = stage.node.home / "claims/auralink/data-loki-0/chunks/index"
    days = {int(one.name.rpartition("_")[2]) for one in tables.glob("loki_index_*")}
    assert days >= {(day := int(midnight.timestamp()) // 86400) - 1, day}


@with_each_agent
def test_an_agent_that_is_restarted_while_loki_is_away_loses_what_it_has_read_ahead(
    stage: Stage, agent: Agent, kept: Kept
) -> None:
    with Writing(stage) as writing:
        writing.go_on()
        scale(stage, "statefulset/loki", 0)
        stage.await_(lambda: stage.gone("loki"), 60, "Loki does not end")
        first = dict(writing.count)
        # 18 MB more: Promtail holds a batch of 1 MB, Alloy ten and what it sends
        stage.await_(lambda: all(n >= first[app] + 1500 for app, n in writing.count.items()), 60, "nothing is written")
        stage.replace(stage.pods(agent.app)[0])
        scale(stage, "statefulset/loki", 1)
        stage.await_ready("loki", 120)
    fate = writing.fate()
    lost = len(fate.lost) * 6200 / 2**20
    assert lost < {"promtail": 3, "alloy": 13}[agent.app], len(fate.lost)
    how = f"{len(fate.lost)} lines of {fate.written}, 100 a second"
    kept.number(f"lost by {agent.app}, restarted while Loki was away", round(lost, 1), "MiB", how)
