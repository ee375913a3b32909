"""The schemas say what the model says, explain it, and refuse what would look right and do nothing."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs
import msgspec
import pytest

from obsgen import model
from obsgen.assets import SCHEMAS, TEMPLATES
from obsgen.schema_profile import profile_schema
from obsgen.stack import stack

ROOT = Path(__file__).parents[1]
SCHEMA: dict[str, Any] = json.loads((SCHEMAS / "observability.schema.json").read_text(encoding="utf-8"))
PROFILE: dict[str, Any] = json.loads((SCHEMAS / "profile.schema.json").read_text(encoding="utf-8"))
DEFS: dict[str, Any] = SCHEMA["$defs"]
PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its `$ref` filled in; its own words, and words of its own properties, win."""
    if "$ref" not in schema:
        return schema
    base = resolved(DEFS[schema["$ref"].removeprefix("#/$defs/")])
    merged = {**base, **schema}
    if "properties" in base:
        own = schema.get("properties", {})
        merged["properties"] = {name: {**spec, **own.get(name, {})} for name, spec in base["properties"].items()}
    return merged


def schemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every map of the schema document, with its path."""
    if isinstance(node, dict):
        yield path, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from schemas(value, f"{path}/{key}")


def is_schema_of_a_map(path: str, node: dict[str, Any]) -> bool:
    return node.get("type") == "object" and not path.endswith(("/properties", "/if"))


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path of the map, key, schema as written) of every key that a writer may use."""
    for path, node in schemas(SCHEMA):
        if is_schema_of_a_map(path, node):
            for key, spec in node.get("properties", {}).items():
                yield path, key, spec


def struct_in(kind: Any) -> Any:
    """The struct inside `Struct`, `Struct | None`, `Mapping[str, Struct]` or `tuple[Struct, ...]`; else None."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(struct_in, typing.get_args(kind))), None)


def of_its_values(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of one entry, where the property is a map or a list of them."""
    found = resolved(schema)
    while entry := found.get("items") or found.get("additionalProperties"):
        found = resolved(entry)
    return found


def fields(struct: Any = model.Declaration, schema: dict[str, Any] = SCHEMA, path: str = "") -> Iterator[Any]:
    """(path, fields of the struct by name, schema of the same map), from the root down."""
    here = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    yield path, here, schema
    for name, field in here.items():
        if (inner := struct_in(field.type)) and name in schema["properties"]:
            yield from fields(inner, of_its_values(schema["properties"][name]), f"{path}.{name}".strip("."))


def model_default(field: Any) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def complaints(name: str, value: Any, schema: dict[str, Any] = SCHEMA) -> list[str]:
    """What is wrong with `value` as one of `$defs`: the schema's own words where it has some, else the validator's."""
    found = []
    for error in jsonschema_rs.validator_for({"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"}).iter_errors(value):
        node: Any = schema
        for step in error.schema_path[:-1]:
            node = node[int(step) if isinstance(node, list) else step]
        found.append(node.get("x-message", error.message))
    return found


