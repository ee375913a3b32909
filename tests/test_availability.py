"""Budgets come out as they are read, and a pair of windows is used only where it can tell something."""

from __future__ import annotations

from typing import Any

import pytest

from obsgen.availability import budgets, counted, pairs, typical
from obsgen.model import Declaration, Metrics, Requests, Routing, Service, ServiceObjective

COUNTS = Requests(total="requests_total", errors='code=~"5.."')


def service(requests: Requests | None = COUNTS, **promise: Any) -> Service:
    objectives = {"availability": ServiceObjective(**promise)} if promise else {}
    return Service(team="a", metrics=Metrics(port=80, requests=requests), objectives=objectives)


def declaration(**services: Service) -> Declaration:
    return Declaration(
        api_version="obsgen/v1",
        kind="Observability",
        name="n",
        namespace="n",
        cluster="c",
        services=services,
        teams={},
        severities={},
        routing=Routing(unrouted=()),
    )


@pytest.mark.parametrize(
    ("ratio", "budget"), [(0.999, "0.001"), (0.9995, "0.0005"), (0.99, "0.01"), (0.9, "0.1"), (0.999999, "0.000001")]
)
def test_a_budget_is_the_exact_decimal(ratio: float, budget: str) -> None:
    assert [row["budget"] for row in budgets(declaration(web=service(ratio=ratio)))] == [budget]


def test_equal_promises_stand_together() -> None:
    d = declaration(c=service(ratio=0.99), a=service(ratio=0.99), b=service(ratio=0.99, min_events=5))
    assert budgets(d) == [
        {"budget": "0.01", "min_events": 0, "apps": ["a", "c"]},
        {"budget": "0.01", "min_events": 5, "apps": ["b"]},
    ]


def test_a_promise_is_measured_only_where_the_service_says_which_requests_fail() -> None:
    d = declaration(
        promised=service(ratio=0.99), blind=service(Requests(total="requests_total"), ratio=0.99), free=service()
    )
    assert [row["apps"] for row in counted(d)] == [["promised"]]
    assert [row["apps"] for row in budgets(d)] == [["promised"]]


@pytest.mark.parametrize(
    ("promise", "used"),
    [
        ({"ratio": 0.999}, ["fast", "steady", "slow"]),
        ({"ratio": 0.999, "window": "7d"}, ["fast", "steady"]),  # 10 % in 3 of 7 days is slower than the budget allows
        ({"ratio": 0.9}, ["steady", "slow"]),  # 2 % in an hour would take more failures than there are requests
        ({"ratio": 0.5}, ["slow"]),
        ({"ratio": 0.999, "window": "1d"}, []),
    ],
)
def test_a_pair_of_windows_is_used_where_it_is_faster_than_allowed_and_can_be_reached(
    promise: dict[str, Any], used: list[str]
) -> None:
    assert [pair for pair, windows in pairs(declaration(web=service(**promise))).items() if windows] == used


def test_the_example_of_a_pair_is_of_a_service_that_it_is_asked_of() -> None:
    """Of two services that count alike only one promises enough for a page within the hour."""
    d = declaration(a=service(ratio=0.9), b=service(ratio=0.999))
    assert {pair: [one["app"] for one in found] for pair, found in typical(d).items()} == {
        "fast": ["b"],
        "steady": ["a"],
        "slow": ["a"],
    }
