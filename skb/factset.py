"""A set of facts after precedence: who says what, and what holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat

import msgspec

from skb.relations import PRECEDENCE, Fact, Value, args_of, by_predicate, key_picker, source_of


class FactSet:
    """Facts in canonical order, looked up by predicate and key; immutable.

    Where several sources state one key, the strongest holds and the others stay visible; of equally
    strong ones the newest holds, then the first by name.
    """

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self.facts = facts
        self._by_key: dict[str, Mapping[tuple[Value, ...], Fact]] = {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what every fact says, its source, and whether it holds: not its name."""
        rows: list[tuple[str, tuple[Value, ...], str, bool]] = []
        for predicate, facts in self.by_predicate.items():
            holds = self._agrees(predicate, facts)
            rows += zip(
                repeat(predicate), map(args_of, facts), map(source_of, facts), holds, strict=False
            )
        return "sha256:" + hashlib.sha256(msgspec.json.encode(rows)).hexdigest()

    @cached_property
    def by_predicate(self) -> Mapping[str, tuple[Fact, ...]]:
        """Every fact under its predicate."""
        return {predicate: tuple(facts) for predicate, facts in by_predicate(self.facts).items()}

    def _winners(self, predicate: str) -> Mapping[tuple[Value, ...], Fact]:
        """Return the fact that holds for each key of a predicate; made when first asked for."""
        known = self._by_key.get(predicate)
        if known is None:
            known = self._by_key[predicate] = _strongest(predicate, self.all(predicate))
        return known

    def _agrees(self, predicate: str, facts: Sequence[Fact]) -> Iterable[bool]:
        """Tell of each fact of a predicate whether it says what holds."""
        winners = self._winners(predicate)
        if len(winners) == len(facts):
            return repeat(True, len(facts))
        pick = key_picker(predicate)
        return (winners[pick(fact.args)].args == fact.args for fact in facts)

    def all(self, predicate: str) -> tuple[Fact, ...]:
        """Return every fact of a predicate, also the overruled ones."""
        return self.by_predicate.get(predicate, ())

    def facts_of(self, predicate: str) -> tuple[Fact, ...]:
        """Return the facts of a predicate that hold after precedence."""
        facts, winners = self.all(predicate), self._winners(predicate)
        if len(winners) == len(facts):
            return facts
        holding = set(map(id, winners.values()))
        return tuple(fact for fact in facts if id(fact) in holding)

    def fact(self, predicate: str, *key: Value) -> Fact | None:
        """Return the fact with this key that holds, or None."""
        return self._winners(predicate).get(key)

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
            (self._winners(predicate)[key_picker(predicate)(fact.args)], fact)
            for predicate, facts in self.by_predicate.items()
            for fact, agrees in zip(facts, self._agrees(predicate, facts), strict=True)
            if not agrees
        )


def _strongest(predicate: str, facts: Sequence[Fact]) -> Mapping[tuple[Value, ...], Fact]:
    if not facts:
        return {}
    keys = list(map(key_picker(predicate), map(args_of, facts)))
    best = dict(zip(keys, facts, strict=True))
    if len(best) == len(facts):
        return best
    best.clear()
    for key, fact in zip(keys, facts, strict=True):
        other = best.get(key)
        if other is None or _overrules(fact, other):
            best[key] = fact
    return best


def _overrules(fact: Fact, other: Fact) -> bool:
    if fact.source != other.source:
        return PRECEDENCE[fact.source] < PRECEDENCE[other.source]
    return fact.when > other.when or (fact.when == other.when and fact.by < other.by)
