"""Clauses of Prolog text, as ECLiPSe writes them, read under limits.

Read are facts of any term: numbers (also `16'ff`, `0x1f`, `0'c`), atoms, strings, variables, lists,
compound terms, ECLiPSe's structures `name{…}`, and operators, whose precedence is not looked at.
Rules and directives are recognised as such and not looked into.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from skb.errors import DescriptionError, TooLargeError

SIZE_LIMIT_BYTES = 16 * 1024 * 1024
# about 20,000 facts: the round trips of all pairs of 140 cores
TOKEN_LIMIT = 300_000
DEPTH_LIMIT = 64
_MEND = "a fact is name(argument, …). with a full stop behind it"


@dataclass(frozen=True, slots=True)
class Text:
    """A string in double quotes; an atom is a plain `str`."""

    value: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; `_` is another one at each place."""

    name: str


@dataclass(frozen=True, slots=True)
class Compound:
    """A functor with arguments, and the line where it begins.

    A list has the functor `[]`, or `[|]` where the last argument is its tail; terms in brackets
    that commas join have `,`; a row of terms and operators has an empty functor.
    """

    functor: str
    args: tuple[Term, ...]
    line: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


Term: TypeAlias = str | int | float | Text | Variable | Compound


@dataclass(frozen=True, slots=True)
class Clauses:
    """What a text holds: facts with their lines, in order, and the lines of the rest."""

    facts: tuple[tuple[Term, int], ...]
    rules: tuple[int, ...] = ()
    directives: tuple[int, ...] = ()


class Refused(Exception):
    """What is wrong with a token, on its way through lark; becomes one of our errors at once."""

    def __init__(self, what: str, line: int, column: int, large: bool = False) -> None:
        super().__init__(what)
        self.what, self.line, self.column, self.large = what, line, column, large


def read_clauses(text: str, place: str) -> Clauses:
    """Read Prolog text.

    Raises `DescriptionError` with line and column where it is no Prolog, `TooLargeError` where it
    is longer or deeper than the limits of this module.
    """
    # lark takes longer to import than most descriptions to read
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

    from skb.sources.barrelfish_grammar import parser

    if len(text) > SIZE_LIMIT_BYTES:
        raise TooLargeError(
            f"the facts have {len(text)} characters, the limit is {SIZE_LIMIT_BYTES}",
            place=place,
            mend="leave out what is not about the machine, or split the file and merge the parts",
        )
    try:
        found = parser().parse(text)
    except UnexpectedInput as fault:
        at = -1 if fault.pos_in_stream is None else int(fault.pos_in_stream)
        ended = isinstance(fault, UnexpectedToken) and fault.token.type == "$END"
        if ended or at < 0:
            at = len(text.rstrip())
        raise _syntax_error(text, at, isinstance(fault, UnexpectedCharacters), place) from fault
    except (Refused, VisitError) as fault:
        inner = fault.orig_exc if isinstance(fault, VisitError) else fault
        if not isinstance(inner, Refused):
            raise
        where = f"{place}:{inner.line}:{inner.column}"
        if inner.large:
            raise TooLargeError(
                inner.what,
                place=where,
                mend="leave out what is not about the machine, or split the file and merge",
            ) from fault
        raise DescriptionError(inner.what, place=where, mend=_MEND) from fault
    assert isinstance(found, Clauses)
    return found


def _syntax_error(text: str, at: int, no_token: bool, place: str) -> DescriptionError:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    near = text[at : at + 20].splitlines()[0] if text[at : at + 20].strip() else ""
    what = f"this is no Prolog from {near!r} on"
    if not near:
        what = "the text ends inside a clause"
    elif no_token and near[0] in "'\"":
        what = f"the quote in {near!r} is never closed"
    elif no_token:
        what = f"the character {near[0]!r} is no part of Prolog here"
    return DescriptionError(what, place=f"{place}:{line}:{column}", mend=_MEND)
