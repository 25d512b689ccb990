"""Headers of the named queries: each is read, complete, and shown in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from skb.errors import NotFoundError, RulesError
from skb.named import named, named_queries, parse, reference_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "queries.md"
# VALIDATION: the questions that Barrelfish's authors wanted answered
LISTED = range(20)
GOOD = "% Which?\n% parameter core processor: the core\n% answer a(pu): rows\n\na(P) :- pu(P).\n"


def test_named_docs_page_is_made_from_the_headers() -> None:
    """The page of the docs stands as `skb queries --markdown` writes it."""
    assert PAGE.read_text() == reference_page(), (
        "write it anew: skb queries --markdown > docs/queries.md"
    )
    assert all(f"\n## {name}\n" in PAGE.read_text() for name in named_queries())


def test_named_queries_answer_every_question_of_the_list() -> None:
    """Each of the twenty questions has a query, and each query has what a reader needs."""
    assert {number for one in named_queries().values() for number in one.listed} == set(LISTED)
    for one in named_queries().values():
        assert one.question.endswith("?") and one.meaning and one.columns, one.name
        assert set(one.order) <= {column.name for column in one.columns}, one.name
        assert not one.first or one.parameter(one.first), one.name
        assert f"#show {one.predicate}/{len(one.columns)}." in one.rules, one.name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("processor", "processer"), "unknown type 'processer'"),
        (GOOD.replace("% answer a(pu): rows\n", ""), "one answer line"),
        (GOOD.replace("% answer", "% anwser"), "line 3: cannot read"),
    ],
)
def test_named_bad_header_names_file_and_line(text: str, words: str) -> None:
    """A header that cannot be read is refused, so that no query is half known."""
    assert parse("x", GOOD).columns[0].name == "pu"
    with pytest.raises(RulesError, match=words) as refused:
        parse("x", text)
    assert refused.value.place.startswith("x.lp")


def test_named_unknown_name_lists_near_ones() -> None:
    """A misspelt name gets the near ones, aliases too."""
    with pytest.raises(NotFoundError, match="nearest-cores"):
        named("nearest-coers")
    assert named("interrupt-multicast").name == "interrupt-groups"
