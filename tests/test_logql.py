"""What the LogQL reader accepts and refuses, and what it says of queries. Verdicts agree with `logcli fmt` 3.7.6 but
where a query is refused on purpose that Loki refuses only when it runs it (see `ONLY_WHEN_RUN`)."""

import pytest

from obsgen.logql import Matcher, Query, QueryError, parse


def shown(query: Query) -> str:
    """Labels of the outermost aggregation: `a b`; `*` where the series keep their own."""
    return "*" if query.grouping is None else " ".join(sorted(query.grouping))


LINES = [
    '{a="b"}',
    '({a="b"} | json)',
    "{a=`b`}",
    '{a="b", c!="d", e=~"f.+", g!~"h"}',
    '{a=~".*", b=~".+"}',
    '{a!=""}',
    '{a=~"x|y"} # the rest is a comment | nonsense (',
    '{a="b"}\n  # a comment of its own\n  |= "c"',
    '{app="dashboard-service", level="ERROR"} |= "" | json',
    '{app=~".*-service"} | json | user_id="user_123"',
    '{app=~".*-service"} | json | trace_id="abc123..."',
    '{app="dashboard-service"} | json | duration_ms > 1000',
    '{app=~".*-service"} |= "circuit breaker" | json | state="open"',
    '{service_name="dashboard-service"} | detected_level="error"',
    '{namespace="auralink"} | user_id="user_123"',
    '{namespace="auralink"} |= "user_123" | json user_id="user_id" | user_id="user_123"',
    '{namespace="auralink"} |= "abc123"',
    '{service_name="dashboard-service"} |= "duration_ms" | json duration_ms="context.duration_ms" '
    '| duration_ms > 1000 | __error__=""',
    '{app="x"} | json | context_duration_ms > 1000',
    '{namespace="auralink"} |~ "(?i)circuit breaker" | json state="context.state" | state="open"',
    '{a="b"} |= "x" or "y" or "z" != "q" !~ `\\d+` |> "<_> error <_>" !> "ok <_>"',
    '{a="b"} |= ip("10.0.0.0/8") != ip("10.0.0.1") or "x"',
    '{a="b"} |= "tab\\t \\"quoted\\" \\u00e9 \\x41"',
    '{a="b"} | logfmt --strict --keep-empty',
    '{a="b"} | logfmt --strict x="y", z | z=`1`',
    '{a="b"} | regexp "(?P<method>\\\\w+) (?P<path>[^ ]+)"',
    '{a="b"} | pattern "<ip> - <_> [<_>] <method>"',
    '{a="b"} | unpack | decolorize | line_format "{{ $x := .msg }}{{ $x }}"',
    '{a="b"} | json | label_format x=y, z="{{.w}}"',
    '{a="b"} | json x="a.b[0][\\"c d\\"]", y, z="[1]"',
    '{a="b"} | drop x, y=~"z.*" | keep q, r="s"',
    '{a="b"} | drop x != "line filter"',
    '{a="b"} | x="y" and z!="w" or q=~"r" , s!~"t" u="v"',
    '{a="b"} | (x="y" or (z > 5 and w <= 1.5e3)) != "line"',
    '{a="b"} | d > 5m | d >= 1h30m | d < 1.5s | d != -10s | d == 1d12h',
    '{a="b"} | s > 5MB | s <= 1.5GiB | s == 10B | s = 5k',
    '{a="b"} | addr=ip("10.0.0.1-10.0.0.9") or addr!=ip("::1")',
    '{a="b"} |JSON|x="y"',
    '{rate="x", sum="y", ip="z"} | count > 1',
    '{a="b"} | n = -5 | m == +1',
    '{a=~"\\\\Qa.b\\\\E"}',
]

