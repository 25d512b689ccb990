"""No input makes a traceback, a hang or an unclear error: a short run of `tests.bench.fuzz`."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb import sources
from skb.errors import DescriptionError
from skb.sources import toml_limits
from skb.sources.description import Description
from tests.fuzzing import inputs
from tests.fuzzing.corpora import corpora
from tests.fuzzing.mutations import mutate
from tests.fuzzing.trial import Outcome, try_input

COUNT = 120
TOKENS = sorted({token for corpus in corpora().values() for token in corpus.tokens})


def told(number: int, outcome: Outcome) -> str:
    return f"input {number}: {outcome.told} at {outcome.where}\n{outcome.details}"


@pytest.mark.parametrize("name", sorted(inputs.kinds()))
def test_fuzz_finds_no_fault(name: str) -> None:
    """Every mutated input is read, or refused in words that say where and what to do."""
    kind = inputs.kinds()[name]
    for number in range(COUNT):
        outcome = try_input(inputs.make(kind, name, 1, number), kind.reader)
        assert outcome.kind != "fault", told(number, outcome)


def test_fuzz_knows_every_source() -> None:
    """A source that is added is fuzzed as well: it needs a corpus of its own."""
    assert set(sources._MODULES) == set(corpora())


@pytest.mark.parametrize("name", sorted(corpora()))
def test_fuzz_begins_with_a_sample_that_is_read(name: str) -> None:
    """A sample that is refused at once would test nothing."""
    assert try_input(corpora()[name].samples[0]).kind == "accepted"


def test_fuzz_makes_the_same_input_again() -> None:
    """A fault is found again by its number and seed."""
    for name, kind in inputs.kinds().items():
        assert inputs.make(kind, name, 7, 3) == inputs.make(kind, name, 7, 3)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)), max_size=20), st.booleans()
)
def test_fuzz_reads_any_words(words: list[bytes], lines: bool) -> None:
    """Words of all formats in any order, alone or in lines."""
    outcome = try_input((b"\n" if lines else b" ").join(words))
    assert outcome.kind != "fault", told(0, outcome)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_fuzz_reads_any_text(text: str) -> None:
    """Any text is a description or none that we know."""
    outcome = try_input(text.encode(errors="replace"))
    assert outcome.kind != "fault", told(0, outcome)


def test_fuzz_sees_faults() -> None:
    """The judge finds what it is there for: another exception, an unclear error, a long one."""

    def broken(_data: bytes) -> Description:
        raise KeyError("x")

    def unclear(_data: bytes) -> Description:
        raise DescriptionError("no place")

    assert try_input(b"", broken).told == "KeyError: 'x'"
    assert "without a place" in try_input(b"", unclear).told


def test_mutations_change_most_inputs_and_never_all() -> None:
    """A mutation that did nothing would test nothing."""
    sample = corpora()["hwloc"].samples[0]
    draw = Random(3)
    made = [mutate(sample, draw, [sample], [b"x"]) for _ in range(200)]
    assert sum(one != sample for one in made) > 150
    assert sum(one[:9] == sample[:9] for one in made) > 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a." * 20_000 + b"a = 1", "more than 32 dotted parts"),
        (b"a=[" + b"1," * 4_000_000 + b"]", "too much to be read"),
        (b'[[part]]\ntree = "core:1 pu:1"\n' * 300_000, "too much to be read"),
        (b"a = " + b"9" * 5000, "thousands of digits"),
        (b"a = " + b"[" * 5000, "recursion"),
        (b"a = 1979-02-30", "date"),
        (b"a = \xff", "utf-8"),
    ],
)
def test_toml_is_refused_before_it_costs_too_much(text: bytes, words: str) -> None:
    """Dotted keys that take quadratic memory, endless lists, and what Python itself refuses."""
    with pytest.raises(DescriptionError, match=words):
        toml_limits.parse(text, "x.toml")
    assert toml_limits.parse(b'a.b.c = "1.2.3.4.5.6.7.8.9.10"', "x.toml")["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('tree = "' + "core:1 " * 200 + 'pu:1"', "more than 100 levels"),
        (
            'tree = "core:50000 pu:1"\n[[part]]\ntree = "core:50000 pu:1"',
            "more than 100000 objects",
        ),
        ('tree = "pu:1"\n' + '[[part]]\nid = "device:²"\n', ""),
        ('tree = "pu:1"\n[[latency]]\nhops = 1\ncycles = 9\n', "without machine.clock_mhz"),
    ],
)
def test_native_is_refused_where_it_cannot_be_meant(text: str, words: str) -> None:
    """Levels and objects are counted over all trees; a digit of another script is no number."""
    outcome = try_input(b'[machine]\nname = "m"\n[structure]\n' + text.encode())
    assert outcome.kind in {"accepted", "refused"}, told(0, outcome)
    assert words in outcome.told


@pytest.mark.parametrize("clock", ["0", "-1.0", "nan"])
def test_native_refuses_a_clock_that_does_not_tick(clock: str) -> None:
    """Cycles of a clock of 0 MHz are no time."""
    text = f'[machine]\nname = "m"\nclock_mhz = {clock}\n[structure]\ntree = "core:1 pu:2"\n'
    outcome = try_input((text + '[[latency]]\nwithin = "core"\ncycles = 9\n').encode())
    assert outcome.kind == "refused", told(0, outcome)
    assert "clock" in outcome.told