@pytest.mark.parametrize("schema", [SCHEMA, PROFILE], ids=["observability", "profile"])
def test_a_schema_is_json_schema_2020_12(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert jsonschema_rs.meta.is_valid(schema)


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    used = {node["$ref"].removeprefix("#/$defs/") for _, node in schemas(SCHEMA) if isinstance(node.get("$ref"), str)}
    assert used == set(DEFS)


def test_every_key_says_what_it_does_and_shows_an_example() -> None:
    silent = [(path, key) for path, key, spec in properties() if not spec.get("description")]
    bare = [(path, key) for path, key, spec in properties() if not resolved(spec).get("examples")]
    assert (silent, bare) == ([], [])


def test_every_default_says_why_and_nothing_else_does() -> None:
    assert [(path, key) for path, key, spec in properties() if ("default" in spec) != bool(spec.get("x-why"))] == []


def test_every_example_and_default_is_valid() -> None:
    wrong = []
    for path, node in schemas({"$defs": DEFS, "properties": SCHEMA["properties"]}):
        if not isinstance(node.get("description"), str) or not isinstance(node.get("examples", []), list):
            continue  # a property that is called description or examples
        validator = jsonschema_rs.validator_for({"$defs": DEFS, **{k: v for k, v in node.items() if k != "$defs"}})
        values = [*node.get("examples", []), *([node["default"]] if "default" in node else [])]
        wrong += [(path, value) for value in values if not validator.is_valid(value)]
    assert wrong == []


def test_schema_and_model_know_the_same_keys() -> None:
    unequal = {path: set(here) ^ set(schema["properties"]) for path, here, schema in fields()}
    assert {path: names for path, names in unequal.items() if names} == {}


def test_schema_and_model_require_the_same_keys() -> None:
    for path, here, schema in fields():
        needed = {name for name, field in here.items() if field.required}
        assert (path, needed) == (path, set(schema.get("required", [])))


def test_schema_and_model_have_the_same_defaults() -> None:
    for path, here, schema in fields():
        for name, field in here.items():
            spec = resolved(schema["properties"][name])
            if field.required or model_default(field) is None:
                assert (path, name, "default" in spec) == (path, name, False)
            else:
                default = msgspec.convert(spec["default"], field.type)
                assert (path, name, default) == (path, name, model_default(field))


def test_schema_and_model_offer_the_same_choices() -> None:
    compared = 0
    for path, here, schema in fields():
        for name, field in here.items():
            if typing.get_origin(field.type) is Literal:
                choices = resolved(schema["properties"][name])["enum"]
                assert (path, name, choices) == (path, name, list(typing.get_args(field.type)))
                compared += 1
    assert compared > 5


def test_a_map_is_closed_or_its_keys_are_bound() -> None:
    loose = [
        path
        for path, node in schemas(SCHEMA)
        if is_schema_of_a_map(path, node)
        and node.get("additionalProperties") is not False
        and "propertyNames" not in node
    ]
    assert loose == ["/$defs/raw/properties/patch", "/$defs/channel"]  # the server's own keys; closed by each type


def test_alternatives_are_if_and_then_because_messages_of_the_others_mislead() -> None:
    assert [path for path, node in schemas(SCHEMA) if {"oneOf", "anyOf", "dependentRequired"} & set(node)] == []


def test_a_condition_on_type_also_asks_for_type_or_every_branch_would_judge() -> None:
    conditions = [node["if"] for _, node in schemas(SCHEMA) if "if" in node]
    on_type = [condition for condition in conditions if "type" in condition.get("properties", {})]
    assert on_type
    assert all(condition["required"] == ["type"] for condition in on_type)


def test_a_condition_that_demands_or_forbids_a_key_says_it_in_words() -> None:
    branches = [node[word] for _, node in schemas(SCHEMA) for word in ("then", "else") if "if" in node and word in node]
    assert [branch for branch in branches if "$ref" not in branch and not branch.get("x-message")] == []


def test_every_channel_type_has_a_branch_and_a_receiver_template() -> None:
    types = DEFS["channel"]["properties"]["type"]["enum"]
    branches = {name.removeprefix("channel-") for name in DEFS if name.startswith("channel-")}
    judged = {rule["if"]["properties"]["type"]["const"]: rule["then"]["$ref"] for rule in DEFS["channel"]["allOf"]}
    templates = {path.name.removesuffix(".yaml.j2") for path in (TEMPLATES / "alertmanager/receivers").glob("*.j2")}
    assert branches == set(types)
    assert judged == {name: f"#/$defs/channel-{name}" for name in types}
    assert templates == set(types)


ASKED = {"group": "g", "summary": "s", "description": "d"}
QUERY = {**ASKED, "query": "up", "levels": {"warning": {"above": 1}}}
EXPR = {**ASKED, "expr": "up == 0", "severity": "critical"}
LOGQL = {**ASKED, "logql": 'rate({app="a"}[5m])'}
SLACK = {"type": "slack", "channel": "#a"}
EMAIL = {"type": "email", "to": "a@b.example", "from": "c@d.example", "smarthost": "m.example:25"}
BUCKET = {"type": "s3", "bucket": "auralink-logs", "region": "us-east-1"}
SECRET = {"secret": "s"}
REDIS = {"password": SECRET}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert", QUERY),
        ("alert", EXPR),
        ("alert", {**LOGQL, "severity": "info"}),
        ("alert", {**LOGQL, "levels": {"info": {"below": 2, "for": "1h30m"}}}),
        ("alert", {**EXPR, "team": "a", "for": "5m", "summary": "ä 🔥 {{ $value }}"}),
        ("alert", {**EXPR, "description": "two\nlines\tand a tab"}),
        ("pack", {"alerts": {"RedisDown": {"for": "2m"}, "RedisMemoryHigh": None}}),
        ("pack", {"alerts": {"DLQDepthHigh": {"levels": {"warning": {"for": "5m"}}}}}),
        ("channel", {**SLACK, "webhook": SECRET}),
        ("channel", {**SLACK, "app_token": SECRET}),
        ("channel", {"type": "webhook", "url": SECRET, "max_alerts": 1, "send_resolved": False}),
        ("channel", {"type": "webhook", "address": "http://bot.chat:8080/alerts"}),
        ("channel", {"type": "teams", "webhook": SECRET}),
        ("channel", {"type": "pagerduty", "routing_key": SECRET}),
        ("channel", EMAIL),
        ("channel", {**EMAIL, "to": "a@b.example, c@d.example", "username": "u", "password": SECRET}),
        ("object-store", {**BUCKET, "access_key": SECRET, "secret_key": SECRET}),
        ("object-store", {**BUCKET, "service_account": {}}),
        ("redis", REDIS),
        ("redis", {**REDIS, "deploy": False, "address": "redis.data:6379"}),
        ("redis", {**REDIS, "deploy": True}),
        ("loki", {"schema": {"2025-10-01": {}}}),
        ("objective", {"max": "5s"}),
        ("objective", {"max": 0}),
    ],
)
def test_what_is_right_is_accepted(name: str, value: Any) -> None:
    assert complaints(name, value) == []


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("alert", ASKED, "an alert needs a question: query, expr or logql"),
        ("alert", {**EXPR, **QUERY, "severity": "info"}, "an alert asks one question: query, expr or logql"),
        ("alert", {**EXPR, **LOGQL}, "an alert asks one question: query, expr or logql"),
        ("alert", {**QUERY, **LOGQL}, "an alert asks one question: query, expr or logql"),
        ("alert", {**ASKED, "query": "up"}, "query is a number: say in levels from which value it is an alert"),
        ("alert", {**QUERY, "levels": {}}, "{} has less than 1 property"),
        ("alert", {**ASKED, "expr": "up == 0"}, "expr needs severity: which of the severities it is"),
        ("alert", LOGQL, "logql needs levels, or a threshold of its own and severity"),
        ("alert", {**EXPR, "levels": QUERY["levels"]}, "levels go with query or logql; expr holds its own threshold"),
        (
            "alert",
            {**QUERY, "severity": "info"},
            "the keys of levels are the severities: severity beside them does nothing",
        ),
        ("alert", {**QUERY, "for": "5m"}, "each of the levels has its own for: one beside them does nothing"),
        (
            "alert",
            {**QUERY, "keep_firing_for": "5m"},
            "each of the levels has its own keep_firing_for: one beside them does nothing",
        ),
        ("alert", {**EXPR, "team": "a", "service": "b"}, "an alert has one owner: team, service or team_of"),
        ("alert", {**EXPR, "team": "a", "team_of": "app"}, "an alert has one owner: team, service or team_of"),
        ("alert", {**EXPR, "service": "a", "team_of": "app"}, "an alert has one owner: team, service or team_of"),
        ("level", {"for": "5m"}, "a level needs above or below"),
        ("level", {"above": 1, "below": 2}, "a level has above or below, not both"),
        ("channel", SLACK, "a Slack channel needs webhook or app_token"),
        (
            "channel",
            {**SLACK, "webhook": SECRET, "app_token": SECRET},
            "a Slack channel is reached by webhook or by app_token, not by both",
        ),
        ("channel", {"type": "webhook"}, "a webhook needs url (a secret) or address (no secret)"),
        (
            "channel",
            {"type": "webhook", "url": SECRET, "address": "http://a.example"},
            "a webhook has url (a secret) or address (no secret), not both",
        ),
        ("channel", {"type": "pagerduty"}, '"routing_key" is a required property'),
        ("channel", {"type": "teams"}, '"webhook" is a required property'),
        ("channel", {"channel": "#a"}, '"type" is a required property'),
        ("channel", {**EMAIL, "username": "u"}, "username works only with password"),
        ("channel", {**EMAIL, "password": SECRET}, "password works only with username"),
        ("object-store", {**BUCKET, "access_key": SECRET}, "access_key works only with secret_key"),
        ("object-store", {**BUCKET, "secret_key": SECRET}, "secret_key works only with access_key"),
        (
            "object-store",
            {**BUCKET, "access_key": SECRET, "secret_key": SECRET, "service_account": {}},
            "say the two keys or service_account, not both",
        ),
        ("redis", {**REDIS, "deploy": False}, "deploy: false means a Redis you run: say its address"),
        ("objective", {}, "{} has less than 1 property"),
    ],
)
def test_what_would_do_nothing_is_refused_in_the_writers_words(name: str, value: Any, complaint: str) -> None:
    assert complaints(name, value) == [complaint]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert", {**EXPR, "sumary": "s"}),
        ("alert", {**EXPR, "summary": "bell \x07"}),
        ("alert", {**EXPR, "summary": "two\nlines"}),
        ("alert", {**EXPR, "description": "null \x00"}),
        ("alert", {**EXPR, "runbook": {"meaning": "escape \x1b[31m"}}),
        ("alert", {**EXPR, "for": "5 minutes"}),
        ("alert", {**EXPR, "severity": "critical-ai"}),
        ("pack", {"alerts": {"RedisDown": {"form": "2m"}}}),
        ("pack", {"alerts": {"RedisDown": {"group": None}}}),
        ("channel", {**EMAIL, "to": "a@b.example\r\nBcc: c@d.example"}),
        ("channel", {**EMAIL, "smarthost": "m.example"}),
        ("channel", {**SLACK, "webhook": "https://hooks.slack.example/services/T0/B0/x"}),
        ("channel", {**SLACK, "webhook": SECRET, "too": "a"}),
        ("channel", {"type": "webhook", "address": "https://user:word@a.example"}),
        ("channel", {"type": "webhook", "address": "https://a.example/?token=x"}),
        ("channel", {"type": "carrier-pigeon"}),
        ("object-store", {**BUCKET, "bucket": "s3://auralink-logs"}),
        ("loki", {"schema": {"2025-10": {}}}),
        ("loki", {"storage": "10GB"}),
        ("objective", {"max": "5 s"}),
        ("name", "Auralink"),
        ("name", "a" * 64),
        ("alert-name", "dlqHighVolume"),
        ("alert-name", "A" * 61),
        ("queue", "rooms create"),
        ("group", "rooms_test"),
        ("queue", "rooms}:create"),
        ("label", "trace-id"),
        ("version", "3"),
    ],
)
def test_what_is_wrong_is_refused(name: str, value: Any) -> None:
    assert len(complaints(name, value)) == 1