# query | labels of the outermost aggregation | can be empty by its own doing | ranges in seconds
METRICS = [
    ('rate({a="b"}[5m])', "*", False, (300,)),
    ('rate(({a="b"} |= "x")[5m])', "*", False, (300,)),
    ('rate(({a="b"} | json [1m]))', "*", False, (60,)),
    ('rate({a="b"}[5m] | json | x="y")', "*", False, (300,)),
    ('rate({a="b"}[5m] offset 1h | json)', "*", False, (300,)),
    ('rate({a="b"} | json [5m] offset -30m)', "*", False, (300,)),
    ('count_over_time({a="b"}[1d12h]) > 0', "*", True, (129_600,)),
    ('count_over_time({a="b"}[500ms])', "*", False, (0.5,)),
    ('bytes_rate({a="b"}[5m])', "*", False, (300,)),
    ('bytes_over_time({a="b"}[1h]) > bool 5', "*", False, (3_600,)),
    ('absent_over_time({app="x", env=~"p.+"}[5m])', "app", True, (300,)),
    ('absent_over_time({app="x", app!="y", env="p"} | json [5m])', "env", True, (300,)),
    ('sum(rate({app=~".*-service"}[5m])) by (app, level)', "app level", False, (300,)),
    ('sum(rate({app=~".*-service", level="ERROR"}[5m])) by (app)', "app", False, (300,)),
    ('sum by (app) (count_over_time({a="b"}[5m])) > 0', "app", True, (300,)),
    (
        'sum by (namespace, app) (rate({namespace="auralink"} | detected_level=~"error|fatal|critical" [5m])) > 1',
        "app namespace",
        True,
        (300,),
    ),
    (
        'sum by (app) (count_over_time({namespace="auralink"} |= "ircuit breaker" | json state="context.state"'
        ' | state="open" [5m])) > 0',
        "app",
        True,
        (300,),
    ),
    (
        'sum by (app) (count_over_time({namespace="auralink"} |= "duration_ms" | json duration_ms="context.duration_ms"'
        ' | duration_ms > 1000 | __error__="" [5m])) > 100',
        "app",
        True,
        (300,),
    ),
    ('sum by (namespace, app) (bytes_rate({namespace="auralink"}[5m]))', "app namespace", False, (300,)),
    ('sum by(app)(count_over_time({app=~".+"} | json | __error__!="" [5m]))', "app", False, (300,)),
    ('SUM BY (app) (RATE({a="b"}[5m]))', "app", False, (300,)),
    ('sum(rate({a="b"}[5m]))', "", False, (300,)),
    ('sum without (pod) (rate({a="b"}[5m]))', "*", False, (300,)),
    ('sum without (pod) (sum by (pod, app) (rate({a="b"}[5m])))', "app", False, (300,)),
    ('topk(5, sum by (app) (rate({a="b"}[5m])))', "app", False, (300,)),
    ('bottomk by (app) (1, rate({a="b"}[5m]))', "*", False, (300,)),
    ('approx_topk(5, sum by (app) (rate({a="b"}[5m])))', "app", False, (300,)),
    ('sort_desc(sum by (app) (rate({a="b"}[5m])))', "app", False, (300,)),
    ('stddev(rate({a="b"}[5m])) + stdvar(rate({a="b"}[1m]))', "", False, (300, 60)),
    ('sum_over_time({a="b"} | json | unwrap bytes_sent | __error__="" [5m])', "*", False, (300,)),
    ('quantile_over_time(0.99, {a="b"} | logfmt | unwrap duration(took) [5m]) by (app)', "app", False, (300,)),
    ('quantile_over_time(0.99, {a="b"}[5m] | logfmt | unwrap bytes(size)) by (app) > 2', "app", True, (300,)),
    ('avg_over_time(({a="b"} | unwrap duration_seconds(x))[5m]) without (pod)', "*", False, (300,)),
    ('rate_counter({a="b"} | unwrap x [5m]) + first_over_time({a="b"}[1m] | unwrap x)', "*", False, (300, 60)),
    ('sum by (x) (rate({a="b"}[5m])) / sum by (x) (rate({a="b"}[5m]))', "x", False, (300, 300)),
    ('sum by (x, y) (rate({a="b"}[5m])) / on (x) sum by (x, y) (rate({a="b"}[5m]))', "x", False, (300, 300)),
    (
        'sum by (x, y) (rate({a="b"}[5m])) / ignoring (y) group_left sum by (x) (rate({a="b"}[5m])) > bool 1',
        "x y",
        False,
        (300, 300),
    ),
    (
        'sum by (x) (rate({a="b"}[5m])) * on (x) group_left (z) sum by (x, z) (rate({a="b"}[5m]))',
        "x z",
        False,
        (300, 300),
    ),
    ('sum by (x) (rate({a="b"}[5m])) and rate({a="b"}[5m])', "x", False, (300, 300)),
    ('sum by (x) (rate({a="b"}[5m])) unless sum by (x) (rate({a="c"}[5m]))', "x", True, (300, 300)),
    ('sum by (x) (rate({a="b"}[5m])) or sum by (y) (rate({a="b"}[5m]))', "x y", False, (300, 300)),
    ('sum(rate({a="b"}[5m])) > 5 or vector(0)', "", False, (300,)),
    ('(sum(rate({a="b"}[5m])) or vector(0)) < 1', "", True, (300,)),
    ('sum(rate({a="b"}[5m])) ^ 2 ^ 0.5 % 3 * 4 - 1 != 7', "", True, (300,)),
    ('label_replace(sum by (a) (rate({a="b"}[5m])), "dst", "$1", "a", "(.*)")', "a dst", False, (300,)),
    ("vector(1)", "", False, ()),
    ("1 > 2", "", False, ()),
    ('10 < sum(count_over_time({a="b"}[1w]))', "", True, (604_800,)),
]

