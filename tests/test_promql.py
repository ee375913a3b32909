"""What the PromQL reader says of expressions: labels that survive, comparisons, windows, places of errors."""

import pytest

from obsgen.promql import (
    Labels,
    QueryError,
    Window,
    allows,
    grouping_labels,
    has_comparison,
    metrics,
    parse,
    ranges,
    reach,
    survivors,
)


def shown(labels: Labels) -> str:
    """`a b`: exactly these; `*`: the series' own; `* -a +b`: these without a, with b."""
    if not labels.open:
        return " ".join(sorted(labels.known))
    return " ".join(
        ["*", *(f"-{name}" for name in sorted(labels.dropped)), *(f"+{name}" for name in sorted(labels.known))]
    )


def windows(expr: str) -> str:
    return " ".join(f"{w.function}:{w.seconds:g}:{w.kind}" for w in ranges(parse(expr)))


# expression | labels that survive | can be empty by its own doing | ranges
CORPUS = [
    ("up", "*", False, ""),
    ("up == 0", "*", True, ""),
    ("up == bool 0", "*", False, ""),
    ("5 < up", "*", True, ""),
    ("(up) > 1", "*", True, ""),
    ("-up", "*", False, ""),
    ("up + 1", "*", False, ""),
    ("vector(1)", "", False, ""),
    ("vector(scalar(up > 1))", "", False, ""),
    ("time() > bool 5", "", False, ""),
    ("hour() > 9", "", True, ""),
    ("hour(up)", "*", False, ""),
    ("sum(up)", "", False, ""),
    ("sum by (a, b) (up)", "a b", False, ""),
    ("sum(up) by (a)", "a", False, ""),
    ("sum without (a) (up)", "* -a", False, ""),
    ("sum by (a) (sum by (a, b) (up))", "a", False, ""),
    ("sum by (a) (sum by (b) (up))", "", False, ""),
    ("sum by (a) (sum without (a) (up))", "", False, ""),
    ("sum without (a) (sum by (a, b) (up))", "b", False, ""),
    ("count by (a) (up > 1)", "a", True, ""),
    ("topk(3, up)", "*", False, ""),
    ("topk by (a) (3, sum by (a, b) (up))", "a b", False, ""),
    ("quantile by (a) (0.9, up)", "a", False, ""),
    ('count_values("version", build_info)', "version", False, ""),
    ('count_values by (a) ("version", build_info)', "a version", False, ""),
    ("a / b", "*", False, ""),
    ("sum by (x) (a) / sum by (x) (b)", "x", False, ""),
    ("a / on (x, y) b", "x y", False, ""),
    ("sum by (x) (a) / on (x, y) b", "x", False, ""),
    ("a / ignoring (x) b", "* -x", False, ""),
    ("sum by (x, y) (a) / ignoring (y) sum by (x) (b)", "x", False, ""),
    ("a * on (x) group_left (y) b", "* +y", False, ""),
    ("a * on (x) group_left () sum by (x) (b)", "*", False, ""),
    ("sum by (x) (a) * on (x) group_left (y) b", "x y", False, ""),
    ("sum by (x) (a) * on (x) group_left (y) sum by (x) (b)", "x", False, ""),
    ("sum by (x) (a) * on (x) group_right (y) sum by (x, z) (b)", "x z", False, ""),
    ("sum by (x) (a) > on (x) b", "x", True, ""),
    ("sum by (x) (a) > bool on (x) b", "x", False, ""),
    ("sum by (x) (a) and b", "x", False, ""),
    ("sum by (x) (a) and (b > 1)", "x", True, ""),
    ("sum by (x) (a) unless on (x) b", "x", True, ""),
    ("sum by (x) (a) or sum by (y) (b)", "x y", False, ""),
    ("sum by (x) (a) or b", "* +x", False, ""),
    ("(sum by (x) (a) > 1) or (sum by (y) (b) > 1)", "x y", True, ""),
    ("(a > 1) or vector(0)", "*", False, ""),
    ("(sum(a) or vector(0)) < 7", "", True, ""),
    ("(a > 1) * 2", "*", True, ""),
    ('absent(up{job="x", env=~"p.*"})', "job", True, ""),
    ('absent(up{job="x", job!="y"})', "", True, ""),
    ("absent(sum(up))", "", True, ""),
    ('absent_over_time(up{job="x"}[5m])', "job", True, "absent_over_time:300:other"),
    ('label_replace(sum by (a) (up), "dst", "$1", "a", "(.*)")', "a dst", False, ""),
    ('label_join(up, "dst", "-", "a", "b")', "* +dst", False, ""),
    ('sum by (a) (label_replace(sum without (a) (up), "a", "$1", "b", "(.*)"))', "a", False, ""),
    ("histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m])))", "a", False, "rate:300:rate"),
    ("histogram_quantile(0.9, rate(x_bucket[5m]))", "* -le", False, "rate:300:rate"),
    ("rate(x[5m]) > 0", "*", True, "rate:300:rate"),
    ("sum by (q) (irate(x[1m])) / sum by (q) (increase(y[1h30m]))", "q", False, "irate:60:rate increase:5400:rate"),
    ("max_over_time(x[6h]) == 0", "*", True, "max_over_time:21600:other"),
    ("max_over_time(rate(x[5m])[1h:1m])", "*", False, "rate:300:rate"),
    ("count_over_time((x > 1)[1h:])", "*", True, ""),
    ("deriv(x[10m]) + delta(y[500ms])", "*", False, "deriv:600:rate delta:0.5:rate"),
    ("quantile_over_time(scalar(y), x[5m])", "*", False, "quantile_over_time:300:other"),
    ("predict_linear(x[1h], 3600) < 0", "*", True, "predict_linear:3600:rate"),
    ("clamp_max(sum by (a) (x), 5)", "a", False, ""),
    ("info(sum by (a) (x))", "* +a", False, ""),
    ("x[5m]", "*", False, "None:300:other"),
    (
        'group by (namespace) (ALERTS{severity="info"} == 1) unless on (namespace) group by (namespace) (ALERTS == 1)',
        "namespace",
        True,
        "",
    ),
    ("sum by (queue) (max by (queue, reason) (rate(dlq_messages_total[5m]))) > 10", "queue", True, "rate:300:rate"),
    ("time() - max(loki_success_seconds > 0) > 3 * 3600", "", True, ""),
]