def test_no_word_lets_a_newline_in_at_its_end() -> None:
    """Some regular expression engines let `$` match before a final newline: ours must not."""
    words = {name: spec for name, spec in DEFS.items() if "pattern" in spec and name not in ("text", "query")}
    assert [name for name, spec in words.items() if not complaints(name, spec["examples"][0] + "\n")] == []


def test_the_profile_schema_is_made_from_the_declarations() -> None:
    made = json.dumps(profile_schema(SCHEMA), indent=2, ensure_ascii=False) + "\n"
    assert (SCHEMAS / "profile.schema.json").read_text(encoding="utf-8") == made, "run: python -m obsgen.schema_profile"


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of every map, by path from the top; lists are values."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from paths(inner, (*path, key))


def nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def test_a_profile_may_delete_every_key_but_those_that_say_what_the_file_is() -> None:
    declared = stack(ROOT / "observability.yaml", None, ROOT / "profiles").data
    profile = jsonschema_rs.validator_for(PROFILE)
    kept = [path for path in paths(declared) if not profile.is_valid(nested(path, None))]
    assert kept == [("apiVersion",), ("kind",)]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"extends": "prod"},
        {"alerts": {"DLQHighVolume": {"levels": {"warning": {"above": 20}}}}},
        {"alerts": {"DLQHighVolume": {"query": None, "levels": None, "expr": "up == 0", "severity": "info"}}},
        {"teams": {"platform": {"channels": {"chat": {"channel": "#dev"}}}}},
        {"teams": {"platform": {"channels": {"chat": {"type": "teams", "channel": None, "webhook": SECRET}}}}},
        {"loki": {"object_store": {"access_key": None, "secret_key": None, "service_account": {}}}},
    ],
)
def test_a_profile_may_say_a_part(value: Any) -> None:
    assert list(jsonschema_rs.validator_for(PROFILE).iter_errors(value)) == []


