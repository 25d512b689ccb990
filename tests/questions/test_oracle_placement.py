"""The enumeration that judges placements in tests is itself right on cases counted by hand."""

from __future__ import annotations

from tests.questions.oracle_placement import cheapest, placements


def test_placements_are_all_combinations_that_fit() -> None:
    """Three tasks on three seats without sharing: six ways."""
    domains = {name: [0, 1, 2] for name in "abc"}
    found = list(placements(domains, lambda _a, i, _b, j: i != j))
    assert len(found) == 6
    assert all(sorted(one.values()) == [0, 1, 2] for one in found)


def test_cheapest_is_the_least_admissible_price_or_none() -> None:
    """The least price wins among what is admissible; nothing admissible gives None."""
    domains = {"a": [1, 2], "b": [1, 2]}
    found = cheapest(
        domains,
        lambda _a, i, _b, j: i != j,
        lambda answer: answer["a"] == 2,
        lambda answer: float(answer["a"] * 10 + answer["b"]),
    )
    assert found == (21.0, {"a": 2, "b": 1})
    assert cheapest(domains, lambda *_: True, lambda _answer: False, lambda _answer: 0.0) is None
    assert cheapest({"a": []}, lambda *_: True, lambda _answer: True, lambda _answer: 0.0) is None