@pytest.mark.parametrize(("expr", "labels", "comparison", "selected"), CORPUS, ids=[row[0] for row in CORPUS])
def test_the_reader_knows_labels_comparison_and_ranges(expr: str, labels: str, comparison: bool, selected: str) -> None:
    tree = parse(expr)
    assert (shown(survivors(tree)), has_comparison(tree), windows(expr)) == (labels, comparison, selected)


def test_allows_is_certain_only_when_it_says_no() -> None:
    assert allows(survivors(parse("sum by (a) (x)")), "a")
    assert not allows(survivors(parse("sum by (a) (x)")), "b")
    assert allows(survivors(parse("x")), "anything")
    assert not allows(survivors(parse("sum without (a) (x)")), "a")


def test_ranges_are_in_seconds() -> None:
    assert ranges(parse("rate(x[5m])")) == [Window("rate", 300.0, "rate")]


def test_reach_adds_up_subqueries_ranges_and_offsets() -> None:
    assert reach(parse("max_over_time(rate(x[5m] offset 1h)[1d:1m])")) == 86_400 + 3_600 + 300
    assert reach(parse("x offset 1w or rate(y[5m])")) == 604_800
    assert reach(parse("x + 1")) == 0


def test_metrics_come_with_the_labels_that_they_are_matched_on() -> None:
    expr = parse('sum(rate(a{x="1", y=~"2"}[5m])) / {__name__="b", z!="3"} > {__name__=~"c.*"}')
    assert metrics(expr) == {("a", frozenset("xy")), ("b", frozenset("z")), ("", frozenset())}