@pytest.mark.parametrize(
    ("objectives", "valid"),
    [
        ({"log_volume": {"max": "1GB"}, "log_latency": {"max": "5s"}, "dlq_depth": {"max": 100}}, True),
        ({"rooms_created": {"max": "5s"}}, True),
        ({"log_volume": {"max": "5s"}}, False),
        ({"log_latency": {"max": "1GB"}}, False),
        ({"log_latency": {"max": 5}}, False),
        ({"log_retention": {"max": "30d"}}, False),
        ({"dlq_depth": {"max": "100"}}, False),
        ({"dlq_depth": {"ratio": 0.5}}, False),
        ({"dlq_depth": {"max": 100, "par": "service"}}, False),
    ],
)
def test_an_objective_that_rules_are_made_of_has_a_bound_of_the_right_kind(objectives: Any, valid: bool) -> None:
    checked = jsonschema_rs.validator_for({"$defs": DEFS, **SCHEMA["properties"]["objectives"]})
    assert checked.is_valid(objectives) == valid


@pytest.mark.parametrize(
    "value",
    [
        {"extend": "prod"},
        {"loki": {"retension": {"default": "3d"}}},
        {"loki": {"retention": {"default": "3 days"}}},
        {"alerts": {"DLQHighVolume": {"levels": {"warning": {"over": 20}}}}},
        {"alerts": {"DLQHighVolume": {"levels": {"warning": {"above": "20"}}}}},
        {"teams": {"platform": {"channels": {"chat": {"type": "slack", "chanel": "#dev"}}}}},
        {"severities": {"info": {"notify": []}}},
    ],
)
def test_a_profile_may_not_say_what_the_declaration_may_not(value: Any) -> None:
    assert not jsonschema_rs.validator_for(PROFILE).is_valid(value)


