"""Sets of PUs as hwloc and Linux write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skb.sources import bitmap

SETS = st.frozensets(st.integers(0, 4000))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0x00000001", {0}),
        ("0x0", set()),
        ("0x00000003,,0x80000000", {31, 64, 65}),
        ("00000001,00000000", {32}),
        ("f", {0, 1, 2, 3}),
    ],
)
def test_bitmap_words_are_most_significant_first(text: str, numbers: set[int]) -> None:
    """Words of 32 bits, the last the lowest, an empty word being 0."""
    assert set(bitmap.members(bitmap.parse_words(text))) == numbers


def test_bitmap_infinite_set_behaves_like_one() -> None:
    """The prefix 0xf...f sets every higher bit."""
    bits = bitmap.parse_words("0xf...f,0x00000002")
    assert bits < 0
    assert bits & 0xF == 2
    assert bits >> 32 & 1 and bits >> 5000 & 1


@pytest.mark.parametrize("text", ["0xg", "0x123456789", "hello", "-1", "0x1,,x", "0_1", "0x" * 9])
def test_bitmap_refuses_what_is_no_word(text: str) -> None:
    """Anything else than hexadecimal words is a ValueError."""
    with pytest.raises(ValueError):
        bitmap.parse_words(text)


@pytest.mark.parametrize("text", ["3-1", "x", "-5", "0-99999999", "1--2"])
def test_bitmap_refuses_what_is_no_list(text: str) -> None:
    """A list has ascending ranges of sensible numbers."""
    with pytest.raises(ValueError):
        bitmap.parse_list(text)


@given(SETS)
def test_bitmap_list_and_back_is_the_same_set(numbers: frozenset[int]) -> None:
    """Writing a list and reading it gives the same set, in ascending order."""
    bits = sum(1 << number for number in numbers)
    assert bitmap.parse_list(bitmap.to_list(bits)) == bits
    assert list(bitmap.members(bits)) == sorted(numbers)


@given(SETS)
def test_bitmap_reads_words_as_linux_writes_them(numbers: frozenset[int]) -> None:
    """Eight digits per word, separated by commas."""
    bits = sum(1 << number for number in numbers)
    words = [f"{bits >> 32 * word & 0xFFFFFFFF:08x}" for word in range(bits.bit_length() // 32 + 1)]
    assert bitmap.parse_words(",".join(reversed(words))) == bits
