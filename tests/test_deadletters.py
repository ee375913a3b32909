"""What is rendered of the dead letters, by what is declared of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from obsgen.road import load, texts

ROOT = Path(__file__).parents[1]


def rendered(folder: Path, dlq: Mapping[str, Any] | None) -> dict[str, str]:
    """The tree of the smallest fleet with this section."""
    data = yaml.safe_load((ROOT / "tests/fleets/smallest/observability.yaml").read_text(encoding="utf-8"))
    data["secrets"] |= {name: {"secret": "redis", "key": name} for name in ("whole", "sizes", "people")}
    (folder / "profiles").mkdir()
    (folder / "profiles/one.yaml").write_text("{cluster: home}\n", encoding="utf-8")
    text = yaml.safe_dump(data | ({"dlq": dlq} if dlq else {}), sort_keys=False)
    (folder / "observability.yaml").write_text(text, encoding="utf-8")
    return texts(load(folder / "observability.yaml", "one"))


def section(**redis: Any) -> dict[str, Any]:
    return {
        "image": "example.com/dlq:1",
        "redis": {"password": {"secret": "whole"}, **redis},
        "queues": {"orders:create": {"owner": "web"}, "mails": {"owner": "web"}},
    }


def containers(text: str) -> Iterator[dict[str, Any]]:
    """Every container of a manifest, wherever its pod template stands."""
    for one in yaml.safe_load_all(text):
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", one).get("spec", spec)
        yield from spec.get("template", {}).get("spec", {}).get("containers", [])


def variables(container: Mapping[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value") or one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"]}


def test_without_the_section_nothing_of_dead_letters_is_rendered(tmp_path: Path) -> None:
    files = rendered(tmp_path, None)
    assert not any("dlq" in path or "dlq" in text or "redis" in text for path, text in files.items())


def test_the_deployed_redis_is_the_one_that_everybody_asks(tmp_path: Path) -> None:
    files = rendered(tmp_path, section())
    service = next(one for one in yaml.safe_load_all(files["dlq/redis.yaml"]) if one["kind"] == "Service")
    meta, (port,) = service["metadata"], service["spec"]["ports"]
    address = f"{meta['name']}.{meta['namespace']}.svc.cluster.local:{port['port']}"
    (exporter,) = containers(files["dlq/exporter.yaml"])
    assert f"--redis.addr=redis://{address}" in exporter["args"]
    for name in ("api", "cleanup"):
        (container,) = containers(files[f"dlq/{name}.yaml"])
        assert variables(container)["DLQ_REDIS_URL"] == f"redis://dlq@{address}/0"


def test_with_a_redis_of_your_own_its_address_is_used_and_none_is_rendered(tmp_path: Path) -> None:
    files = rendered(tmp_path, section(deploy=False, address="redis.example.com:6380", cluster=True))
    assert "dlq/redis.yaml" not in files
    assert "dlq/redis.yaml" not in files["kustomization.yaml"]
    (exporter,) = containers(files["dlq/exporter.yaml"])
    assert {"--redis.addr=redis://redis.example.com:6380", "--is-cluster=true"} <= set(exporter["args"])
    for name in ("api", "cleanup"):
        (container,) = containers(files[f"dlq/{name}.yaml"])
        assert variables(container)["DLQ_REDIS_URL"] == "redis://dlq@redis.example.com:6380/0"
        assert variables(container)["DLQ_REDIS_CLUSTER"] == "true"


@pytest.mark.parametrize(("redis", "key"), [({}, "whole"), ({"exporter_password": {"secret": "sizes"}}, "sizes")])
def test_the_exporter_has_its_own_password_where_one_is_declared(tmp_path: Path, redis: Any, key: str) -> None:
    files = rendered(tmp_path, section(**redis))
    (server,), (exporter,) = containers(files["dlq/redis.yaml"]), containers(files["dlq/exporter.yaml"])
    assert variables(server) == {"DLQ_PASSWORD": "whole", "EXPORTER_PASSWORD": key}
    assert variables(exporter) == {"REDIS_PASSWORD": key}


def test_every_reader_of_a_password_is_listed(tmp_path: Path) -> None:
    page = rendered(tmp_path, section(exporter_password={"secret": "sizes"}))["SECRETS.md"]
    lines = {line.split("`")[3]: line for line in page.splitlines() if line.startswith("| `redis`")}
    assert "`DLQ_PASSWORD`" in lines["whole"] and "`DLQ_REDIS_PASSWORD`" in lines["whole"]
    assert "`EXPORTER_PASSWORD`" in lines["sizes"] and "`REDIS_PASSWORD`" in lines["sizes"]


def test_the_keys_of_the_user_are_those_of_each_declared_queue(tmp_path: Path) -> None:
    config = next(yaml.safe_load_all(rendered(tmp_path, section())["dlq/redis.yaml"]))["data"]
    keys = [line for line in config["keys.txt"].splitlines() if not line.startswith("#")]
    shared = ["dlq:*", "{dlq:*", "{dlq}:*"]
    assert keys == [*shared, "mails", "{mails}:dlq*", "orders:create", "{orders:create}:dlq*"]


def test_the_contract_is_mounted_where_the_programs_look_for_it(tmp_path: Path) -> None:
    files = rendered(tmp_path, section())
    contract = next(yaml.safe_load_all(files["contract/contract.yaml"]))
    for name in ("api", "cleanup"):
        (container,) = containers(files[f"dlq/{name}.yaml"])
        folder, _, key = variables(container)["OBSGEN_CONTRACT"].rpartition("/")
        mount = next(one for one in container["volumeMounts"] if one["mountPath"] == folder)
        assert key in contract["data"]
        assert (
            f"{mount['name']}\n" in files[f"dlq/{name}.yaml"]
            and contract["metadata"]["name"] in files[f"dlq/{name}.yaml"]
        )


def test_the_api_reads_its_tokens_where_they_are_mounted_as_the_user_it_runs_as(tmp_path: Path) -> None:
    files = rendered(tmp_path, section() | {"api": {"tokens": {"secret": "people"}}})
    deployment = next(one for one in yaml.safe_load_all(files["dlq/api.yaml"]) if one["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    folder, _, file = variables(container)["DLQ_TOKENS_FILE"].rpartition("/")
    mount = next(one for one in container["volumeMounts"] if one["mountPath"] == folder)
    assert mount["readOnly"] is True
    assert "subPath" not in mount  # such a file stays the old one
    secret = next(one["secret"] for one in pod["volumes"] if one["name"] == mount["name"])
    assert secret["secretName"] == "redis"
    assert secret["items"] == [{"key": "people", "path": file}]
    group_may_read = 0o040
    assert secret["defaultMode"] & group_may_read and pod["securityContext"]["fsGroup"] == 65532
    assert not secret["defaultMode"] & 0o007
    (line,) = (line for line in files["SECRETS.md"].splitlines() if "`people`" in line and line.startswith("|"))
    assert "admin API, variable `DLQ_TOKENS_FILE`" in line
    assert "auralink-dlq token" in files["SECRETS.md"]


def test_the_cleanup_is_given_no_tokens(tmp_path: Path) -> None:
    files = rendered(tmp_path, section() | {"api": {"tokens": {"secret": "people"}}})
    assert "people" not in files["dlq/cleanup.yaml"]
    assert "DLQ_TOKENS_FILE" not in files["dlq/cleanup.yaml"]


def test_a_changed_queue_restarts_redis_and_the_api(tmp_path: Path) -> None:
    def annotations(text: str) -> list[str]:
        return [line for line in text.splitlines() if "checksum/" in line]

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    before, other = section(), section()
    other["queues"] = {**other["queues"], "calls": {"owner": "web"}}
    one, two = rendered(tmp_path / "one", before), rendered(tmp_path / "two", other)
    for path in ("dlq/redis.yaml", "dlq/api.yaml"):
        assert annotations(one[path]) != annotations(two[path])
