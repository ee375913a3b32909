"""What prometheus-operator's own packages, and an API server with its definitions, make of the rendered operator tree, right and wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import judge
from obsgen.checks.operator import READS_AS
from obsgen.judging import kubernetes, operator, prometheus, tools
from obsgen.judging.task import Outcome, Task, ask
from obsgen.plan import Plan
from obsgen.problem import ProblemsError
from obsgen.road import load, texts
from test_relabel import BY_APP, BY_NAME, config, pod, relabelled

ROOT = Path(__file__).parents[1]
FLEET = ROOT / "tests" / "fleets" / "everything"
ACCEPTED = Outcome(True, "")
TARGET_LABELS = {"cluster", "namespace", "app", "pod", "container"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load(FLEET / "observability.yaml", "operator").plan


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return texts(load(FLEET / "observability.yaml", "operator"))


def program(name: str, target: str = "") -> Path:
    return judge(name, target, "nothing was asked of it")


def outcome(task: Task, folder: Path) -> Outcome:
    return task.run(program(task.tool), folder)


def question(files: dict[str, str], plan: Plan, subject: str) -> Task:
    (found,) = [task for task in operator.tasks(files, plan) if task.subject.startswith(subject)]
    return found


@pytest.mark.parametrize(
    "subject", ["monitoring/rules.yaml", "monitoring/monitors.yaml", "monitoring/alertmanager.yaml"]
)
def test_the_operator_takes_what_is_rendered(files: dict[str, str], plan: Plan, subject: str, tmp_path: Path) -> None:
    assert outcome(question(files, plan, subject), tmp_path) == ACCEPTED


def changed(files: dict[str, str], path: str, old: str, new: str) -> dict[str, str]:
    assert old in files[path]
    return {**files, path: files[path].replace(old, new, 1)}


def test_the_operator_refuses_a_rule_that_is_no_promql(files: dict[str, str], plan: Plan, tmp_path: Path) -> None:
    broken = changed(files, "monitoring/rules.yaml", "absent(up{", "absent(up{{")
    said = outcome(question(broken, plan, "monitoring/rules.yaml"), tmp_path)
    assert not said.accepted
    assert "PrometheusRule every-thing/alerting-alertmanager" in said.message
    assert "unexpected" in said.message


def test_the_operator_leaves_out_a_monitor_whose_relabeling_is_invalid(
    files: dict[str, str], plan: Plan, tmp_path: Path
) -> None:
    broken = changed(files, "monitoring/monitors.yaml", 'regex: "^;*alertmanager(;.*)?$"', 'regex: "^;*(alertmanager"')
    said = outcome(question(broken, plan, "monitoring/monitors.yaml"), tmp_path)
    assert not said.accepted
    assert said.message.startswith("PodMonitor monitoring/alertmanager: [0]: invalid regex")


def test_the_operator_refuses_a_key_of_alertmanager_that_is_newer_than_itself(
    files: dict[str, str], plan: Plan, tmp_path: Path
) -> None:
    broken = changed(files, "monitoring/alertmanager.yaml", "- api_url_file:", "- app_token_file:")
    said = outcome(question(broken, plan, "monitoring/alertmanager.yaml"), tmp_path)
    assert not said.accepted
    assert "field app_token_file not found" in said.message


def test_a_key_that_the_operator_would_drop_is_told() -> None:
    said = operator.lost({"route": {"repeat_interval": "1h", "routes": []}}, {"route": {}}, "")
    assert list(said) == ["route.repeat_interval: the operator makes None of '1h'"]


def test_the_check_knows_the_alertmanager_that_the_operator_was_built_with() -> None:
    pins = (ROOT / "tools" / "operator-config" / "go.mod").read_text(encoding="utf-8")
    (built_with,) = re.findall(r"github.com/prometheus/alertmanager v(\d+\.\d+)\.", pins)
    assert built_with == READS_AS


# the API server


def applied(files: dict[str, str], plan: Plan, folder: Path) -> Outcome:
    for name in ("etcd", "operator-config"):
        program(name)
    program("kubectl", "1.36")
    (task,) = [task for task in kubernetes.tasks(files, plan) if task.judge == "kubectl"]
    return task.run(program("kube-apiserver", "1.36"), folder)


def test_the_api_server_takes_the_operators_objects_without_a_warning(
    files: dict[str, str], plan: Plan, tmp_path: Path
) -> None:
    assert applied(files, plan, tmp_path) == ACCEPTED


def test_the_api_server_refuses_an_unknown_field_of_a_rule_with_its_path(
    files: dict[str, str], plan: Plan, tmp_path: Path
) -> None:
    broken = changed(files, "monitoring/rules.yaml", "          for: 10m\n", "          for: 10m\n          foo: bar\n")
    said = applied(broken, plan, tmp_path)
    assert not said.accepted
    assert '.spec.groups[name="alerting-alertmanager"].rules[2].foo: field not declared in schema' in said.message


def test_the_api_server_refuses_an_unknown_field_of_a_monitor_with_its_path(
    files: dict[str, str], plan: Plan, tmp_path: Path
) -> None:
    broken = changed(files, "monitoring/monitors.yaml", "relabelings:", "relabelConfigs:")
    said = applied(broken, plan, tmp_path)
    assert not said.accepted
    assert ".spec.podMetricsEndpoints[0].relabelConfigs: field not declared in schema" in said.message


def test_without_the_operators_definitions_its_objects_are_not_judged(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "find", lambda name, target: None)
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"}
    with pytest.raises(ProblemsError) as stopped:
        operator.definitions([rule], tmp_path)
    assert [problem.rule for problem in stopped.value.problems] == ["judge/absent"]
    assert operator.definitions([{"apiVersion": "v1", "kind": "Secret"}], tmp_path) == ""


# what promtool reads


def test_promtool_reads_the_rules_in_the_operators_objects(files: dict[str, str], plan: Plan, tmp_path: Path) -> None:
    broken = changed(files, "monitoring/rules.yaml", "absent(up{", "absent(up{{")
    name = "monitoring/rules.yaml#alerting-alertmanager/alerting-alertmanager.yaml"
    (task,) = [task for task in prometheus.tasks(broken, plan) if task.subject == name]
    said = task.run(program("promtool"), tmp_path)
    assert not said.accepted
    assert "AlertmanagerDown" in said.message


# the labels of what is scraped


@pytest.fixture(scope="module")
def operated(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The scrape jobs that the operator itself makes of our monitors, by app."""
    work = tmp_path_factory.mktemp("operator")
    arguments = ("prometheus", "3.13.0")
    made = yaml.safe_load(ask(program("operator-config"), arguments, work, files["monitoring/monitors.yaml"]).stdout)
    return {job["job_name"].split("/")[2]: job for job in made["scrape_configs"]}