# query | the message holds | what it points at, to the end of the query
BAD: list[tuple[str, str, str | None]] = [
    ("", "empty", ""),
    ("# only a comment", "empty", None),
    ('{a="b"', "ends too early", ""),
    ('{a="b}', "not closed", '"b}'),
    ("{a=`b}", "not closed", "`b}"),
    ("{a='b'}", "double quotes or backticks", "'b'}"),
    ("{a=b}", "unexpected 'b'", "b}"),
    ('{a=="b"}', "unexpected '=='", '=="b"}'),
    ('{json="x"}', "a word of LogQL", 'json="x"}'),
    ('{a="b",}', "unexpected '}'", "}"),
    ("{}", "selects every stream", "{}"),
    ('{a=~".*"}', "selects every stream", '{a=~".*"}'),
    ('{a=""}', "selects every stream", '{a=""}'),
    ('{a!="b", c=~"|x"}', "selects every stream", '{a!="b", c=~"|x"}'),
    ('rate({a!~".+"}[5m])', "selects every stream", '{a!~".+"}[5m])'),
    ('sum(rate({a="b"}[5m])) / sum(rate({a=~"x*"}[5m]))', "selects every stream", '{a=~"x*"}[5m]))'),
    ('{a=~"("}', "not a regular expression", '"("}'),
    ('{a=~"(?!x)y"}', "not a regular expression", '"(?!x)y"}'),
    ('{a="b"} |= "\\d"', "no escape", '"\\d"'),
    ('{a="b"} |= foo', "unexpected 'foo'", "foo"),
    ('{a="b"} |= "x" and "y"', "unexpected 'and'", 'and "y"'),
    ('{a="b"} | line_fmt "x"', "unexpected '\"x\"'", '"x"'),
    ('{a="b"} | x > "5"', "unexpected '\"5\"'", '"5"'),
    ('{a="b"} | x == "5"', "unexpected '\"5\"'", '"5"'),
    ('{a="b"} | x > 5kb', "ends too early", ""),
    ('{a="b"} | x > 1h1d', "not a duration", "1h1d"),
    ('{a="b"} | json="x"', "unexpected '='", '="x"'),
    ('{a="b"} | distinct x', "unexpected 'x'", "x"),
    ('{a="b"} | regexp "\\\\w+"', "no named group", '"\\\\w+"'),
    ('{a="b"} | pattern "<_> x"', "no capture", '"<_> x"'),
    ('{a="b"} | pattern "<x><y>"', "between two captures", '"<x><y>"'),
    ('{a="b"} | pattern "<x> <x>"', "twice", '"<x> <x>"'),
    ('{a="b"} or {c="d"}', "unexpected 'or'", 'or {c="d"}'),
    ('{a="b"}[5m]', "unexpected '[5m]'", "[5m]"),
    ('rate({a="b"})', "a range such as [5m] is missing", ")"),
    ('rate({a="b"}[5m)', "] is missing", "[5m)"),
    ('rate({a="b"}[5 m])', "not a duration", "[5 m])"),
    ('rate({a="b"}[])', "not a duration", "[])"),
    ('rate({a="b"}[5m]', "ends too early", ""),
    ('rate({a="b"} | json [5m] | y="z")', "unexpected '|'", '| y="z")'),
    ('rate({a="b"}[5m])) > 1', "unexpected ')'", ") > 1"),
    ('sum(rate({a="b"}[5m])) = 5', "== compares", "= 5"),
    ('sum(rate({a="b"}[5m])) by app', "unexpected 'app'", "app"),
    ('sum({a="b"})', "unexpected '{'", '{a="b"})'),
    ('count({a="b"}[5m])', "unexpected '{'", '{a="b"}[5m])'),
    ('foo(rate({a="b"}[5m]))', "unexpected 'foo'", 'foo(rate({a="b"}[5m]))'),
    ("up > 1", "unexpected 'up'", "up > 1"),
    ('topk(sum(rate({a="b"}[5m])))', "needs a number first", 'topk(sum(rate({a="b"}[5m])))'),
    ('topk(0, rate({a="b"}[5m]))', "above 0", '0, rate({a="b"}[5m]))'),
    ('sum(5, rate({a="b"}[5m]))', "takes no number", 'sum(5, rate({a="b"}[5m]))'),
    ('sort by (a) (rate({a="b"}[5m]))', "takes no grouping", 'sort by (a) (rate({a="b"}[5m]))'),
    ('rate({a="b"}[5m]) by (a)', "takes no grouping", 'rate({a="b"}[5m]) by (a)'),
    ('avg_over_time({a="b"}[5m])', "unwrap LABEL is missing", 'avg_over_time({a="b"}[5m])'),
    ('count_over_time({a="b"} | unwrap x [5m])', "can't use | unwrap", 'count_over_time({a="b"} | unwrap x [5m])'),
    ('quantile_over_time({a="b"} | unwrap x [5m])', "needs a number first", None),
    ('rate(0.5, {a="b"}[5m])', "takes no number", 'rate(0.5, {a="b"}[5m])'),
    ('rate({a="b"}[5m]) and 5', "not numbers", "and 5"),
    ('label_replace(rate({a="b"}[5m]), "d", "$1", "a", "(")', "not a regular expression", '"(")'),
    ('rate({a="b"}[$__auto])', "Grafana variable", "[$__auto])"),
]

