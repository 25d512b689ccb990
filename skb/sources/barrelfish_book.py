"""The facts of a Barrelfish file by predicate, and what is wrong with them.

A reader takes the rows of a predicate with the shape of their arguments. Rows of another shape,
rows stated twice and predicates that nobody takes are left out, and a note counts them by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from skb.arguments import INTEGER_LIMIT
from skb.sources.barrelfish_terms import Clauses, Compound, Term, Text, Variable
from skb.sources.hwloc_facts import Collector

_SHOWN = 8
_NOTE_LIMIT = 600
_BUSES, _SLOTS, _FUNCTIONS = 256, 32, 8


@dataclass(frozen=True, slots=True)
class Address:
    """A PCI function; `function` is None where the fact is about every function of the slot."""

    bus: int
    slot: int
    function: int | None

    @property
    def functions(self) -> tuple[Address, ...]:
        """The functions that are meant: one, or all eight."""
        if self.function is not None:
            return (self,)
        return tuple(Address(self.bus, self.slot, number) for number in range(_FUNCTIONS))

    @property
    def busid(self) -> str:
        return f"0000:{self.bus:02x}:{self.slot:02x}.{self.function or 0}"


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: its arguments by shape, and how to name it to the reader."""

    values: tuple[Any, ...]
    text: str


class Book:
    """Facts by predicate and arity, each once, and a list of faults by kind."""

    def __init__(self, clauses: Clauses, out: Collector) -> None:
        self.out = out
        self._rows: dict[tuple[str, int], list[tuple[tuple[Term, ...], int]]] = {}
        self._faults: dict[str, dict[str, None]] = {}
        self._taken: set[tuple[str, int]] = set()
        seen: set[Term] = set()
        for term, line in clauses.facts:
            if term in seen:
                self.fault("facts that are stated more than once count once", _named(term, line))
                continue
            seen.add(term)
            self._keep(term, line)
        for what, lines in (("rules", clauses.rules), ("directives", clauses.directives)):
            for line in lines:
                self.fault(f"{what} are not run; they were left out", f"line {line}")

    def _keep(self, term: Term, line: int) -> None:
        if isinstance(term, str):
            self._rows.setdefault((term, 0), []).append(((), line))
        elif isinstance(term, Compound) and term.functor not in {"", ",", "[]", "[|]"}:
            key = (term.functor, len(term.args))
            self._rows.setdefault(key, []).append((term.args, line))
        else:
            self.fault("clauses that are no facts were left out", _named(term, line))

    def has(self, name: str, arity: int) -> bool:
        return (name, arity) in self._rows

    def rows(self, name: str, shape: str) -> Iterable[Row]:
        """Yield the rows of a predicate; `shape` has a letter for each argument.

        `i` a whole number, `s` a signed one, `w` an atom or string, `a` a PCI address, `r` two
        numbers in a functor (as name, first, second), `n` a number in a functor, `t` any term.
        """
        key = (name, len(shape))
        self._taken.add(key)
        for args, line in self._rows.get(key, ()):
            values = [_SHAPES[letter](arg) for letter, arg in zip(shape, args, strict=True)]
            text = _named(Compound(name, args), line)
            if None not in values:
                yield Row(tuple(values), text)
            elif any(isinstance(arg, Variable) for arg in args):
                self.fault("facts with a variable where a value belongs were left out", text)
            else:
                self.fault(
                    "facts with other arguments than their predicate has were left out", text
                )

    def fault(self, kind: str, text: str) -> None:
        """Keep what is wrong; `kind` begins the note that lists all of it."""
        self._faults.setdefault(kind, {})[text] = None

    def settle(self, known: dict[Any, Any], key: Any, value: Any, text: str) -> bool:
        """Keep a value under a new key, and tell so; report another value of a known key."""
        if key not in known:
            known[key] = value
            return True
        if known[key] != value:
            self.fault("facts that contradict an earlier one were left out", text)
        return False

    def close(self) -> None:
        """Write the notes: faults by kind, then what no reader took."""
        for kind, texts in self._faults.items():
            self.out.notes.append(f"{kind}: {listed(texts)}")
        left = sorted(
            (
                f"{len(rows)} facts of {name[:40]}/{arity}"
                if len(rows) > 1
                else f"{name[:40]}/{arity}"
            )
            for (name, arity), rows in self._rows.items()
            if (name, arity) not in self._taken
        )
        if left:
            self.out.notes.append(f"left out, because no relation takes it: {listed(left, 40)}")


def listed(texts: Iterable[str], most: int = _SHOWN) -> str:
    """Return the first few of some texts, and how many more there are."""
    every = list(texts)
    shown = ", ".join(every[:most])[:_NOTE_LIMIT]
    return shown if len(every) <= most else f"{shown}, and {len(every) - most} more"


def shown(term: Term) -> str:
    """Write a term for a note."""
    if isinstance(term, Compound):
        inside = ", ".join(shown(arg) for arg in term.args)
        return f"[{inside}]" if term.functor[:1] == "[" else f"{term.functor}({inside})"
    if isinstance(term, Text):
        return f'"{term.value}"'
    return term.name if isinstance(term, Variable) else str(term)


def _named(term: Term, line: int) -> str:
    return f"{shown(term)[:120]} (line {line})"


def _whole(term: Term) -> int | None:
    return term if isinstance(term, int) and 0 <= term < INTEGER_LIMIT else None


def _signed(term: Term) -> int | None:
    return term if isinstance(term, int) and abs(term) < INTEGER_LIMIT else None


def _word(term: Term) -> str | None:
    if isinstance(term, Text):
        return term.value
    return term if isinstance(term, str) else None


def _address(term: Term) -> Address | None:
    if not isinstance(term, Compound) or term.functor != "addr" or len(term.args) != 3:
        return None
    bus, slot, last = term.args
    if not (isinstance(bus, int) and 0 <= bus < _BUSES):
        return None
    if not (isinstance(slot, int) and 0 <= slot < _SLOTS):
        return None
    if isinstance(last, Variable):
        return Address(bus, slot, None)
    if isinstance(last, int) and 0 <= last < _FUNCTIONS:
        return Address(bus, slot, last)
    return None


def _range(term: Term) -> tuple[str, int, int] | None:
    if isinstance(term, Compound) and len(term.args) == 2:
        first, second = map(_whole, term.args)
        if first is not None and second is not None:
            return term.functor, first, second
    return None


def _inner(term: Term) -> int | None:
    if isinstance(term, Compound) and len(term.args) == 1:
        return _whole(term.args[0])
    return None


_SHAPES: dict[str, Any] = {
    "i": _whole,
    "s": _signed,
    "w": _word,
    "a": _address,
    "r": _range,
    "n": _inner,
    "t": lambda term: term,
}
