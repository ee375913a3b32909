"""Filters and times as the page reads and says them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralink_shared.dlq.admin.page import words
from auralink_shared.dlq.admin.page.asked import Asked
from auralink_shared.dlq.admin.problems import Problem

TIMES = st.none() | st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1e6)
ASKED = st.builds(
    Asked,
    error=st.text(min_size=1, max_size=9).map(str.strip),
    text=st.text(max_size=9).map(str.strip),
    min_attempts=st.integers(0, 9_999_999),
    since=TIMES,
    until=TIMES,
    fingerprint=st.just("") | st.from_regex("[0-9a-f]{12}", fullmatch=True),
    quarantined=st.none() | st.booleans(),
    order=st.sampled_from(["newest", "oldest"]),
    place=st.sampled_from(["queue", "trash"]),
)


@given(ASKED)
def test_a_link_to_a_filter_means_the_same_filter(asked: Asked) -> None:
    again = Asked.read(asked.query)
    assert again == asked
    assert Asked.of(asked.only.as_dict()).only == asked.only
    assert asked.narrow == (not asked.only.empty)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "since 'yesterday' is not a time like"),
        ({"min_attempts": "-1"}, "attempts ≥ '-1' is not a whole number"),
        ({"min_attempts": "1" * 5000}, "is not a whole number"),
        ({"order": "random"}, "newest or oldest"),
        ({"place": "spool"}, "queue or trash"),
        ({"fingerprint": "x"}, "a group's name"),
        ({"quarantined": "maybe"}, "true or false"),
        ({"error": "x" * 501}, "up to 500 characters"),
        ({"cursor": "-1"}, "a page's cursor"),
    ],
)
def test_a_filter_that_is_not_understood_is_refused_since_it_would_mean_more_letters(
    query: dict[str, Any], said: str
) -> None:
    with pytest.raises(Problem, match=said) as found:
        Asked.read(query)
    assert found.value.status == 422


def test_each_condition_is_shown_with_a_link_to_the_list_without_it() -> None:
    asked = Asked(min_attempts=1, until=0.0, quarantined=False, order="oldest")
    assert asked.chips(lambda **query: "&".join(f"{name}={value}" for name, value in query.items())) == [
        ("attempts ≥", "1", "until=1970-01-01T00:00:00.000000Z&quarantined=false&order=oldest"),
        ("until", "1970-01-01 00:00:00", "min_attempts=1&quarantined=false&order=oldest"),
        ("quarantined", "false", "min_attempts=1&until=1970-01-01T00:00:00.000000Z&order=oldest"),
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "less than 1 s"), (1, "1 s"), (59, "59 s"), (60, "1 min"), (3600, "60 min"), (7199, "120 min"), (7200, "2 h"),
        (86400, "24 h"), (172800, "2 d"), (30 * 86400, "30 d"),
    ],
)  # fmt: skip
def test_a_span_is_in_the_unit_that_people_would_take(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_is_too_odd_to_be_a_time(seconds: float) -> None:
    assert words.utc(seconds)[4:5] == "-"
    assert words.rfc3339(seconds).endswith("Z")
    assert words.ago(seconds, 0.0)
