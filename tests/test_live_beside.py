"""What shares and runs of the live tests write beside each other. Once a run read a file that another was writing: it was empty."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from live import beside

TEXTS = "old\n" * 50_000, "new\n" * 50_000


def test_who_reads_beside_a_writer_finds_the_old_text_or_the_new(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    beside.write(file, TEXTS[0])

    def written() -> None:
        for count in range(200):
            beside.write(file, TEXTS[count % 2])

    with ThreadPoolExecutor(1) as writer:
        ended, found = writer.submit(written), set()
        while not ended.done():
            found.add(file.read_text())
    assert found == {*TEXTS}
    assert [one.name for one in tmp_path.iterdir()] == ["metrics.yaml"]


def test_no_writing_is_lost_of_those_who_write_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "count"

    def counted(_: int) -> None:
        with beside.alone(file.parent):
            beside.write(file, str(int(file.read_text() if file.exists() else 0) + 1))

    with ThreadPoolExecutor(4) as runs:
        list(runs.map(counted, range(200)))
    assert file.read_text() == "200"