def ours() -> dict[str, dict[str, Any]]:
    jobs = config(FLEET / "rendered" / "one", "monitoring/prometheus.yaml", "prometheus.yaml")["scrape_configs"]
    return {job["job_name"]: job for job in jobs}


def port(job: dict[str, Any]) -> int:
    rules = job["relabel_configs"]
    return int(next(rule["regex"] for rule in rules if "container_port_number" in str(rule.get("source_labels"))))


def labels(job: dict[str, Any], of: dict[str, str]) -> dict[str, str] | None:
    """The labels of a target; what the operator shards by is left out, as all targets are of the one shard."""
    rules = [rule for rule in job["relabel_configs"] if "__tmp_hash" not in rule.get("source_labels", ())]
    found = relabelled(rules, {"job": job["job_name"], **of})
    return found and {name: value for name, value in found.items() if not name.startswith("__tmp")}


def test_the_operator_scrapes_the_same_targets(operated: dict[str, dict[str, Any]]) -> None:
    assert operated.keys() == ours().keys()
    for app, job in operated.items():
        assert port(job) == port(ours()[app])
        assert job["metrics_path"] == ours()[app]["metrics_path"]
        assert job["honor_labels"] is False
        assert "metric_relabel_configs" not in job


def test_the_operators_objects_stand_where_their_pods_are(operated: dict[str, dict[str, Any]]) -> None:
    found = {app: job["kubernetes_sd_configs"][0]["namespaces"]["names"] for app, job in operated.items()}
    assert found.pop("alertmanager") == found.pop("prometheus") == ["monitoring"]
    assert found.pop("promtail") == ["every-agent"]
    assert {tuple(names) for names in found.values()} == {("every-thing",)}


@pytest.mark.parametrize("label", [BY_NAME, BY_APP])
def test_the_operators_series_carry_the_labels_that_ours_carry(operated: dict[str, dict[str, Any]], label: str) -> None:
    for app, job in ours().items():
        for of in (
            pod({label: app}, port(job)),
            pod({label: f"{app}-canary"}, port(job)),
            pod({label: app}, port(job) + 1),
            pod({label: app}, port(job), __meta_kubernetes_pod_phase="Succeeded"),
        ):
            assert labels(operated[app], of) == labels(job, of)
        found = labels(operated[app], pod({label: app}, port(job)))
        assert found is not None
        assert found.keys() == TARGET_LABELS | {"job"}
