"""Lowering: what is outside of the notation is refused, and where it stands is said."""

import inspect

import pytest

from simulator.draws import splitmix64
from simulator.lowering import LoweringError, lowered
from simulator.protocols.protocol import Message, Protocol, Start
from tests.simulator.test_lowering import Node, Unheard

LARGE = 1 << 70
WORDS = ["a"]


class Begins(Node):
    """Has an __init__."""

    def __init__(self, place: object) -> None:
        super().__init__(place)  # type: ignore[arg-type]


class Tuples(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        pair = (1, 2)  # refused
        self.show(pair[0])


class Strings(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(len("abc"))  # refused


class Lists(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        for word in WORDS:  # refused
            self.show(word == "a")


class Floats(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(int(3 / 2))  # refused


class Divides(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.total = self.total / 2  # type: ignore[assignment] # refused


class Powers(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(2**self.total)  # refused


class Tries(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        try:  # refused
            self.show(1)
        finally:
            self.show(2)


class Either(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(self.total or 3)  # refused


class Named(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.send(0, Start(m.op, item=1, value=2, write=3))  # refused


class Silent(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.send(0, Unheard(m.op))  # refused


class Huge(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(LARGE)  # refused


class Foreign(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(splitmix64(3))  # refused


class Hidden(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(self.seed)  # refused


class Changes(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        m.op = 3  # refused


class Tunes(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.work_ps = 3  # refused


class Missing(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(m.value)  # type: ignore[attr-defined] # refused


class Counts(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.show(len(self.children))  # refused


class Plenty(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        self.record(m.op)  # type: ignore[call-arg] # refused


class Lambdas(Node):
    """Is refused."""

    def begin(self, m: Message) -> None:
        twice = lambda n: 2 * n  # noqa: E731 # refused
        self.show(twice(3))  # type: ignore[no-untyped-call]


REFUSED = [
    (Tuples, "Tuple|tuple"), (Strings, "not len"), (Lists, "not over WORDS"), (Floats, "not int"),
    (Divides, "binop"), (Powers, "binop"), (Tries, "no try"), (Either, "boolop"),
    (Named, "in order"), (Silent, "nobody handles a Unheard"), (Huge, "LARGE is no"),
    (Foreign, "not splitmix64"), (Hidden, "self.seed is no field"), (Changes, "not to m.op"),
    (Tunes, "not to self.work_ps"), (Missing, "has no value"), (Counts, "not len"),
    (Plenty, "record takes 3"), (Lambdas, "lambda"),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "why"), REFUSED, ids=[kind.__name__ for kind, _ in REFUSED])
def test_construct_outside_the_notation_is_refused_where_it_stands(
    protocol: type[Protocol], why: str
) -> None:
    """The error names this file, the line, and what is allowed or wrong."""
    lines, first = inspect.getsourcelines(protocol)
    line = first + next(at for at, text in enumerate(lines) if "# refused" in text)
    with pytest.raises(LoweringError, match=rf"test_lowering_refusals\.py:{line}: .*({why})"):
        lowered(protocol)


def test_protocol_with_an_init_is_refused() -> None:
    """A node begins with zeros on both engines."""
    with pytest.raises(LoweringError, match="no __init__"):
        lowered(Begins)
