"""How far derived gaps are off the broadcasts that were measured: `python -m tests.bench.gaps`.

Takes the bundled machines with measured costs and broadcasts (those of `skb bench routing`),
predicts each measured tree with an acknowledged broadcast from core 0 in the logp model, and prints
the error of each rule for the gap, per machine and tree. For the families with a number it also
leaves one machine out:
the number is chosen on the others and judged on that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean

from skb.benching.pair_tables import Subject, subjects
from skb.engines.route_tree import Broadcast, Matrix, arrivals, last_leaf
from skb.knowledge import KnowledgeBase
from skb.questions.route_trees import Classics

TREES = ("sequential", "cluster", "binary", "fibonacci")
SHARES = tuple(share / 20 for share in range(6, 17))

Rule = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Measured:
    """A machine's send and receive costs, its NUMA nodes, and what its broadcasts took, cycles."""

    send: Mapping[tuple[int, int], float]
    receive: Mapping[tuple[int, int], float]
    domains: list[list[int]]
    took: Mapping[str, float]


def machines() -> dict[str, Measured]:
    """Return every machine of which pair costs and broadcasts were measured."""
    found = {}
    for subject in subjects([], KnowledgeBase.open().machine):
        took = {name: subject.took[name] for name in TREES if name in subject.took}
        if took:
            costs = [_costs(subject, role) for role in ("send", "receive")]
            found[subject.name] = Measured(costs[0], costs[1], _domains(subject), took)
    return found


def _costs(subject: Subject, role: str) -> dict[tuple[int, int], float]:
    facts = subject.machine.facts
    rows = [fact.args for fact in facts if fact.predicate == "message_cost" and role in fact.args]
    return {(_number(row[0]), _number(row[1])): float(row[-1]) for row in rows}


def _number(name: object) -> int:
    return int(str(name).removeprefix("pu:"))


def _domains(subject: Subject) -> list[list[int]]:
    nodes: dict[tuple[int, ...], list[int]] = {}
    for pu in subject.machine.pus:
        nodes.setdefault(subject.machine.numa_of_pu[pu], []).append(pu)
    return list(nodes.values())


def errors(machine: Measured, rule: Rule) -> dict[str, float]:
    """Return predicted / measured - 1 of each measured tree, the gap by a rule."""
    count = 1 + max(u for u, _ in machine.send)

    def matrix(cost: Callable[[tuple[int, int]], float]) -> Matrix:
        nodes = range(count)
        return tuple(
            tuple(0 if u == v else round(1000 * cost((u, v))) for v in nodes) for u in nodes
        )

    send, receive = matrix(machine.send.__getitem__), matrix(machine.receive.__getitem__)
    gap = matrix(lambda pair: rule(machine.send[pair], machine.receive[pair]))
    trees = Classics(Broadcast(send, gap, receive), machine.domains).quick(0)
    found = {}
    for name, measured in machine.took.items():
        times = arrivals(Broadcast(send, gap, receive), 0, trees[name].kids)
        leaf = last_leaf(times, trees[name].kids)
        found[name] = (times[leaf] + send[leaf][0] + receive[leaf][0]) / 1000 / measured - 1
    return found


def share_of_receive(share: float) -> Rule:
    return lambda send, receive: share * receive


def share_of_both(share: float) -> Rule:
    return lambda send, receive: share * (send + receive)


def at_least_half_a_send(share: float) -> Rule:
    return lambda send, receive: max(send / 2, share * receive)


FAMILIES: Mapping[str, Callable[[float], Rule]] = {
    "x receive": share_of_receive,
    "x (send + receive)": share_of_both,
    "max(send / 2, x receive)": at_least_half_a_send,
}
FIXED: Mapping[str, Rule] = {
    "send (postal)": lambda send, receive: send,
    "receive / 2": share_of_receive(0.5),
    "max(send, receive / 2)": lambda send, receive: max(send, receive / 2),
    "min(send, receive / 2)": lambda send, receive: min(send, receive / 2),
    "(send + receive) / 4": share_of_both(0.25),
}


def off(found: Mapping[str, float]) -> float:
    """Return the mean absolute error of one machine, in percent."""
    return 100 * mean(map(abs, found.values()))


def left_out(known: Mapping[str, Measured], family: Callable[[float], Rule]) -> dict[str, float]:
    """Return the error of each machine with the number that suits the others best."""
    rows = {
        share: {name: off(errors(machine, family(share))) for name, machine in known.items()}
        for share in SHARES
    }
    found = {}
    for name in known:
        best = min(SHARES, key=lambda x: mean(v for k, v in rows[x].items() if k != name))
        found[name] = rows[best][name]
    return found


def main() -> None:
    """Print the tables."""
    known = machines()
    for title, rule in FIXED.items():
        rows = {name: errors(machine, rule) for name, machine in known.items()}
        print(f"{title}: mean {mean(map(off, rows.values())):.1f} %")
        for name, row in rows.items():
            print(f"  {name:22}", *(f"{tree} {100 * error:+.0f} %" for tree, error in row.items()))
    print("each machine left out of the choice of x:")
    for title, family in FAMILIES.items():
        errors_ = left_out(known, family)
        print(f"  {title:26} mean {mean(errors_.values()):.1f} %", *map(round, errors_.values()))


if __name__ == "__main__":
    main()
