"""Where servers answer, as the others are told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from obsgen import addresses
from obsgen.model import Declaration
from obsgen.road import load


@pytest.fixture
def declaration(fleet: Path) -> Declaration:
    return load(fleet / "observability.yaml", "one").declaration


@pytest.mark.parametrize("mode", ["single-binary", "monolithic-ha"])
def test_where_one_service_answers_for_all_of_loki_it_takes_and_finds_logs(declaration: Declaration, mode: str) -> None:
    loki = msgspec.structs.replace(declaration.loki, mode=mode)
    one = msgspec.structs.replace(declaration, loki=loki)
    assert addresses.loki_push(one) == addresses.loki_query(one) == "http://loki.tiny.svc.cluster.local:3100"


def test_in_microservices_logs_are_pushed_to_one_service_and_asked_of_another(declaration: Declaration) -> None:
    loki = msgspec.structs.replace(declaration.loki, mode="microservices")
    one = msgspec.structs.replace(declaration, loki=loki)
    assert addresses.loki_push(one) == "http://loki-distributor.tiny.svc.cluster.local:3100"
    assert addresses.loki_query(one) == "http://loki-query-frontend.tiny.svc.cluster.local:3100"


def test_a_loki_of_your_own_has_one_address_whatever_its_mode(declaration: Declaration) -> None:
    loki = msgspec.structs.replace(
        declaration.loki, deploy=False, url="https://logs.example.com/", mode="microservices"
    )
    one = msgspec.structs.replace(declaration, loki=loki)
    assert addresses.loki_push(one) == addresses.loki_query(one) == "https://logs.example.com"