# Loki reads these, then answers 400 or an empty result to each evaluation (3.7.6, measured).
ONLY_WHEN_RUN: list[tuple[str, str, str | None]] = [
    ('{a="b"} |~ "("', "not a regular expression", '"("'),
    ('{a="b"} |> "<name> x"', "write <_>", '"<name> x"'),
    ('{a="b"} |= ip("localhost")', "not an address", '"localhost")'),
    ('{a="b"} |~ ip("10.0.0.1")', "|= and != only", '|~ ip("10.0.0.1")'),
    ('{a="b"} | x=ip("10.0.0.9-10.0.0.1")', "not an address", '"10.0.0.9-10.0.0.1")'),
    ('{a="b"} | json x="a-b"', "not a JSON path", '"a-b"'),
    ('{a="b"} | label_format x=y, x=z', "twice", "x=z"),
    ('{a="b"} | label_format __error__=y', "can't set __error__", "__error__=y"),
    ('rate({a="b"}[0s])', "zero length", "[0s])"),
    ('variants(rate({a="b"}[5m])) of ({a="b"}[5m])', "experiment", 'variants(rate({a="b"}[5m])) of ({a="b"}[5m])'),
    ('{app="$app"}', "Grafana variable", '"$app"}'),
    ('{a="b"} | trace_id="${trace}"', "Grafana variable", '"${trace}"'),
]


@pytest.mark.parametrize("query", LINES)
def test_a_query_for_lines_keeps_its_labels_and_has_no_range(query: str) -> None:
    read = parse(query)
    assert (read.is_metric, read.grouping, read.ranges, read.has_comparison) == (False, None, (), False)
    assert len(read.selectors) == 1


@pytest.mark.parametrize(("query", "grouping", "comparison", "ranges"), METRICS, ids=[row[0] for row in METRICS])
def test_a_metric_query_knows_grouping_comparison_and_ranges(
    query: str, grouping: str, comparison: bool, ranges: tuple[float, ...]
) -> None:
    read = parse(query)
    assert (read.is_metric, shown(read), read.has_comparison, read.ranges) == (True, grouping, comparison, ranges)


