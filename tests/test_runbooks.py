"""The pages of the alerts: complete, true to the routes, and without a secret."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from conftest import FLEETS
from obsgen import logql, matching, promql, runbooks
from obsgen.checks import check
from obsgen.judging.texts import configs as mounted
from obsgen.packs import CONTEXT
from obsgen.road import Declared, load, texts
from obsgen.rules import alerts, owners
from obsgen.secrets import references

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT, *sorted(path.parent for path in FLEETS.glob("*/observability.yaml"))]
TREES = [(folder, path.stem) for folder in FOLDERS for path in sorted((folder / "profiles").glob("*.yaml"))]

Tree = tuple[Declared, dict[str, str]]


@pytest.fixture(scope="module", params=TREES, ids=[f"{folder.name}-{profile}" for folder, profile in TREES])
def tree(request: pytest.FixtureRequest) -> Tree:
    folder, profile = request.param
    declared = load(folder / "observability.yaml", profile)
    return declared, texts(declared)


def pages(tree: Tree) -> dict[str, str]:
    """Every page by its alertname; the index by README."""
    return {
        path.removeprefix("runbooks/").removesuffix(".md"): text
        for path, text in tree[1].items()
        if path.startswith("runbooks/")
    }


def rendered_rules(tree: Tree) -> list[tuple[str, dict[str, str], str]]:
    """(alertname, labels, expression) of every alert in the rendered rule files, both engines; not of those that are taken over."""
    found = []
    taken = {f"{file.stem}.yaml" for file in tree[0].plan.rule_files()}
    for path, text in tree[1].items():
        if "/rules/" in path and not path.endswith("_test.yaml") and path.rpartition("/")[2] not in taken:
            for group in yaml.safe_load(text)["groups"]:
                found += [(r["alert"], r["labels"], r["expr"]) for r in group["rules"] if "alert" in r]
    return found


def fences(text: str, language: str) -> list[str]:
    return [body for _, body in re.findall(rf"^(`{{3,}}){language}\n(.*?)\n\1$", text, re.DOTALL | re.MULTILINE)]


def prose(text: str) -> str:
    return re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def test_every_alert_has_a_page_and_every_page_an_alert(tree: Tree) -> None:
    assert set(pages(tree)) - {"README"} == {name for name, _, _ in rendered_rules(tree)}


def test_the_index_links_to_every_page_and_to_no_other(tree: Tree) -> None:
    found = set(re.findall(r"\]\((\w+)\.md\)", pages(tree)["README"]))
    assert found == set(pages(tree)) - {"README"}


def test_a_page_shows_the_expression_of_each_level_as_it_is_rendered(tree: Tree) -> None:
    for name, _, expr in rendered_rules(tree):
        shown = fences(pages(tree)[name], "promql") + fences(pages(tree)[name], "logql")
        assert expr.strip() in shown, name


def test_who_is_told_is_what_the_rendered_routes_say(tree: Tree) -> None:
    declared, made = tree
    (config,) = mounted(made, "alertmanager.yaml")
    route = yaml.safe_load(config.text)["route"]
    asked = 0
    for page in runbooks.pages(declared.plan):
        for book in page.books:
            for step in book.steps:
                for told in step.told:
                    labels = {"alertname": page.name, "severity": step.severity, "team": told.team}
                    labels |= {"cluster": declared.declaration.cluster, "namespace": declared.declaration.namespace}
                    assert [told.receiver] == matching.receivers(route, labels), labels
                    asked += 1
    assert asked or not rendered_rules(tree)


def test_the_places_named_are_those_of_the_rendered_receivers(tree: Tree) -> None:
    declared, made = tree
    (config,) = mounted(made, "alertmanager.yaml")
    rendered = {one["name"]: one for one in yaml.safe_load(config.text)["receivers"]}
    kinds = {"teams": "msteamsv2_configs"}
    for page in runbooks.pages(declared.plan):
        for told in (told for book in page.books for step in book.steps for told in step.told):
            receiver = rendered[told.receiver]
            assert sum(len(found) for key, found in receiver.items() if key != "name") == len(told.places)
            for place in told.places:
                configs = receiver[kinds.get(place.type, f"{place.type}_configs")]
                public = {one.get("channel") or one.get("to") or one.get("url") for one in configs}
                assert place.address in public, (page.name, place)


def test_every_team_that_can_own_an_alert_is_on_its_page(tree: Tree) -> None:
    d = tree[0].declaration
    for key, alert in alerts(d, tree[0].packs):
        (page,) = [page for page in runbooks.pages(tree[0].plan) if page.name == (alert.name or key)]
        (book,) = [book for book in page.books if book.key == key]
        told = {one.team for step in book.steps for one in step.told}
        if alert.team_of:
            assert told == {d.default_team, *(team for _, team in owners(d, alert.team_of).values())}
        else:
            assert told == {d.services[alert.service].team if alert.service else alert.team or d.default_team}


def test_every_query_on_a_page_and_in_its_links_parses(tree: Tree) -> None:
    for name, text in pages(tree).items():
        linked = [parse_qs(urlsplit(url).query) for url in re.findall(r"\]\((https?://[^)]+)\)", text)]
        asked = [*fences(text, "promql"), *(expr for query in linked for expr in query.get("g0.expr", []))]
        for expr in asked:
            promql.parse(expr)
        for query in fences(text, "logql"):
            logql.parse(query)
        assert asked or fences(text, "logql") or name == "README"


def test_no_page_names_a_secret(tree: Tree) -> None:
    d = tree[0].declaration
    names = {name for team in d.teams.values() for channel in team.channels.values() for name in references(channel)}
    keys = {f"{source.secret}/{source.key}" for source in d.secrets.values()} | {s.secret for s in d.secrets.values()}
    keys -= {"dlq-redis"}  # an app, too
    for name, text in pages(tree).items():
        told = text[text.find("\n## Who is told") :]
        assert "/etc/alertmanager/secrets" not in text, name
        assert [word for word in names | keys if "-" in word and word in text] == [], name
        assert [word for word in names if re.search(rf"`{re.escape(word)}`", told)] == [], name


def test_a_page_has_no_empty_heading_and_no_word_of_the_program(tree: Tree) -> None:
    for name, text in pages(tree).items():
        lines = [line for line in prose(text).splitlines() if line]
        written = r"^## (Meaning|Impact|Diagnosis|Mitigation)\n.*?(?=^## )"  # whose words may be "None: …"
        assert "None" not in re.sub(written, "", prose(text), flags=re.DOTALL | re.MULTILINE), name
        assert "Undefined" not in text and "<obsgen" not in text, name
        for line, following in zip(lines, [*lines[1:], "#"], strict=True):
            level = len(line) - len(line.lstrip("#"))
            if level and line[level] == " ":
                deeper = len(following) - len(following.lstrip("#"))
                fenced = re.search(rf"^{re.escape(line)}\n+`", text, re.MULTILINE)
                assert line[level:].strip() and (not deeper or deeper > level or fenced), f"{name}: {line}"


def test_a_page_says_how_to_silence_its_alert_and_what_to_type(tree: Tree) -> None:
    d = tree[0].declaration
    places = (d.namespace, d.monitoring_namespace, "agent")
    for name in set(pages(tree)) - {"README"}:
        commands = "\n".join(fences(pages(tree)[name], "sh"))
        assert f"amtool silence add alertname={name} -d 2h" in commands
        assert "--alertmanager.url=http" in commands
        program = "docker " if d.output == "compose" else "kubectl -n "
        assert program in commands
        assert d.output == "compose" or any(place in commands for place in places)


def test_no_shipped_alert_has_a_page_with_a_part_missing(tree: Tree) -> None:
    assert [problem for problem in check(tree[0]) if problem.rule in ("runbook/incomplete", "alert/runbook")] == []
    assert [name for name, text in pages(tree).items() if "Missing: nobody has written" in text] == []


def test_every_pack_is_switched_on_in_a_tree_whose_pages_are_read() -> None:
    on = {name for folder, profile in TREES for name in load(folder / "observability.yaml", profile).packs}
    assert on == set(CONTEXT)


def edited(folder: Path, *changes: tuple[str, str]) -> Tree:
    """The fleet everything with changes."""
    text = (FLEETS / "everything" / "observability.yaml").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    shutil.copytree(FLEETS / "everything" / "rules", folder / "rules")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "one.yaml").write_text("{}\n", encoding="utf-8")
    (folder / "observability.yaml").write_text(text, encoding="utf-8")
    declared = load(folder / "observability.yaml", "one")
    return declared, texts(declared)


def test_a_part_that_nobody_wrote_says_so_and_is_counted(tmp_path: Path) -> None:
    tree = edited(tmp_path, (", impact: Unknown.,", ","))
    assert (
        "## Impact\n\nMissing: nobody has written this yet. Add `runbook.impact` to the alert `MobileQuiet`.\n"
        in (pages(tree)["MobileQuiet"])
    )
    (problem,) = [problem for problem in check(tree[0]) if problem.rule == "runbook/incomplete"]
    assert "MobileQuiet lacks impact" in problem.fact


def test_the_page_of_the_heartbeat_warns_of_silencing_it_and_names_its_path(tmp_path: Path) -> None:
    tree = edited(tmp_path)
    text = pages(tree)["Watchdog"]
    assert "While the heartbeat is silenced, the switch outside calls" in text
    assert "then each of: alertmanager, prometheus" in text
    assert "heartbeat is silenced" not in pages(tree)["MobileQuiet"]


def test_two_alerts_of_one_name_share_a_page(tmp_path: Path) -> None:
    tree = edited(tmp_path, ("  JobsWaiting:\n", "  JobsWaiting:\n    name: MobileQuiet\n"))
    text = pages(tree)["MobileQuiet"]
    assert "JobsWaiting" not in pages(tree)
    assert re.findall(r"^# (.+)$", text, re.MULTILINE) == [r"MobileQuiet (MobileQuiet)", r"MobileQuiet (JobsWaiting)"]
    assert "team `mobile`" in text and "team `core`" in text


def test_without_addresses_there_are_no_links(tmp_path: Path) -> None:
    urls = re.search(r"^urls:\n(?:  .*\n)+", (FLEETS / "everything/observability.yaml").read_text(), re.MULTILINE)
    assert urls
    tree = edited(tmp_path, (urls[0], ""))
    text = pages(tree)["FrontEndErrors"]
    assert "](http" not in text
    assert "--alertmanager.url=http://alertmanager.every-thing.svc:9093" in text


def test_a_patched_alertmanager_is_said_where_the_routes_are_told(tmp_path: Path) -> None:
    raw = "alertmanager: {replicas: 3, raw: {reason: try, patch: {route: {group_wait: 1m}}}}"
    tree = edited(tmp_path, ("alertmanager: {replicas: 3}", raw))
    assert "`alertmanager.raw` patches the routes" in pages(tree)["MobileQuiet"]


def test_the_levels_of_an_alert_say_which_silences_which(tmp_path: Path) -> None:
    tree = edited(tmp_path)
    text = pages(tree)["FrontEndErrors"]
    assert "A firing `critical` of this alert inhibits its warning and info" in text
    assert "`info` is not sent while its critical or warning fires" in text
    assert "Nothing inhibits `warning`" in pages(tree)["MobileQuiet"]


def test_who_comes_next_is_the_graver_severity_and_then_the_default_team(tmp_path: Path) -> None:
    tree = edited(tmp_path)
    (page,) = [page for page in runbooks.pages(tree[0].plan) if page.name == "FrontEndErrors"]
    critical, warning, info = [step.told[0] for step in page.books[0].steps]
    assert (info.beyond, warning.beyond, critical.beyond) == ("severity warning", "severity critical", "team core")
    assert [place.whose for place in critical.next] == ["page of core", "chat of core", "mail of core"]


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ({"max": 100}, "at most 100"),
        ({"max": "2s", "ratio": 0.9}, "at most 2s, for 90 % of them"),
        ({"ratio": 0.05}, "at most 5 %"),
        ({"min": "30d"}, "at least 30d"),
        ({"max": "1GB", "per": "service", "window": "1d"}, "at most 1GB, per service, within 1d"),
    ],
)
def test_an_objective_is_told_with_its_number(objective: dict[str, object], words: str) -> None:
    assert runbooks.promise(runbooks.Objective(**objective)) == words  # type: ignore[arg-type]


def test_an_alert_on_redis_leads_to_redis_and_not_to_its_exporter_alone() -> None:
    declared = load(ROOT / "observability.yaml", "prod")
    text = pages((declared, texts(declared)))["RedisAofWriteFailing"]
    assert fences(text, "logql") == ['{namespace="auralink", app=~"dlq-redis|redis-exporter"}']


def test_a_page_asks_loki_for_no_lines_that_the_agent_does_not_read(tree: Tree) -> None:
    d = tree[0].declaration
    for name, text in pages(tree).items():
        for query in fences(text, "logql"):
            for conditions in logql.parse(query).selectors:
                assert [one.value for one in conditions if one.name == "namespace"] in ([], [d.namespace]), name
