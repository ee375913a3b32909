"""`output: compose`: what Compose, the containers and the people who fill `secrets` rely on."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import FLEETS, Run, judge
from obsgen import agent, compose
from obsgen.judging import compose as judging
from obsgen.quoting import compose_value
from obsgen.road import Declared, load, texts
from test_redis import SETUP, START_SECONDS, program

ROOT = Path(__file__).parents[1]
LOCAL = load(ROOT / "observability.yaml", "local")
EVERYTHING = load(FLEETS / "everything" / "observability.yaml", "compose")
each = pytest.mark.parametrize("declared", [LOCAL, EVERYTHING], ids=lambda d: d.declaration.name)


def project(declared: Declared) -> dict[str, Any]:
    return dict(yaml.safe_load(texts(declared)["compose.yaml"]))


def services(declared: Declared) -> dict[str, dict[str, Any]]:
    return dict(project(declared)["services"])


def reader() -> Path:
    return judge("compose-go", "", "Compose's parser was not asked")


def read_by_compose(folder: Path, text: str) -> Any:
    """The project that Compose's own parser makes of a file."""
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    said = subprocess.run([reader(), "compose.yaml"], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


# Compose


# what YAML can't say at all is the door's own test
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20) | st.from_regex(
    r"(\$|\$\{|\}|[A-Z_:?+-]|\\){1,8}", fullmatch=True
)


@given(st.lists(_TEXTS, min_size=1, max_size=60))
def test_every_text_comes_through_compose_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    shown = "services: {one: {image: i, command: " + compose_value(values) + "}}\n"
    read = read_by_compose(tmp_path_factory.mktemp("compose"), f"name: p\n{shown}")
    assert read["services"]["one"]["command"] == values


