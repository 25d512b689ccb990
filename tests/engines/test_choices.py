"""Choices: the enumeration behind alternatives."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from skb.engines.choices import choices


def test_choices_without_rules_are_the_product() -> None:
    """Every combination comes once."""
    found = [(c["a"], c["b"]) for c in choices({"a": [1, 2], "b": "xy"})]
    assert sorted(found) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_choices_of_an_empty_domain_are_none() -> None:
    """A variable without values, or no variable at all, has no assignment."""
    assert list(choices({"a": []})) == []
    assert list(choices({"a": [1], "b": []})) == []
    assert list(choices({})) == []


@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=4), st.integers(0, 16))
def test_choices_agree_with_plain_filtering(domains: list[set[int]], most: int) -> None:
    """What the rules allow is what filtering the product leaves."""
    names = [f"v{n}" for n in range(len(domains))]
    found = choices(
        dict(zip(names, map(sorted, domains), strict=True)),
        [(lambda *values: sum(values) <= most, names)],
    )
    assert sorted(tuple(int(str(c[name])) for name in names) for c in found) == sorted(
        values for values in product(*domains) if sum(values) <= most
    )
