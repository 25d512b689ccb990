"""A set of facts after precedence: who says what, and what holds."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

import msgspec

from skb.relations import PRECEDENCE, Fact, Value


class FactSet:
    """Facts in canonical order, looked up by predicate and key; immutable.

    Where several sources state one key, the strongest holds and the others stay visible; of equally
    strong ones the newest holds, then the first by name.
    """

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self.facts = facts

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what every fact says, its source, and whether it holds: not its name."""
        rows = [
            (fact.predicate, fact.args, fact.source, self._winners[fact.key].args == fact.args)
            for fact in self.facts
        ]
        return "sha256:" + hashlib.sha256(msgspec.json.encode(rows)).hexdigest()

    @cached_property
    def _by_predicate(self) -> Mapping[str, tuple[Fact, ...]]:
        rows: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            rows[fact.predicate].append(fact)
        return {predicate: tuple(facts) for predicate, facts in rows.items()}

    @cached_property
    def _winners(self) -> Mapping[tuple[Value, ...], Fact]:
        best: dict[tuple[Value, ...], Fact] = {}
        for fact in self.facts:
            other = best.get(fact.key)
            if other is None or _overrules(fact, other):
                best[fact.key] = fact
        return best

    def all(self, predicate: str) -> tuple[Fact, ...]:
        """Return every fact of a predicate, also the overruled ones."""
        return self._by_predicate.get(predicate, ())

    def facts_of(self, predicate: str) -> tuple[Fact, ...]:
        """Return the facts of a predicate that hold after precedence."""
        return self._holding.get(predicate, ())

    @cached_property
    def _holding(self) -> Mapping[str, tuple[Fact, ...]]:
        winners = {id(fact) for fact in self._winners.values()}
        return {
            predicate: tuple(fact for fact in facts if id(fact) in winners)
            for predicate, facts in self._by_predicate.items()
        }

    def fact(self, predicate: str, *key: Value) -> Fact | None:
        """Return the fact with this key that holds, or None."""
        return self._winners.get((predicate, *key))

    def value(self, predicate: str, *key: Value) -> Value | None:
        """Return the last argument of the fact with this key, or None."""
        fact = self.fact(predicate, *key)
        return None if fact is None else fact.args[-1]

    def number(self, predicate: str, *key: Value) -> float | None:
        value = self.value(predicate, *key)
        return None if value is None or isinstance(value, str) else value

    def conflicts(self) -> tuple[tuple[Fact, Fact], ...]:
        """Return (holding, overruled) pairs of facts that disagree about one key."""
        return tuple(
            (self._winners[fact.key], fact)
            for fact in self.facts
            if self._winners[fact.key].args != fact.args
        )


def _overrules(fact: Fact, other: Fact) -> bool:
    if fact.source != other.source:
        return PRECEDENCE[fact.source] < PRECEDENCE[other.source]
    return fact.when > other.when or (fact.when == other.when and fact.by < other.by)
