"""Forwarding tables of a decision become those in force: which facts come, and which go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from skb.errors import RequestError, RevisionError
from skb.machine import Machine
from skb.relations import Fact
from skb.sources.link_tables import TABLES, facts_of
from skb.sources.links_json import tables_of

TRIES = 8
"""So often the machine is read again, where somebody else changed it meanwhile."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Facts that put tables in force, those that they replace, and how many entries there are."""

    asserted: tuple[Fact, ...]
    retracted: tuple[Fact, ...]
    entries: int


class Keeper(Protocol):
    """What putting tables in force asks of the knowledge base."""

    def decision(self, wanted: str) -> dict[str, Any]: ...

    def machine(self, ref: str, as_of: int | None = None, paths: bool = True) -> Machine: ...

    def write(
        self,
        name: str,
        assert_facts: Iterable[Fact] = (),
        retract_facts: Iterable[Fact] = (),
        if_revision: int | None = None,
    ) -> Machine: ...


def apply(keeper: Keeper, wanted: str) -> tuple[Machine, Applied]:
    """Put the tables of a links decision in force on its machine, as it is stored now.

    Returns the machine and what changed. Raises `NotFoundError` where the decision or its machine
    is not stored, and what `applied` raises.
    """
    decision = keeper.decision(wanted)
    for tries_left in reversed(range(TRIES)):
        machine = keeper.machine(decision["machine"], paths=False)
        changes = applied(machine, decision)
        if not (changes.asserted or changes.retracted):
            break
        try:
            # what others wrote in between would stay in force beside these tables
            facts = (changes.asserted, changes.retracted, machine.revision)
            machine = keeper.write(machine.name, *facts)
        except RevisionError:
            if not tries_left:
                raise
        else:
            break
    return machine, changes


def applied(machine: Machine, decision: Mapping[str, Any]) -> Applied:
    """Return what changes where a links decision's tables come into force on its machine.

    They take the place of those that the same parts had. Raises `RequestError` for another
    decision, and `DescriptionError` where the machine's links are others by now.
    """
    id_, answer = decision["id"][:8], decision["answer"]
    if decision["question"] != "links" or "next_hop" not in answer:
        raise RequestError(
            f"decision {id_} has no tables: {decision['question']}, {decision['status']}",
            mend="apply a decision of `skb ask links`; `skb bind` writes placements",
        )
    tables = tables_of(answer["next_hop"], answer["channel"], answer["load"])
    told = facts_of(machine, tables, f"decision {id_}", by=f"links {id_}")
    over = {fact.args[0] for fact in told}
    gone = [f for p in TABLES for f in machine.all(p) if f.args[0] in over]
    known, fresh = set(gone), set(told)
    return Applied(
        tuple(fact for fact in told if fact not in known),
        tuple(fact for fact in gone if fact not in fresh),
        sum(fact.predicate == TABLES[0] for fact in told),
    )
