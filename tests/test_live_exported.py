"""How a live run reads what servers export, and how it writes that into upstream/."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from live.exported import SERVERS, Row, of_text, record, strange, written
from obsgen import upstream
from obsgen.assets import UPSTREAM

ANSWER = """\
# TYPE loki_lines_total counter
loki_lines_total{app="x",tenant="fake",policy=""} 1
# TYPE loki_hits counter
loki_hits 1
# TYPE loki_seconds histogram
loki_seconds_bucket{route="push",le="1.0"} 1
loki_seconds_bucket{route="push",le="+Inf"} 1
loki_seconds_sum{route="push"} 1
loki_seconds_count{route="push"} 1
# TYPE loki_wait summary
loki_wait{quantile="0.5"} 1
loki_wait_sum 1
loki_wait_count 1
# TYPE go_threads gauge
go_threads 9
"""


def test_a_row_has_the_labels_that_prometheus_stores() -> None:
    assert of_text(ANSWER, ("loki_",)) == {
        "loki_lines_total": Row("counter", ("exported_app", "policy", "tenant")),
        "loki_hits": Row("counter", ()),
        "loki_seconds": Row("histogram", ("route",)),
        "loki_wait": Row("summary", ()),
    }


@pytest.mark.parametrize("server", sorted({server for server, _ in SERVERS.values()}))
def test_the_files_are_written_as_a_run_writes_them(server: str) -> None:
    text = (UPSTREAM / server / "metrics.yaml").read_text()
    assert "".join(written(text, yaml.safe_load(text))) == text


def test_a_run_moves_what_it_saw_and_leaves_the_rest(tmp_path: Path) -> None:
    shutil.copytree(UPSTREAM / "dlq", tmp_path / "dlq")
    path = tmp_path / "dlq" / "metrics.yaml"
    before = yaml.safe_load(path.read_text())
    seen = {"dlq_depth_messages": Row("gauge", ("queue",)), "dlq_new_total": Row("counter", ("op",))}
    record("dlq", seen, "dlq 1", tmp_path)
    after = yaml.safe_load(path.read_text())
    assert after["provoked"].startswith("dlq 1 ")
    assert after["metrics"]["dlq_new_total"] == {"type": "counter", "labels": ["op"]}
    assert "provoked" not in after["metrics"]["dlq_depth_messages"]
    assert after["metrics"]["dlq_messages_total"] == before["metrics"]["dlq_messages_total"] | {"provoked": "alone"}
    assert after["ways"]["alone"] == before["provoked"]
    text = path.read_text()
    record("dlq", {}, "dlq 1", tmp_path)
    record("dlq", seen, "dlq 1", tmp_path)
    assert path.read_text() == text


def test_who_has_begun_to_read_while_a_run_writes_finds_the_old_file(tmp_path: Path) -> None:
    shutil.copytree(UPSTREAM / "dlq", tmp_path / "dlq")
    path = tmp_path / "dlq" / "metrics.yaml"
    before = path.read_text()
    with path.open() as reader:
        record("dlq", {"dlq_new_total": Row("counter", ("op",))}, "dlq 1", tmp_path)
        assert reader.read() == before != path.read_text()


def test_what_a_run_sees_otherwise_is_said() -> None:
    known = upstream.metrics("dlq")["dlq_depth_messages"]
    assert strange("dlq", {"dlq_depth_messages": Row(known.type, known.labels)}) == []
    said = strange("dlq", {"dlq_depth_messages": Row("counter", ("queue", "pod_")), "dlq_depth": Row("gauge", ())})
    assert [line.split()[1] for line in said] == ["dlq_depth", "dlq_depth_messages"]
