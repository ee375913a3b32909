"""No value breaks out of its place in Markdown, by the word of a CommonMark parser with GitHub's tables."""

from __future__ import annotations

import re
from typing import Any

import markdown_it
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import FLEETS
from obsgen.markdown import code, fence, link, markdown, prose
from obsgen.road import load, texts

PARSER = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])

BITING = st.sampled_from(
    [
        *("`", "``", "```", "````", "~~~", "|", "\n", "\n\n", "\r", "\t", "    ", "  \n", "\\", "\\|", "#", "# ", "## a #"),
        *("<b>", "<!--", "-->", "</details>", "<script>", "<http://a>", "&amp;", "&lt", "&", "*", "**", "_", "__", "~~"),
        *("[a](b)", "[a]: b", "![", "]", "(", ")", "-", "- ", "---", "===", "+ ", "> ", "1. ", "2) ", ":-:", "|-|", "{{ $v | f }}"),
        *("**a**", "[a](https://b.example)", "$", "é", "\u2028", "\x85", "\ufeff", "\x00", "\x1b", "a", " ", "10", "."),
    ]
)  # fmt: skip
TEXTS = st.lists(BITING | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join)


def blocks(text: str) -> list[tuple[str, str]]:
    """(kind, tag) of the blocks of a text, without what is inside a line."""
    return [(token.type, token.tag) for token in PARSER.parse(text)]


def words(text: str) -> str:
    """The text of a page as it is read: words and code, markup gone."""
    found: list[str] = []
    for token in PARSER.parse(text):
        for child in token.children or []:
            assert child.type in ("text", "code_inline", "softbreak"), child.type
            found.append(" " if child.type == "softbreak" else child.content)
    return "".join(found)


def one_line(value: str) -> str:
    """What is left of a value on one line: runs of white space are one space, control characters are gone."""
    return re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]", "", " ".join(value.split())).strip()


PLACES = {
    "heading": "# {}\n\nafter\n",
    "paragraph": "{}\n\nafter\n",
    "in a sentence": "before {} behind\n\nafter\n",
    "item": "- {}\n- after\n",
    "item after a colon": "1. before: {}.\n2. after\n",
    "cell": "| a | b |\n|---|---|\n| {} | c |\n| d | e |\n",
}


@given(TEXTS)
@example("\\|")
@example("a\n---")
@example("1. b")
def test_a_value_is_words_and_nothing_else_wherever_it_stands(value: str) -> None:
    for place in PLACES.values():
        plain = place.format("x" if one_line(value) else "")
        page = place.format(markdown(value))
        assert blocks(page) == blocks(plain)
        spaced = words(plain.replace("x", "\0")) if not one_line(value) else words(plain)
        expected = spaced.replace("x", one_line(value), 1) if one_line(value) else spaced
        assert words(page).split() == expected.split()


@given(TEXTS.filter(one_line))
def test_code_is_shown_as_it_was_written(value: str) -> None:
    for place in (name for name in PLACES if name != "cell"):
        (found,) = [
            child
            for token in PARSER.parse(PLACES[place].format(code(value)))
            for child in token.children or []
            if child.type == "code_inline"
        ]
        assert found.content == one_line(value)
        assert blocks(PLACES[place].format(code(value))) == blocks(PLACES[place].format("x"))


@given(TEXTS)
def test_a_code_block_holds_every_byte_and_ends_where_it_should(value: str) -> None:
    value = value.replace("\r", "\n").replace("\0", "")
    heading, paragraph, closing = "heading_open", "inline", "heading_close"
    tokens = PARSER.parse(f"{fence(value, 'text')}\n\n# after\n")
    assert [token.type for token in tokens] == ["fence", heading, paragraph, closing]
    assert tokens[0].content.rstrip("\n") == value.rstrip("\n")
    assert tokens[0].info == "text"


@given(TEXTS, TEXTS)
def test_a_link_stays_one_link(label: str, url: str) -> None:
    tokens = PARSER.parse(f"- {link(label + 'x', 'https://a.example/' + url)}\n- after\n")
    children = next(token.children for token in tokens if token.type == "inline")
    assert [child.type for child in children or []] == ["link_open", "text", "link_close"]
    assert children
    assert "".join(children[1].content.split()) == "".join(one_line(label + "x").split())


ALLOWED = {"paragraph_open", "bullet_list_open", "ordered_list_open", "list_item_open", "fence", "inline"}
INSIDE = {"text", "code_inline", "softbreak", "strong_open", "strong_close", "link_open", "link_close"}


def assert_prose(tokens: list[Any]) -> None:
    for token in tokens:
        assert token.type in ALLOWED | {f"{kind.removesuffix('_open')}_close" for kind in ALLOWED}, token
        for child in token.children or []:
            assert child.type in INSIDE, child
            assert child.type != "link_open" or str(child.attrs["href"]).startswith(("http://", "https://"))


@given(TEXTS)
@example("```\nnobody closes this")
@example("~~~ info ~~~\n# a")
@example("a\n\n    # b")
@example("<!--")
@example("- a\n      ```\n      b")
@example("1.\n# a")
def test_a_part_of_a_runbook_never_leaves_its_section(value: str) -> None:
    tokens = PARSER.parse(f"## before\n\n{prose(value)}\n\n## after\n\n| a |\n|---|\n| b |\n")
    headings = [place for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert [tokens[place + 1].content for place in headings] == ["before", "after"]
    assert_prose(tokens[3 : headings[1]])
    assert [token.type for token in tokens[headings[1] + 3 :]][:1] == ["table_open"]


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1).filter(str.strip))
def test_no_word_of_a_line_is_lost(value: str) -> None:
    tokens = PARSER.parse(f"before {prose(value)}")
    said = "".join(child.content for token in tokens for child in token.children or [])
    kept = re.sub(r"[`*\[\]()]|https?://\S*", "", value)
    assert "".join(re.sub(r"[`*\[\]()]", "", said).split()) == "".join(["before", *kept.split()]) or "http" in value


def test_what_a_runbook_may_use_comes_through() -> None:
    text = (
        "Do **not** restart.\n\n1. See `a | b` and [the log](https://a.example/?q=1).\n   - then this\n2. Type\n"
        "```sh\nkubectl get pods\n```\n"
    )
    html = PARSER.render(prose(text))
    assert "<strong>not</strong>" in html
    assert "<code>a | b</code>" in html
    assert '<a href="https://a.example/?q=1">the log</a>' in html
    assert "<ul>\n<li>then this</li>" in html
    assert '<pre><code class="language-sh">' in html or "<pre><code>kubectl get pods" in html


@pytest.mark.parametrize("fleet", ["everything", "smallest"])
def test_the_pages_have_no_html_but_their_header(fleet: str) -> None:
    made = texts(load(FLEETS / fleet / "observability.yaml", "one"))
    pages = {path: text for path, text in made.items() if path.startswith("runbooks/")}
    assert pages
    for path, text in pages.items():
        tokens = PARSER.parse(text)
        assert [token.content[:4] for token in tokens if token.type == "html_block"] == ["<!--"], path
        assert not [c for token in tokens for c in token.children or [] if c.type == "html_inline"], path
