"""What is measured, and in which order: pure functions of a snapshot and a seed.

Pairs are grouped by what their distance depends on (`Costs.pair_class`). Up to `ALL_PAIRS_PUS` PUs
every pair is measured; above, some of each group, from several PUs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skb.costs import Costs
from skb.machine import ROOT, Machine, kind_of
from skb.relations import relations

ALL_PAIRS_PUS = 64
PER_GROUP = 8
# above this many PUs groups are looked for from some PUs only: all pairs would be too many to sort
SORTED_PUS = 256
ANCHORS = 24
_CACHES = frozenset({"l2", "l3", "l4", "l5"})

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Pairs of PUs at one distance, and how a fact names it.

    `predicate` is "within" with a level or "hops" with a number; `sampled` are the planned pairs,
    `complete` tells whether they are all there are.
    """

    predicate: str
    word: str | int
    title: str
    sampled: tuple[Pair, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Unordered pairs in the order of their visits, and the groups that they stand for."""

    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...]
    sampled: bool


def plan_pairs(machine: Machine, pus: Sequence[int], mode: str | None, seed: int) -> Plan:
    """Plan the pairs among some PUs; `mode` is `all`, `sampled`, or None to choose by their number.

    The first visits reach every group, so that a run cut short has seen something of each.
    """
    draw = random.Random(seed)
    sampled = len(pus) > ALL_PAIRS_PUS if mode is None else mode == "sampled"
    whole = not sampled or len(pus) <= SORTED_PUS
    found: dict[tuple[object, ...], list[Pair]] = defaultdict(list)
    costs = Costs(machine)
    for pair in _candidates(machine, sorted(pus), whole, draw):
        found[costs.pair_class(*pair)].append(pair)
    groups = []
    for key in sorted(found, key=repr):
        pairs = found[key]
        taken = _spread_out(pairs, PER_GROUP, draw) if sampled else pairs
        predicate, word = fact_words(key)
        groups.append(
            Group(
                predicate,
                word,
                _title(key),
                tuple(sorted(taken)),
                complete=whole and len(taken) == len(pairs),
            )
        )
    return Plan(_in_turn([group.sampled for group in groups], draw), tuple(groups), sampled)


def pooled(plan: Plan) -> list[str]:
    """Say which classes of a sampled plan no fact can tell apart: their pairs share one median."""
    rows: dict[tuple[str, str | int], list[str]] = defaultdict(list)
    for group in plan.groups:
        rows[group.predicate, group.word].append(group.title)
    return [
        f"no fact tells these classes of pairs apart, they share one median: {'; '.join(titles)}"
        for titles in rows.values()
        if len(titles) > 1
    ]


def _candidates(
    machine: Machine, pus: Sequence[int], whole: bool, draw: random.Random
) -> Iterable[Pair]:
    if whole:
        return [(a, b) for at, a in enumerate(pus) for b in pus[at + 1 :]]
    by_package: dict[str, list[int]] = defaultdict(list)
    for pu in pus:
        by_package[machine.package_of[pu]].append(pu)
    anchors = [draw.choice(by_package[package]) for package in sorted(by_package)]
    rest = sorted(set(pus) - set(anchors))
    anchors += draw.sample(rest, min(len(rest), max(0, ANCHORS - len(anchors))))
    return sorted({(min(a, b), max(a, b)) for a in anchors for b in pus if a != b})


def _spread_out(pairs: Sequence[Pair], count: int, draw: random.Random) -> list[Pair]:
    """Draw pairs so that a PU comes again only where none is left that has not come."""
    left = draw.sample(pairs, len(pairs))
    taken: list[Pair] = []
    seen: dict[int, int] = defaultdict(int)
    while left and len(taken) < count:
        pair = min(left, key=lambda one: seen[one[0]] + seen[one[1]])
        left.remove(pair)
        taken.append(pair)
        for pu in pair:
            seen[pu] += 1
    return taken


def _in_turn(groups: Sequence[Sequence[Pair]], draw: random.Random) -> tuple[Pair, ...]:
    """Take from the groups in turn, each in an order of its own."""
    queues = [draw.sample(pairs, len(pairs)) for pairs in groups]
    order = []
    while queues := [queue for queue in queues if queue]:
        order += [queue.pop() for queue in queues]
    return tuple(order)


def fact_words(key: tuple[object, ...]) -> tuple[str, str | int]:
    """Return how facts name a class of pairs: `("within", level)` or `("hops", number)`."""
    if key[0] == "across":
        hops = key[1]
        return ("hops", hops) if isinstance(hops, int) and hops > 0 else ("within", "machine")
    words = relations()["latency_within"].args[0].values
    levels: tuple[str, ...] = key[1]  # type: ignore[assignment]
    return "within", next((level for level in levels if level in words), "machine")


def _title(key: tuple[object, ...]) -> str:
    predicate, word = fact_words(key)
    distance = key[2]
    text = f"within one {word}" if predicate == "within" else f"{word} hops apart"
    return text if distance is None else f"{text}, NUMA distance {distance:g}"


# ---------------------------------------------------------------- memory
@dataclass(frozen=True, slots=True)
class Reach:
    """Memory of a node as seen from PUs of another (or the same) node; `whole` if from all."""

    initiator: int
    pus: tuple[int, ...]
    target: int
    whole: bool = True


def plan_memory(machine: Machine, pus: Sequence[int]) -> tuple[Reach, ...]:
    """Return every reach from a node with some of the PUs to a usable node, target by target."""
    near: dict[int, list[int]] = defaultdict(list)
    for pu in sorted(pus):
        for node in machine.numa_of_pu[pu][:1]:
            near[node].append(pu)
    targets = [node for node in machine.usable_numa if machine.value("memory_size", f"numa:{node}")]
    whole = {
        node: sum(machine.numa_of_pu[pu][:1] == (node,) for pu in machine.usable_pus)
        for node in near
    }
    return tuple(
        Reach(node, tuple(near[node]), target, len(near[node]) == whole[node])
        for target in targets
        for node in sorted(near)
    )


def cache_bytes(machine: Machine, pus: Iterable[int]) -> int:
    """Return the size of all outermost caches around some PUs; 0 where none states one."""
    outermost: dict[str, int] = {}
    for pu in pus:
        for at in machine.ancestors(f"pu:{pu}"):
            if at != ROOT and kind_of(at) in _CACHES:
                size = machine.number("cache_size", at)
                if size and not _encloses(outermost, machine, at):
                    outermost[at] = int(size)
    inner = {at for outer in outermost for at in outermost if outer in machine.ancestors(at)}
    return sum(size for at, size in outermost.items() if at not in inner)


def _encloses(known: dict[str, int], machine: Machine, name: str) -> bool:
    return name in known or any(at in known for at in machine.ancestors(name))
