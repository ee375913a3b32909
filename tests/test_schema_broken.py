"""A schema that somebody broke while editing it is told with its place, and never as a traceback."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest

from obsgen import reference
from obsgen.problem import ProblemsError
from obsgen.road import schema
from obsgen.shape import check_shape


def test_a_schema_that_is_no_json_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "observability.schema.json").write_text('{\n  "a": "b" "c"\n}\n', encoding="utf-8")
    ran = subprocess.run([sys.executable, "-m", "obsgen.schema_profile"], cwd=tmp_path, capture_output=True, text=True)
    place = "schemas/observability.schema.json:2:12"
    said = f"{place}: Expecting ',' delimiter (look for a comma too many or too few before this) [schema/json]\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", said)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"$ref": "#/$defs/nowhere"}, "schemas: no JSON Schema: Pointer '/$defs/nowhere' does not exist [schema/invalid]"),
        ({"properties": {"a": {"minimum": "1"}}}, "schemas: no JSON Schema: properties.a.minimum: "),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_is_told_with_the_word_that_is_wrong(broken: dict, said: str) -> None:
    with pytest.raises(ProblemsError, match="schema/invalid") as stopped:
        check_shape({}, lambda path, key: None, broken)
    assert str(stopped.value).startswith(said)
    assert stopped.value.could_not_run


def test_the_reference_names_every_key_that_says_too_little_of_itself() -> None:
    broken = copy.deepcopy(schema("observability"))
    del broken["$defs"]["team"]["description"]
    del broken["$defs"]["channel-slack"]["properties"]["channel"]["examples"]
    del broken["properties"]["output"]["x-why"]
    with pytest.raises(ProblemsError) as stopped:
        reference.grammar(broken)
    assert [problem.fact for problem in stopped.value.problems] == [
        "channel-slack.channel has no examples",
        "team has no description",
        "top.output has no x-why",
    ]