def test_the_reader_takes_a_variable_that_nobody_set_for_a_fault(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: p\nservices: {one: {image: '$NOBODY'}}\n", encoding="utf-8")
    said = subprocess.run([reader(), "compose.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 1
    assert "NOBODY" in said.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("services: {one: {image: i, imgae: j}}", "imgae"),
        ("services: {one: {image: i, secrets: [s]}}", "undefined secret s"),
        ("services: {one: {image: i, volumes: [{type: volume, source: v, target: /v}]}}", "undefined volume v"),
        ("services: {one: {image: i, depends_on: [two]}}", "undefined service"),
        ("services: {one: {image: i, volumes: [{type: bind, source: ./gone, target: /g}]}}", "gone, where nothing"),
    ],
)
def test_the_judge_refuses_what_would_not_start(tmp_path: Path, wrong: str, said: str) -> None:
    files = {"compose.yaml": f"name: p\n{wrong}\n", "FILES": "# made\ncompose.yaml\n"}
    (task,) = judging.tasks(files, LOCAL.plan)
    outcome = task.run(reader(), tmp_path)
    assert not outcome.accepted
    assert said in outcome.message


@each
def test_what_compose_reads_is_what_is_meant(declared: Declared, tmp_path: Path) -> None:
    read = read_by_compose(tmp_path, texts(declared)["compose.yaml"])
    prometheus = declared.declaration.urls.prometheus
    assert f"--web.external-url={prometheus}" in read["services"]["prometheus"]["command"]
    assert read["name"] == declared.declaration.name
    assert read["networks"]["default"]["name"] == declared.declaration.namespace


# Containers


@each
def test_nothing_is_published_to_others_than_this_machine(declared: Declared) -> None:
    published = [port for service in services(declared).values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@each
def test_every_container_is_confined(declared: Declared) -> None:
    for name, service in services(declared).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert "privileged" not in service, name
        root = name.endswith("-volume") or name in agent.PORTS
        assert (service["user"] == "0:0") == root, name
        assert service.get("cap_add", []) == (["CHOWN"] if name.endswith("-volume") else []), name


@each
def test_only_the_agent_may_speak_to_docker(declared: Declared) -> None:
    with_socket = [name for name, service in services(declared).items() if "docker.sock" in json.dumps(service)]
    assert with_socket == [declared.declaration.logging.agent.type]


@each
def test_a_container_that_writes_to_a_volume_owns_it(declared: Declared) -> None:
    """An empty volume belongs to root, unless the image has that folder: Prometheus' and Alertmanager's have theirs."""
    made = services(declared)
    for name, service in made.items():
        for volume in service.get("volumes", ()):
            if volume["type"] == "volume" and service["user"] != "0:0" and name not in ("prometheus", "alertmanager"):
                (owner,) = [
                    one
                    for one in made.values()
                    if one.get("entrypoint", [""])[0] == "/bin/chown" and volume in one["volumes"]
                ]
                assert owner["entrypoint"][1:] == [service["user"], volume["target"]]
                assert service["depends_on"] == {
                    f"{volume['source']}-volume": {"condition": "service_completed_successfully"}
                }


@each
def test_a_changed_configuration_starts_its_reader_anew(declared: Declared) -> None:
    d = declared.declaration
    louder = msgspec.structs.replace(d, cluster="another")
    before, after = services(declared), services(replace(declared, declaration=louder))
    changed = {name for name in before if before[name].get("labels") != after[name].get("labels")}
    assert {d.logging.agent.type, "alertmanager"} <= changed
    assert "prometheus" not in changed  # which reads its own anew


# Discovery


@each
def test_a_line_of_docker_is_bare(declared: Declared) -> None:
    files = texts(declared)
    text = files.get("agent/config.alloy") or files["agent/promtail.yaml"]
    assert not re.search(r"stage\.(cri|docker)\b|^ +- (cri|docker):", text, re.MULTILINE)


@each
def test_prometheus_asks_every_target_by_the_name_of_its_service(declared: Declared) -> None:
    config = yaml.safe_load(texts(declared)["prometheus/prometheus.yaml"])
    d, made = declared.declaration, services(declared)
    for job in config["scrape_configs"]:
        (found,) = job["static_configs"]
        name = job["job_name"]
        assert [target.partition(":")[0] for target in found["targets"]] == [name]
        assert found["labels"] == {
            "cluster": d.cluster,
            "namespace": d.namespace,
            "app": name,
            "pod": name,
            "container": name,
        }
        assert name in made or name in d.services


@each
def test_prometheus_reads_each_rule_file_and_no_test(declared: Declared) -> None:
    files = texts(declared)
    config = yaml.safe_load(files["prometheus/prometheus.yaml"])
    rules = {path for path in files if path.startswith("prometheus/rules/") and not path.endswith("_test.yaml")}
    assert {f"prometheus/rules/{Path(path).name}" for path in config["rule_files"]} == rules
    assert {str(Path(path).parent) for path in config["rule_files"]} == {"/etc/prometheus/rules"}


@each
def test_the_ruler_finds_its_rules_under_its_tenant(declared: Declared) -> None:
    config = yaml.safe_load(texts(declared)["loki/loki.yaml"])
    folder = config["ruler_storage"]["local"]["directory"]
    assert config["auth_enabled"] is False
    targets = {volume["source"]: volume["target"] for volume in services(declared)["loki"]["volumes"]}
    assert targets["./loki/rules"] == f"{folder}/fake"


# Runbooks


@each
def test_a_page_types_docker_and_leads_on_where_a_step_says_kubectl(declared: Declared) -> None:
    files = texts(declared)
    assert "\n## On one machine\n" in files["runbooks/README.md"]
    for path, text in files.items():
        if path.startswith("runbooks/") and path != "runbooks/README.md":
            typed = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
            assert f"docker ps --all --filter network={declared.declaration.namespace}" in typed, path
            assert "kubectl" not in typed, path
            assert ("kubectl" in text) == ("README.md#on-one-machine" in text), path


# Secrets


@each
def test_every_secret_that_a_container_reads_is_on_the_list(declared: Declared) -> None:
    listed = {file.path for file in compose.files(declared.declaration)}
    made = project(declared)
    named = {one["file"].removeprefix("./") for one in made["secrets"].values()}
    env = {one["path"].removeprefix("./") for s in made["services"].values() for one in s.get("env_file", ())}
    assert named | env == listed
    shown = texts(declared)["SECRETS.md"]
    assert all(f"| `{path}` |" in shown for path in listed)


@each
def test_a_container_is_given_exactly_the_secrets_that_it_names(declared: Declared) -> None:
    files = texts(declared)
    for name, service in services(declared).items():
        said = json.dumps(service) + (files["alertmanager/alertmanager.yaml"] if name == "alertmanager" else "")
        assert sorted(set(re.findall(r"/run/secrets/([a-z0-9-]+)", said))) == sorted(service.get("secrets", ())), name


@each
def test_the_api_alone_reads_its_tokens_and_is_told_where(declared: Declared) -> None:
    dlq = declared.declaration.dlq
    assert dlq and dlq.api.tokens
    told = {
        name: service["environment"]["DLQ_TOKENS_FILE"]
        for name, service in services(declared).items()
        if "DLQ_TOKENS_FILE" in service.get("environment", {})
    }
    assert told == {"dlq-api": f"/run/secrets/{dlq.api.tokens.secret}"}


def test_secrets_stay_out_of_git(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rendered" / "local", tmp_path / "local")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "local" / "secrets").mkdir()
    (tmp_path / "local" / "secrets" / "slack-webhook").write_text("secret", encoding="utf-8")
    said = subprocess.run(
        ["git", "status", "--porcelain", "local/secrets"], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.stdout == ""


def test_what_secrets_md_types_makes_every_file(tmp_path: Path) -> None:
    shown = texts(EVERYTHING)["SECRETS.md"]
    (typed,) = re.findall(r"^```sh\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL)
    subprocess.run(["sh", "-euc", typed], cwd=tmp_path, check=True)
    made = {path.relative_to(tmp_path).as_posix(): path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == {file.path for file in compose.files(EVERYTHING.declaration)}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o644}
    keys = (tmp_path / compose.LOKI_VARIABLES).read_text(encoding="utf-8")
    assert keys == "S3_ACCESS_KEY=VALUE\nS3_SECRET_KEY=VALUE\n"


def test_a_program_gets_its_secrets_and_without_a_file_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("it's $HOME \\n\n", encoding="utf-8")
    script = compose.start({"ONE": "one"}).replace("/run/secrets", str(tmp_path))
    words = ["/bin/sh", "-ec", script, "sh", "/bin/sh", "-c", 'printf %s "$ONE"']
    assert subprocess.run(words, capture_output=True, text=True).stdout == "it's $HOME \\n"
    (tmp_path / "one").unlink()
    ended = subprocess.run(words, capture_output=True, text=True)
    assert (ended.returncode != 0, ended.stdout) == (True, "")


# Started


@each
def test_what_answers_has_a_healthcheck(declared: Declared) -> None:
    silent = {name for name, one in services(declared).items() if "healthcheck" not in one}
    assert silent == {name for name in services(declared) if name.endswith("-volume")} | {"dlq-cleanup"}


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_admin_api_s_probe_tells_ready_from_not_ready(status: int, healthy: bool) -> None:
    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    kind, program, *command = services(LOCAL)["dlq-api"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    with http.server.HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        mine = [word.replace(":8080/", f":{server.server_port}/") for word in command]
        asked = subprocess.run([sys.executable, *mine], timeout=30, capture_output=True)
    assert (asked.returncode == 0) == healthy


def test_a_cleanup_that_finds_no_redis_is_tried_again_soon(tmp_path: Path) -> None:
    tools_ = {
        "auralink-dlq": f'test -e "{tmp_path}/redis" || {{ touch "{tmp_path}/redis"; exit 2; }}',
        "sleep": f'echo "$1" >>"{tmp_path}/slept"; test "$1" -lt 3600 || kill $PPID',
    }
    for name, script in tools_.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    command = services(LOCAL)["dlq-cleanup"]["command"]
    subprocess.run(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, timeout=30)
    assert (tmp_path / "slept").read_text(encoding="utf-8").split() == ["10", "86400"]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
@each
def test_the_agent_s_probe_tells_ready_from_not_ready(declared: Declared, status: int, healthy: bool) -> None:
    class Agent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path.endswith("/ready") else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    name = declared.declaration.logging.agent.type
    kind, *command = services(declared)[name]["healthcheck"]["test"]
    assert kind == "CMD"
    with http.server.HTTPServer(("127.0.0.1", 0), Agent) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        mine = [word.replace(f"/{agent.PORTS[name]} ", f"/{server.server_port} ") for word in command]
        assert (subprocess.run(mine, timeout=30).returncode == 0) == healthy


def test_redis_starts_as_its_container_does_and_passes_its_probe(tmp_path: Path) -> None:
    files = texts(LOCAL)
    for path, text in files.items():
        if path.startswith("dlq/") or path == "compose.yaml":
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
    for name in ("programs", "secrets", "volume", "acl"):
        (tmp_path / name).mkdir()
    for name in ("redis-server", "redis-cli"):
        (tmp_path / "programs" / name).symlink_to(program(name))
    for name in ("redis-password", "redis-exporter-password"):
        (tmp_path / "secrets" / name).write_text(f"it's $HOME of {name}\n", encoding="utf-8")
    redis = read_by_compose(tmp_path, files["compose.yaml"])["services"]["dlq-redis"]
    config, volume = redis["volumes"]
    assert (config["source"], volume["type"]) == (str(tmp_path / "dlq"), "volume")
    mounts = [config["source"], config["target"], str(tmp_path / "volume"), volume["target"]]
    mounts += [str(tmp_path / "acl"), redis["tmpfs"][0].partition(":")[0], str(tmp_path / "secrets"), "/run/secrets"]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    hosts = {"HOSTS": "/etc/hosts", "PYTHON": sys.executable}
    environment = {"PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}", **hosts}
    command = ["unshare", *user, "--mount", "--net", "/bin/sh", "-c", SETUP, "sh", *mounts, "--"]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            [*command, *redis["entrypoint"], *redis["command"]], env=environment, stdout=log, stderr=log
        )
    try:
        enter = [
            "nsenter",
            f"--target={running.pid}",
            "--mount",
            "--net",
            *(["--user", "--preserve-credentials"] if user else []),
        ]
        probe = [*enter, "--", *redis["healthcheck"]["test"][1:]]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(probe, env=environment, capture_output=True).returncode != 0:
            assert running.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, (tmp_path / "log").read_text(encoding="utf-8")
        (tmp_path / "secrets" / "redis-exporter-password").write_text("wrong", encoding="utf-8")
        assert subprocess.run(probe, env=environment, capture_output=True).returncode == 1
    finally:
        running.kill()
        running.wait()


# The whole


def test_a_profile_for_one_machine_is_rendered_checked_and_compared(run: Run, fleet: Path) -> None:
    (fleet / "profiles" / "one.yaml").write_text("cluster: c-1\noutput: compose\n", encoding="utf-8")
    assert run("check", "--all").code == 0
    assert run("render", "--profile", "one").code == 0
    assert (fleet / "rendered/one/compose.yaml").is_file()
    assert not (fleet / "rendered/one/kustomization.yaml").exists()
    assert run("render", "--profile", "one", "--check").code == 0
