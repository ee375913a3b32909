"""What Kubernetes' programs, its schemas and yamllint make of small trees, right and wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import conftest
from obsgen.judging import apiserver, kubernetes
from obsgen.judging.task import Outcome, Task
from obsgen.model import Declaration, Routing, Versions
from obsgen.plan import Plan
from obsgen.problem import ProblemsError

RELEASE = "1.36"
ACCEPTED = Outcome(True, "")

INDEX = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - app.yaml
"""

GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-config
  namespace: shop
data:
  web.yaml: |
    port: 8080
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
  namespace: shop
spec:
  serviceName: web
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: web
          image: example.com/web:1
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
"""

AGENT = """\
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
  namespace: agents
spec:
  selector:
    matchLabels: {app: agent}
  template:
    metadata:
      labels: {app: agent}
    spec:
      containers:
        - name: agent
          image: example.com/agent:1
          volumeMounts:
            - {name: pods, mountPath: /var/log/pods, readOnly: true}
      volumes:
        - name: pods
          hostPath: {path: /var/log/pods}
"""

UNSAFE = GOOD.replace(
    """\
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        seccompProfile: {type: RuntimeDefault}
""",
    "",
)


def plan(version: str = RELEASE) -> Plan:
    declaration = Declaration(
        api_version="obsgen/v1",
        kind="Observability",
        name="shop",
        namespace="shop",
        cluster="here",
        versions=Versions(kubernetes=version),
        teams={},
        severities={},
        routing=Routing(unrouted=()),
    )
    return Plan(declaration, "prod", ("observability.yaml",), {}, (), {})


def tree(app: str) -> dict[str, str]:
    return {"kustomization.yaml": INDEX, "app.yaml": app}


def questions(judge: str, files: Mapping[str, str], version: str = RELEASE) -> list[Task]:
    return [task for task in kubernetes.tasks(files, plan(version)) if task.judge == judge]


def program(name: str) -> Path:
    return conftest.judge(name, RELEASE if name.startswith("kube") else "", "nothing was asked of it")


def ask(judge: str, files: Mapping[str, str], folder: Path, version: str = RELEASE) -> dict[str, Outcome]:
    """The outcome of every question for a judge, by subject."""
    if judge == "kubectl":
        program("etcd")
        program("kubectl")
    outcomes = {}
    for number, task in enumerate(questions(judge, files, version)):
        work = folder / str(number)
        work.mkdir(parents=True)
        outcomes[task.subject] = task.run(program(task.tool) if task.tool else Path(), work)
    return outcomes


def ask_app(judge: str, app: str, folder: Path, version: str = RELEASE) -> Outcome:
    """The outcome for `app.yaml`, or for the whole tree with that file in it."""
    outcomes = ask(judge, tree(app), folder, version)
    return outcomes.get("app.yaml") or outcomes["kustomization.yaml"]


# yamllint


def test_yamllint_accepts_the_style_of_our_templates(tmp_path: Path) -> None:
    outcomes = ask("yamllint", tree(GOOD + AGENT), tmp_path)
    assert set(outcomes) == {"kustomization.yaml", "app.yaml", "app.yaml#web-config/web.yaml"}
    assert set(outcomes.values()) == {ACCEPTED}


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("  replicas: 1\n", "  replicas: 1\n  replicas: 2\n", '18:3: duplication of key "replicas" in mapping'),
        ("  replicas: 1\n", "  replicas: 1  \n", "17:14: trailing spaces"),
        ("  replicas: 1\n", "  replicas:\n", "17:12: empty value in block mapping"),
        ("  replicas: 1\n", "  paused: no\n", "17:11: truthy value should be one of [false, true]"),
        ("  replicas: 1\n", "  replicas: 010\n", '17:16: forbidden implicit octal value "010"'),
        ("  replicas: 1\n", "  replicas: 1\n\tpaused: true\n", "18:1: syntax error: found character"),
    ],
)
def test_yamllint_refuses_with_the_line(good: str, bad: str, said: str, tmp_path: Path) -> None:
    outcome = ask_app("yamllint", GOOD.replace(good, bad), tmp_path)
    assert not outcome.accepted
    assert said in outcome.message


def test_yamllint_reads_the_yaml_inside_a_configmap(tmp_path: Path) -> None:
    outcomes = ask("yamllint", tree(GOOD.replace("port: 8080", "port: 8080\n    port: 8081")), tmp_path)
    assert outcomes["app.yaml"] == ACCEPTED
    assert outcomes["app.yaml#web-config/web.yaml"].message == (
        '2:1: duplication of key "port" in mapping (key-duplicates)'
    )


def test_an_empty_value_in_a_configuration_is_left_to_its_server(tmp_path: Path) -> None:
    outcomes = ask("yamllint", tree(GOOD.replace("port: 8080", "port:")), tmp_path)
    assert outcomes["app.yaml#web-config/web.yaml"] == ACCEPTED


def test_a_tree_without_kustomization_is_only_linted() -> None:
    assert {task.judge for task in kubernetes.tasks({"compose.yaml": "services: {}\n"}, plan())} == {"yamllint"}


# kubernetes-validate


def test_the_schemas_accept_a_good_manifest(tmp_path: Path) -> None:
    assert ask_app("kubernetes-validate", GOOD + AGENT, tmp_path) == ACCEPTED


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("replicas: 1", 'replicas: "one"', "StatefulSet shop/web: .spec.replicas: 'one' is not of type"),
        ("serviceName: web", "foo: bar", "StatefulSet shop/web: .spec: "),
        ("image: example.com/web:1", "image: 1", ".spec.template.spec.containers[0].image: 1 is not of type"),
        ("kind: StatefulSet", "kind: StatefullSet", "StatefullSet shop/web: Couldn't find schema"),
        ("apiVersion: apps/v1\n", "", "StatefulSet shop/web: has no apiVersion"),
    ],
)
def test_the_schemas_refuse_with_the_path(good: str, bad: str, said: str, tmp_path: Path) -> None:
    outcome = ask_app("kubernetes-validate", GOOD.replace(good, bad), tmp_path)
    assert not outcome.accepted
    assert said in outcome.message


def test_every_document_of_a_file_is_held_against_its_schema(tmp_path: Path) -> None:
    wrong = (GOOD + AGENT).replace("replicas: 1", "replicas: x").replace("updateStrategy", "foo")
    wrong = wrong.replace("hostPath: {path: /var/log/pods}", "hostPath: {path: [1]}")
    message = ask_app("kubernetes-validate", wrong, tmp_path).message
    assert [line.partition(":")[0] for line in message.splitlines()] == [
        "StatefulSet shop/web",
        "DaemonSet agents/agent",
    ]


def test_a_version_without_schemas_is_judged_by_the_next_newer_and_said(tmp_path: Path) -> None:
    outcome = ask_app("kubernetes-validate", GOOD.replace("replicas: 1", "replicas: x"), tmp_path, "1.9")
    assert outcome.message.splitlines()[-1] == "by the schemas of Kubernetes 1.25: there are none of 1.9 here"


def test_a_version_newer_than_all_schemas_is_judged_by_the_newest() -> None:
    assert kubernetes.schema_version("9.0") == kubernetes.schema_version("8.0") != kubernetes.schema_version("1.36")
    assert kubernetes.schema_version("1.36") == "1.36"


def test_the_kind_of_an_operator_is_left_to_its_crd() -> None:
    rule = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a, namespace: shop}\n"
    assert questions("kubernetes-validate", tree(rule)) == []


# kustomize


def test_kustomize_accepts_a_tree_whose_objects_all_come_out(tmp_path: Path) -> None:
    assert ask_app("kustomize", GOOD + AGENT, tmp_path) == ACCEPTED


def test_kustomize_refuses_an_object_that_stands_twice(tmp_path: Path) -> None:
    outcome = ask_app("kustomize", f"{GOOD}---\n{GOOD}", tmp_path)
    assert not outcome.accepted
    assert "may not add resource with an already registered id" in outcome.message
    assert str(tmp_path) not in outcome.message


def test_kustomize_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    outcome = ask("kustomize", {"kustomization.yaml": INDEX}, tmp_path)["kustomization.yaml"]
    assert not outcome.accepted
    assert "app.yaml" in outcome.message


def test_an_object_that_kustomize_drops_is_a_refusal(tmp_path: Path) -> None:
    local = 'annotations: {config.kubernetes.io/local-config: "true"}'
    outcome = ask_app("kustomize", GOOD.replace("  name: web-config\n", f"  name: web-config\n  {local}\n"), tmp_path)
    assert outcome.message == "ConfigMap shop/web-config: is not in the output as it stands in its file"


def test_an_object_that_kustomize_changes_is_a_refusal(tmp_path: Path) -> None:
    files = tree(GOOD) | {"kustomization.yaml": f"{INDEX}namePrefix: x-\n"}
    message = ask("kustomize", files, tmp_path)["kustomization.yaml"].message
    assert "StatefulSet shop/web: is not in the output as it stands in its file" in message
    assert "StatefulSet shop/x-web: is in the output, and in no file like this" in message


# kube-apiserver


def test_the_server_takes_a_good_tree_and_an_agent_that_mounts_its_host(tmp_path: Path) -> None:
    assert ask_app("kubectl", GOOD + AGENT, tmp_path) == ACCEPTED


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("serviceName: web", "foo: bar", ".spec.foo: field not declared in schema"),
        ("labels: {app: web}", "labels: {app: other}", "`selector` does not match template `labels`"),
        ("name: web-config", "name: Web_Config", "metadata.name: Invalid value"),
    ],
)
def test_the_server_refuses_with_the_path(good: str, bad: str, said: str, tmp_path: Path) -> None:
    outcome = ask_app("kubectl", GOOD.replace(good, bad), tmp_path)
    assert not outcome.accepted
    assert said in outcome.message
    assert str(tmp_path) not in outcome.message


def test_a_warning_of_pod_security_is_a_refusal(tmp_path: Path) -> None:
    outcome = ask_app("kubectl", UNSAFE, tmp_path)
    assert not outcome.accepted
    assert 'Warning: would violate PodSecurity "restricted:latest"' in outcome.message
    assert "runAsNonRoot" in outcome.message


def test_a_deployment_may_not_mount_its_host(tmp_path: Path) -> None:
    outcome = ask_app("kubectl", GOOD + AGENT.replace("kind: DaemonSet", "kind: Deployment"), tmp_path)
    assert not outcome.accepted
    assert 'restricted volume type "hostPath"' in outcome.message


def test_a_namespace_is_labelled_anew_for_every_tree(tmp_path: Path) -> None:
    here = AGENT.replace("namespace: agents", "namespace: shop").removeprefix("---\n")
    assert ask_app("kubectl", here, tmp_path / "agent in the namespace") == ACCEPTED
    assert not ask_app("kubectl", UNSAFE, tmp_path / "restricted again").accepted
    assert ask_app("kubectl", here, tmp_path / "agent again") == ACCEPTED


def test_what_shares_the_namespace_of_the_agent_is_held_to_restricted_all_the_same(tmp_path: Path) -> None:
    beside = AGENT.replace("namespace: agents", "namespace: shop")
    assert ask_app("kubectl", GOOD + beside, tmp_path / "good") == ACCEPTED
    outcome = ask_app("kubectl", UNSAFE + beside, tmp_path / "unsafe")
    assert not outcome.accepted
    assert 'would violate PodSecurity "restricted:latest"' in outcome.message


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong = UNSAFE.replace("name: web-config", "name: Web_Config")
    message = ask_app("kubectl", wrong, tmp_path).message
    assert "metadata.name: Invalid value" in message
    assert "would violate PodSecurity" in message


def test_a_server_that_ends_says_its_last_words() -> None:
    etcd, kubectl = program("etcd"), program("kubectl")
    with (
        pytest.raises(ProblemsError, match=r"ended on its own \(exit \d+\); the last lines of its log") as caught,
        apiserver.cluster(apiserver.Programs(etcd, kubectl, kubectl)),
    ):
        raise AssertionError("kubectl is no kube-apiserver, and was taken for one")
    assert caught.value.could_not_run
    assert "unknown flag: --etcd-servers" in str(caught.value)


def test_a_cluster_leaves_no_process_and_no_folder() -> None:
    programs = apiserver.Programs(program("etcd"), program("kube-apiserver"), program("kubectl"))
    with apiserver.cluster(programs) as made:
        assert made.kubectl("get", "--raw=/readyz").stdout == "ok"
    assert [server.process.returncode is not None for server in made.servers] == [True, True]
    assert not made.home.exists()


def test_a_server_that_is_killed_meanwhile_is_no_refusal() -> None:
    programs = apiserver.Programs(program("etcd"), program("kube-apiserver"), program("kubectl"))
    with apiserver.cluster(programs) as made:
        made.servers[-1].process.kill()
        made.servers[-1].process.wait()
        with pytest.raises(ProblemsError, match=r"kube-apiserver: ended on its own \(exit -9\); the last lines"):
            made.label({"shop": "restricted"})


def test_pod_security_is_restricted_but_for_the_namespace_of_the_agent() -> None:
    agent = {"spec": {"template": {"spec": {"volumes": [{"name": "pods", "hostPath": {"path": "/var/log/pods"}}]}}}}
    objects = [
        {"kind": "Service", "metadata": {"name": "a", "namespace": "shop"}},
        {"kind": "DaemonSet", "metadata": {"name": "a", "namespace": "agents"}, **agent},
        {"kind": "DaemonSet", "metadata": {"name": "b", "namespace": "plain"}, "spec": {}},
        {"kind": "Secret", "metadata": {"name": "c"}},
    ]
    levels = {"shop": "restricted", "agents": "privileged", "plain": "restricted", "default": "restricted"}
    assert kubernetes.pod_security(objects) == levels