def test_metrics_see_every_alternative_of_a_selector() -> None:
    assert metrics(parse('a{x="1" or y="2"}')) == {("a", frozenset("xy"))}


def test_grouping_labels_are_those_that_must_exist() -> None:
    expr = parse("sum by (a) (x) * on (b) group_left (c) sum without (d) (y) / ignoring (e) z")
    assert grouping_labels(expr) == {"a", "b", "c"}


# expression | the message holds | the token that it points at (None: no place, "": the end)
BROKEN = [
    ("", "empty", None),
    ("# nothing", "empty", None),
    ("x +", "ends too early", ""),
    ("x > bool", "ends too early", ""),
    ("x y", "unexpected 'y'", "y"),
    ("x > > 1", "unexpected '>'", "> 1"),
    ("x = 5", "unexpected '='", "= 5"),
    ("sum by a (x)", "unexpected 'a'", "a (x)"),
    ("sum(x) by (a b)", "unexpected 'b'", "b)"),
    ("sum by (a) x", "unexpected 'x'", "x"),
    ("a on (b) c", "unexpected 'on'", "on (b) c"),
    ("a / on (b) group_left (c d) e", "unexpected 'd'", "d) e"),
    ("x > 5 for 5m", "unexpected 'for'", "for 5m"),
    ("rate(x[5m:1m] offset)", "unexpected ')'", ")"),
    ("sum(rate(x[5m])", "unclosed left parenthesis", "(rate(x[5m])"),
    ("(x", "unclosed left parenthesis", "(x"),
    ("sum(x)) + y", "unexpected right parenthesis", ") + y"),
    ("rate(x[5m)", "inside brackets", ")"),
    ("rate(x[$__rate_interval])", "inside brackets", "$__rate_interval])"),
    ("x[0s]", "greater than 0", "[0s]"),
    ("x[5x]", "duration", "[5x]"),
    ('x{a="b}', "unterminated", '"b}'),
    ('x{a="b"', "inside braces", '{a="b"'),
    ("x + y{a=b}", "expected string", "b}"),
    ("x + {}", "non-empty matcher", "{}"),
    ('up{a="b"} > x{a=~"("}', "not a regular expression", '"("}'),
    ("a + histogram_quantil(0.9, x)", "unknown function", "histogram_quantil(0.9, x)"),
    ("foo > 1 and foo(1)", "unknown function", "foo(1)"),
    ("rate(x[5m]) + rate(y)", "rate() reads a range", "rate(y)"),
    ("label_replace(x)", "expected 5 argument", "label_replace(x)"),
    ("a + on (b) group_left (b) c", "label 'b'", "b) c"),
    ("a and 1", "set operator", "and 1"),
    ("a + bool b", "bool modifier", "bool b"),
    ("x > é", "unexpected character", "é"),
    ("1 > 2", "must use bool", None),
    ("topk(x)", "wrong number of arguments", None),
]


@pytest.mark.parametrize(("expr", "says", "rest"), BROKEN, ids=[row[0] for row in BROKEN])
def test_an_error_points_at_the_token_that_broke_the_expression(expr: str, says: str, rest: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse(expr)
    error = caught.value
    assert says in error.message
    assert rest == (None if error.offset is None else expr[error.offset :])
    assert error.offset is None or error.offset + error.length <= len(expr)


def test_the_word_of_an_error_can_be_underlined() -> None:
    with pytest.raises(QueryError) as caught:
        parse("a +\n  foo(b)")
    assert (caught.value.offset, caught.value.length) == (6, 3)


def test_an_expression_too_deep_to_walk_is_an_error() -> None:
    assert shown(survivors(parse(" + ".join(["up"] * 150)))) == "*"
    with pytest.raises(QueryError, match="nests"):
        parse(" + ".join(["up"] * 1500))
