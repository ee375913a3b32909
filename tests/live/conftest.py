"""The cluster that all scenarios of a run share, and which scenarios those are."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from . import beside, exported, images, stands
from . import kept as results
from .kept import Kept
from .scenarios import OF_A_RUN, PARTS, scenario, share
from .shipping import agent as agent
from .shipping import writers as writers
from .stage import Stage, staged

RUN = os.environ.get("OBSGEN_LIVE", "registries")
TAKES = OF_A_RUN[RUN]
SHARE = os.environ.get("OBSGEN_LIVE_SHARE", "all")
SERVICES = results.HERE / "services.yaml"
TOKEN = "operator-of-the-live-run"
VALUES = {
    "slack-webhook": "https://hooks.slack.com/services/T0/B0/platform",
    "slack-webhook-ai": "https://hooks.slack.com/services/T0/B0/ai",
    "watchdog-url": "https://watchdog.example.com/ping",
    "dlq-tokens": f"{hashlib.sha256(TOKEN.encode()).hexdigest()} operator nina\n",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="keep what the scenarios tell, in tests/live/kept")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "boots(*apps, profile='live'): the apps that a scenario stands on")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Parts in folders of their own are of other runs."""
    return True if collection_path.name in PARTS and collection_path.name not in TAKES else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(results.HERE):
            continue
        one = scenario(item)
        if one.part not in TAKES:
            item.add_marker(pytest.mark.skip(reason=f"boots {', '.join(one.apps)}: OBSGEN_LIVE={one.part}"))
        elif config.getoption("--record"):  # now: somebody may write while it runs
            item.stash[_HASHES] = stands.hashes(one)
    others = [item for item in items if SHARE not in ("all", share(item.path))]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture
def kept() -> Kept:
    """What the scenario tells of itself; `--record` keeps it."""
    return Kept()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.failed or report.skipped:
        item.stash[_ENDED] = report.outcome
    if report.failed:
        report.sections += said(getattr(item, "funcargs", {}))
    if call.when == "teardown" and item.config.getoption("--record"):
        _record(item, item.stash.get(_ENDED, "passed"))
    return report


def said(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the servers of a failed scenario have said last, by its fixture; their files go with the run."""
    return [(f"what the {name} said last", given[name].said()) for name in ("stage", "machine") if name in given]


_ENDED: pytest.StashKey[str] = pytest.StashKey()
_HASHES: pytest.StashKey[dict[str, str]] = pytest.StashKey()


def _record(item: pytest.Item, outcome: str) -> None:
    if outcome == "skipped":
        return
    one = scenario(item)
    told: Any = getattr(item, "funcargs", {}).get("kept") or Kept()
    file = results.path(one)
    options = item.config.option
    whole = not (options.keyword or options.markexpr or options.deselect) and (
        item.config.args_source == pytest.Config.ArgsSource.TESTPATHS
    )
    with beside.alone(file.parent):
        before, passed = results.read(file), outcome == "passed"
        entry = results.result(one, item.stash[_HASHES], told.told(), before, passed=passed, run=RUN, whole=whole)
        results.write(file, entry)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The tree of profile `live`, rendered and applied; without OBSGEN_LIVE=all what no registry carries stays out."""
    tree = tmp_path_factory.mktemp("rendered") / "live"
    stands.render("live", tree)
    without = () if "all" in TAKES else images.UNREGISTERED
    with staged(tree, VALUES, without=without) as made:
        made.plane.kubectl("apply", "--server-side", "-f", str(SERVICES))
        for app in (
            "alertmanager",
            "prometheus",
            "dlq-redis",
            "redis-exporter",
            "dlq-api",
            "dashboard-service",
            "ai-core-service",
        ):
            made.await_ready(app)
        yield made


@pytest.fixture
def exports(stage: Stage, pytestconfig: pytest.Config) -> Callable[..., set[str]]:
    """Apps whose metrics must be those of upstream/, now: exported.known. `--record` writes there what this run sees."""
    return functools.partial(exported.known, stage, pytestconfig.getoption("--record"))


@pytest.fixture
def logged(stage: Stage) -> Stage:
    """The same, once Loki and the agent are ready."""
    for app in ("loki", "promtail"):
        stage.await_ready(app, 180)
    return stage
