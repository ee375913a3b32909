"""The Dockerfile: what hadolint says of it, that its steps work, and that the rendered workloads mean this image."""

from __future__ import annotations

import grp
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from image import DOCKERFILE, LIBS, Image, stages
from servers import PASSWORD, ROOT, Server, free_port

from conftest import QUEUE
from test_cli import CONTRACT

MANIFEST = (ROOT / "rendered/prod/dlq/api.yaml").read_text(encoding="utf-8")
CLEANUP = (ROOT / "rendered/prod/dlq/cleanup.yaml").read_text(encoding="utf-8")
COMPOSE = (ROOT / "rendered/local/compose.yaml").read_text(encoding="utf-8")


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([program, DOCKERFILE], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


def test_both_stages_are_of_one_base_that_is_pinned() -> None:
    bases = [stage.base.split()[0] for stage in stages()]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", bases[0])


def test_the_image_is_run_as_its_own_user_on_the_port_that_it_exposes() -> None:
    final = stages()[-1]
    uid, _, gid = final.last("USER").partition(":")
    for manifest in (MANIFEST, CLEANUP):
        assert re.findall(r"runAsUser: (\d+)", manifest) == [uid]
        assert re.findall(r"runAsGroup: (\d+)", manifest) == [gid]
        assert "readOnlyRootFilesystem: true" in manifest
    assert re.findall(r"fsGroup: (\d+)", MANIFEST) == [gid]
    assert re.findall(r"containerPort: (\d+)", MANIFEST) == [final.last("EXPOSE")]
    assert f"--port={final.last('EXPOSE')}]" in MANIFEST
    for name in ("dlq-api", "dlq-cleanup"):
        (service,) = re.findall(rf"^  {name}:\n(.*?)(?=^  \S|^\S)", COMPOSE, re.DOTALL | re.MULTILINE)
        assert f'user: "{uid}:{gid}"' in service and "read_only: true" in service
        assert f'tmpfs: ["/tmp:uid={uid},gid={gid}"]' in service


def test_what_may_be_written_to_is_mounted_by_every_workload() -> None:
    home = stages()[-1].variables("")["HOME"]
    assert home == "/tmp"
    for manifest in (MANIFEST, CLEANUP):
        assert f"mountPath: {home}}}" in manifest


def test_the_context_leaves_out_what_the_image_does_not_need() -> None:
    ignored = (LIBS / "python/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {text.split()[0] for name, text in stages()[0].steps if name == "COPY"}
    assert {f"!{name}" for name in copied} == {line for line in ignored if line.startswith("!")}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image") / "root")


def test_nothing_is_in_the_image_that_is_not_pinned(image: Image) -> None:
    (packages,) = (image.root / "opt/auralink-dlq/lib").glob("python3.*/site-packages")
    metadata = [path.read_text(encoding="utf-8") for path in packages.glob("*.dist-info/METADATA")]
    installed = {
        f"{re.search(r'^Name: (.*)$', text, re.M)[1].lower().replace('_', '-')}=={re.search(r'^Version: (.*)$', text, re.M)[1]}"  # type: ignore[index]
        for text in metadata
    }
    pinned = {line for line in (LIBS / "python/constraints.txt").read_text().splitlines() if not line.startswith("#")}
    assert {one for one in installed if not one.startswith("auralink-shared==")} == pinned


def test_the_scripts_of_redis_are_in_the_image(image: Image) -> None:
    (scripts,) = (image.root / "opt/auralink-dlq/lib").glob("python3.*/site-packages/auralink_shared/lua")
    assert {path.name: path.read_bytes() for path in scripts.iterdir()} == {
        path.name: path.read_bytes() for path in (LIBS / "lua").iterdir()
    }


def ended(image: Image, *words: str, **environ: str) -> tuple[int, str]:
    process = image.start(words, environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_a_container_has_a_shell_and_sleeps_and_writes_to_tmp_alone(image: Image) -> None:
    typed = 'id -un; id -u; sleep 0; echo 1 > "$HOME/file"; touch /opt/file /etc/file || echo refused'
    code, said = ended(image, "/bin/sh", "-ec", typed)
    lines = said.splitlines()
    assert (code, lines[:2], lines[-1]) == (0, ["nonroot", "65532"], "refused")
    assert said.count("Read-only file system") == 2


def test_the_entry_point_is_on_the_path_and_says_what_it_can(image: Image) -> None:
    entry, default = (json.loads(stages()[-1].last(name)) for name in ("ENTRYPOINT", "CMD"))
    code, said = ended(image, *entry, *default)
    assert code == 0 and "serve" in said
    code, said = ended(image, *entry, "--version")
    assert (code, said) == (0, "auralink-dlq, version 0.1.0\n")


def test_the_rendered_command_serves_in_a_read_only_root(image: Image, server: Server) -> None:
    server.root.flushall()
    server.root.lpush(f"dlq:{QUEUE}", json.dumps({"id": "one", "payload": 1}))
    ((*command, port),) = (words.split(", ") for words in re.findall(r"command: \[(.*)\]", MANIFEST))
    assert port == "--port=8080"
    at = free_port()
    _, line = ended(image, "auralink-dlq", "token", "operator", "ann")
    token, line = line.splitlines()
    # as Kubernetes mounts them: the ConfigMap for all, the Secret for the pod's group
    for folder, name, text, mode in (
        ("obsgen", "contract.json", json.dumps(CONTRACT), 0o644),
        ("auralink-dlq", "tokens", line, 0o440),
    ):
        path = image.root / "etc" / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        os.chown(path, 0, 65532)
    told = {
        "OBSGEN_CONTRACT": "/etc/obsgen/contract.json",
        "DLQ_REDIS_URL": f"redis://dlq@127.0.0.1:{server.port}/0",
        "DLQ_REDIS_PASSWORD": PASSWORD,
        "DLQ_TOKENS_FILE": "/etc/auralink-dlq/tokens",
    }
    assert set(re.findall(r"name: ((?:DLQ|OBSGEN)_\w+)", MANIFEST)) == set(told)
    for variable in ("OBSGEN_CONTRACT", "DLQ_TOKENS_FILE"):
        assert f"{{name: {variable}, value: {told[variable]}}}" in MANIFEST
    assert os.getgid() != 65532 and 65532 not in [group.gr_gid for group in grp.getgrall()]
    process = image.start([*command, f"--port={at}"], told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        said = process.stderr.readline()  # type: ignore[union-attr]
        assert said == f"http://0.0.0.0:{at}/ui/\n", said + process.stderr.read()  # type: ignore[union-attr]
        with httpx.Client(base_url=f"http://127.0.0.1:{at}", timeout=30) as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").json()["durable"] is True
            asked = "/api/v1/admin/dlq?queue=rooms:create"
            assert client.get(asked).status_code == 401
            known = client.get(asked, headers={"Authorization": f"Bearer {token}"})
            assert [letter["id"] for letter in known.json()] == ["one"]
    finally:
        process.terminate()
        process.communicate()


def test_the_rendered_cleanup_runs_in_a_read_only_root(image: Image, server: Server) -> None:
    (command,) = re.findall(r"command: \[(.*)\]", CLEANUP)
    code, said = ended(
        image,
        *command.split(", "),
        DLQ_REDIS_URL=f"redis://dlq@127.0.0.1:{server.port}/0",
        DLQ_REDIS_PASSWORD=PASSWORD,
    )
    assert code == 0, said
    assert f"{QUEUE}: 0 letters past retention, 0 out of the trash\n" in said