@pytest.mark.parametrize(("query", "says", "rest"), BAD + ONLY_WHEN_RUN, ids=[row[0] for row in BAD + ONLY_WHEN_RUN])
def test_a_query_that_loki_refuses_is_an_error_with_its_place(query: str, says: str, rest: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    error = caught.value
    assert says in error.message
    assert error.offset is not None
    assert rest is None or query[error.offset :] == rest
    assert error.offset + error.length <= len(query)


def test_the_word_of_an_error_can_be_underlined() -> None:
    with pytest.raises(QueryError) as caught:
        parse('{a="b"}\n| json\n| x > "five"')
    assert (caught.value.offset, caught.value.length) == (21, 6)


def test_a_query_longer_than_loki_reads_is_refused() -> None:
    assert parse('{a="%s"}' % ("x" * 100_000)).selectors
    with pytest.raises(QueryError, match="longer"):
        parse('{a="%s"}' % ("x" * 140_000))


def test_selectors_are_read_in_order_with_unquoted_values() -> None:
    query = parse('rate({a="b\\"c", d=~`\\d+`}[5m]) / rate({e="f", a!~"g"}[5m] | h="i") > rate({a="b"}[5m])')
    assert query.selectors == (
        (Matcher("a", "=", 'b"c'), Matcher("d", "=~", "\\d+")),
        (Matcher("e", "=", "f"), Matcher("a", "!~", "g")),
        (Matcher("a", "=", "b"),),
    )


def test_filters_before_and_after_a_parser_are_told_apart() -> None:
    query = parse('{a="b"} | x="1" or y > 2 | drop z | json | p="3" (q < 4) | x!="5" | r=ip("::1")')
    assert query.filters == ("x", "y")
    assert query.parsed_filters == ("p", "q", "x", "r")
    assert query.numeric_filters == ("y", "q")
    assert query.parsers


def test_each_pipeline_starts_before_its_parser() -> None:
    query = parse('rate({a="b"} | logfmt | x="1" [5m]) / rate({a="b"} | y="1" [5m])')
    assert (query.filters, query.parsed_filters) == (("y",), ("x",))


@pytest.mark.parametrize("stage", ["json", "logfmt", "unpack", 'regexp "(?P<x>.)"', 'pattern "<x> y"', 'json x="y"'])
def test_every_parser_counts_as_one(stage: str) -> None:
    query = parse(f'{{a="b"}} | {stage} | x="1"')
    assert query.parsers
    assert query.parsed_filters == ("x",)


@pytest.mark.parametrize("stage", ["decolorize", 'line_format "{{.x}}"', "label_format x=y", "drop y", "keep x"])
def test_other_stages_are_no_parsers(stage: str) -> None:
    query = parse(f'{{a="b"}} | {stage} | x="1"')
    assert not query.parsers
    assert query.filters == ("x",)


def test_json_expressions_map_labels_to_paths() -> None:
    query = parse('{a="b"} | json state="context.state", user | json first=`list[0]`')
    assert query.expressions == {"state": "context.state", "user": "user", "first": "list[0]"}
    assert parse('{a="b"} | json').expressions == {}


def test_line_filters_without_text_are_counted_because_every_line_passes() -> None:
    assert parse('{a="b"} |= "" | json').noop_filters == 1
    assert parse('{a="b"} |= "" |~ "" |= "x" or ``').noop_filters == 3
    assert parse('{a="b"} |= "x" != ""').noop_filters == 0
    assert parse('{a="b"} |= "x" != "" or "y"').line_filters == (("|=", "x"), ("!=", ""), ("!=", "y"))


def test_unwrapped_labels_and_the_filters_after_them_are_seen() -> None:
    query = parse('sum_over_time({a="b"} | json | unwrap duration(took) | __error__="" | took > 5 [5m])')
    assert query.unwraps == ("took",)
    assert query.parsed_filters == ("__error__", "took")


DASHBOARD = [
    'sum by (service_name, detected_level) (rate({namespace="auralink"}[$__auto]))',
    'rate({app="$app", namespace=~"${namespace:regex}"}[${window}])',
    'count_over_time({app=~"$app"} |= "$search" |~ "${pattern}" [${__range_s}s])',
    '{app=~"$app"} | json | user_id="$user" | ip=ip("$ip")',
]


@pytest.mark.parametrize("query", DASHBOARD)
def test_grafana_variables_stand_for_ranges_and_inside_strings_of_dashboards_only(query: str) -> None:
    assert parse(query, dashboard=True).ranges == ()
    with pytest.raises(QueryError, match="Grafana variable"):
        parse(query)


def test_a_fixed_range_of_a_dashboard_is_still_read() -> None:
    assert parse('rate({app="$app"}[5m])', dashboard=True).ranges == (300.0,)
    with pytest.raises(QueryError, match="not a duration"):
        parse('rate({app="x"}[five])', dashboard=True)


def test_a_variable_outside_a_range_or_string_is_refused_in_a_dashboard_too() -> None:
    with pytest.raises(QueryError, match="inside a string only"):
        parse('{app="x"} | $filter', dashboard=True)


def test_dollar_signs_that_are_no_variables_pass_in_rules() -> None:
    assert parse('{a=~"b$|c$"} |= "$HOME costs $5" | line_format "{{ $x := .y }}"').selectors


def test_a_query_too_deep_to_walk_is_an_error() -> None:
    assert len(parse(" + ".join(['rate({a="b"}[5m])'] * 150)).ranges) == 150
    with pytest.raises(QueryError, match="nests"):
        parse(" + ".join(['rate({a="b"}[5m])'] * 1500))