def test_the_shipped_declaration_is_valid_by_itself() -> None:
    declared = stack(ROOT / "observability.yaml", None, ROOT / "profiles").data
    assert list(jsonschema_rs.validator_for(SCHEMA).iter_errors(declared)) == []


def test_the_promised_profiles_are_there() -> None:
    assert {"dev", "staging", "prod"} <= set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_profile_is_valid_by_itself_and_over_the_declaration(name: str) -> None:
    layers = stack(ROOT / "observability.yaml", name, ROOT / "profiles")
    for profile in layers.profiles:
        assert list(jsonschema_rs.validator_for(PROFILE).iter_errors(profile.data)) == []
    assert list(jsonschema_rs.validator_for(SCHEMA).iter_errors(layers.data)) == []


def test_the_profiles_deploy_to_three_places() -> None:
    loaded = [stack(ROOT / "observability.yaml", name, ROOT / "profiles").data for name in ("dev", "staging", "prod")]
    dev, staging, prod = (model.declaration(data, SCHEMA) for data in loaded)
    assert (dev.cluster, staging.cluster, prod.cluster) == ("dev", "stage", "use1")
    assert dev.loki.object_store is None
    assert staging.loki.object_store and prod.loki.object_store
    assert staging.loki.object_store.bucket != prod.loki.object_store.bucket
    assert (dev.loki.retention.default, prod.loki.retention.default) == ("3d", "30d")
    assert prod.logging.agent == model.Agent(type="promtail", namespace="auralink-agents")


def test_a_channel_of_the_typed_declaration_carries_its_types_defaults() -> None:
    declared = model.declaration(stack(ROOT / "observability.yaml", "prod", ROOT / "profiles").data, SCHEMA)
    assert declared.teams["platform"].channels["mail"]["require_tls"] is True
    assert declared.routing.watchdog
    assert declared.routing.watchdog["max_alerts"] == 0


@pytest.mark.parametrize("file", ["observability.yaml", *(f"profiles/{name}.yaml" for name in PROFILES)])
def test_an_editor_finds_the_schema_from_the_first_line(file: str) -> None:
    first = (ROOT / file).read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    expected = "observability" if file == "observability.yaml" else "profile"
    assert ((ROOT / file).parent / found[1]).resolve() == (ROOT / f"schemas/{expected}.schema.json").resolve()
