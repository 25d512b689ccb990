"""What an operation over a tree takes, phase by phase, and where the time goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import add

from skb.engines.route_tree import (
    Broadcast,
    Matrix,
    Task,
    Tree,
    arrivals,
    heights_of,
    last_leaf,
    reversed_in_time,
)
from skb.messages import MessagePairs

PHASES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "broadcast": (("broadcast", 1),),
    "broadcast-ack": (("broadcast", 1), ("report", 1)),
    "reduce": (("reduction", 1),),
    "barrier": (("broadcast", 1), ("reduction", 1)),
    "two-phase-commit": (("broadcast", 2), ("reduction", 1), ("report", 1)),
}
"""The phases of each operation and how often each happens."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Message costs between nodes 0 … n-1 in picoseconds, and the broadcasts made of them."""

    down: Broadcast
    up: Broadcast
    propagation: Matrix
    receive: Matrix

    def report(self, sender: int, receiver: int) -> int:
        """Return the time of one message between idle nodes, nothing to oneself."""
        if sender == receiver:
            return 0
        return self.down.first[sender][receiver] + self.down.tail[sender][receiver]


def pairs_of(messages: MessagePairs, model: str) -> Pairs:
    """Number the members and lay out their costs for a model."""
    first = messages.send.rows()
    further = messages.gap.rows() if model == "logp" else first
    if further == first:
        further = first
    propagation, receive = messages.propagation.rows(), messages.receive.rows()
    down = Broadcast(first, further, messages.propagation.plus(messages.receive).rows())
    return Pairs(down, reversed_in_time(first, propagation, receive), propagation, receive)


def task_of(
    pairs: Pairs,
    operation: str,
    allowed: tuple[tuple[bool, ...], ...],
    roots: tuple[int, ...],
    fan_out: int,
) -> Task:
    """Return what the engine minimises for an operation."""
    ways = {"broadcast": pairs.down, "reduction": pairs.up}
    parts = PHASES[operation]
    report: Matrix | None = None
    if any(name == "report" for name, _ in parts):
        # one message between idle nodes, see `Pairs.report`
        rows = zip(pairs.down.first, pairs.down.tail, strict=True)
        report = tuple(tuple(map(add, *row)) for row in rows)
    phases = tuple((ways[name], times) for name, times in parts if name in ways)
    return Task(phases, allowed, roots, fan_out, report, in_order=operation != "reduce")


@dataclass(frozen=True, slots=True)
class Price:
    """An operation's time over a tree, in picoseconds: by phase, by node, by term, and its path.

    `path` are the nodes that the critical chain of messages runs through; `terms` add up to the
    total. In two-phase commit the votes may begin at another leaf than the one that was prepared
    last.
    """

    total: int
    phases: Mapping[str, int]
    arrivals: tuple[int, ...]
    path: tuple[int, ...]
    terms: Mapping[str, int]


def price(pairs: Pairs, operation: str, tree: Tree, back: Tree | None = None) -> Price:
    """Price an operation over a tree whose children are sent to in the given order.

    `back` is the tree of the reduction where it has one of its own. `arrivals` are the times at
    which each node has the message of the last broadcast, or, in a reduction, all of its subtree.
    """
    back = back or tree
    times = arrivals(pairs.down, tree.root, tree.kids)
    last = last_leaf(times, tree.kids)
    # no node is later than the last leaf, which in a tie is the one that reports
    down, down_terms = _way_down(pairs, tree, last)
    up, up_terms, done = _way_up(pairs, back)
    found = {
        "broadcast": (max(times), down_terms),
        "reduction": (done[tree.root], up_terms),
        "report": (pairs.report(last, tree.root), _report_terms(pairs, last, tree.root)),
    }
    terms: Counter[str] = Counter()
    total = 0
    for name, often in PHASES[operation]:
        total += often * found[name][0]
        for term, value in found[name][1].items():
            terms[term] += often * value
    paths = {
        "broadcast": down,
        "broadcast-ack": (*down, tree.root) if last != tree.root else down,
        "reduce": up,
        "barrier": (*up, *down[1:]),
        "two-phase-commit": (
            *((last,) if last != tree.root else ()),
            *down,
            *(up[1:] if up[0] == down[-1] else up),
            *down[1:],
        ),
    }
    offset = total - max(times) if operation in ("barrier", "two-phase-commit") else 0
    ends = done if operation == "reduce" else [offset + time for time in times]
    phases = {name: found[name][0] for name, _ in PHASES[operation]}
    return Price(total, phases, tuple(ends), paths[operation], terms)


def busy_terms(
    pairs: Pairs, operation: str, tree: Tree, back: Tree | None = None
) -> tuple[Counter[str], ...]:
    """Return what one operation keeps each node busy with, sending and receiving, in picoseconds.

    The largest sum is the occupancy: a stream of operations takes no less for each.
    """
    found: list[Counter[str]] = [Counter() for _ in range(pairs.down.size)]
    often = dict(PHASES[operation])
    first, further, receive = pairs.down.first, pairs.down.further, pairs.receive
    gap = "gap" if pairs.down.bursts else "send"
    if down := often.get("broadcast", 0):
        for node, row in enumerate(tree.kids):
            for place, child in enumerate(row):
                found[node][gap if place else "send"] += down * (
                    further[node][child] if place else first[node][child]
                )
                found[child]["receive"] += down * receive[node][child]
    if up := often.get("reduction", 0):
        for node, row in enumerate((back or tree).kids):
            for child in row:
                found[node]["receive"] += up * receive[child][node]
                found[child]["send"] += up * first[child][node]
    last = last_leaf(arrivals(pairs.down, tree.root, tree.kids), tree.kids)
    if "report" in often and last != tree.root:
        found[last]["send"] += first[last][tree.root]
        found[tree.root]["receive"] += receive[last][tree.root]
    return tuple(found)


def occupancy(pairs: Pairs, operation: str, tree: Tree, back: Tree | None = None) -> int:
    """Return how long the busiest node is busy in one operation, in picoseconds."""
    rows = busy_terms(pairs, operation, tree, back)
    return max(sum(terms.values()) for terms in rows)


def _parents(tree: Tree) -> dict[int, int]:
    return {child: node for node, row in enumerate(tree.kids) for child in row}


def _way_down(pairs: Pairs, tree: Tree, last: int) -> tuple[tuple[int, ...], Counter[str]]:
    """Return the path from the root to a node, and what each kind of cost adds on it."""
    parents, path = _parents(tree), [last]
    terms: Counter[str] = Counter()
    node = last
    while node != tree.root:
        above = parents[node]
        row = tree.kids[above]
        before = row[: row.index(node) + 1]
        terms["send"] += pairs.down.first[above][before[0]]
        further = "gap" if pairs.down.bursts else "send"
        terms[further] += sum(pairs.down.further[above][child] for child in before[1:])
        terms["propagation"] += pairs.propagation[above][node]
        terms["receive"] += pairs.receive[above][node]
        node = above
        path.append(node)
    return tuple(reversed(path)), terms


def _way_up(pairs: Pairs, tree: Tree) -> tuple[tuple[int, ...], Counter[str], list[int]]:
    """Return the critical path of a reduction, its terms, and when each node has its subtree.

    A node serves arrivals in order; the path leads to the child that opened its last busy spell.
    """
    done = heights_of(pairs.up, tree.root, tree.kids)
    path, terms = [tree.root], Counter[str]()
    while tree.kids[path[-1]]:
        node = path[-1]
        rows = sorted((done[c] + pairs.up.tail[node][c], c) for c in tree.kids[node])
        free, opener, served = 0, rows[0][1], 0
        for arrival, child in rows:
            if arrival >= free:
                free, opener, served = arrival, child, 0
            free += pairs.receive[child][node]
            served += pairs.receive[child][node]
        terms["receive"] += served
        terms["send"] += pairs.down.first[opener][node]
        terms["propagation"] += pairs.propagation[opener][node]
        path.append(opener)
    return tuple(reversed(path)), terms, done


def _report_terms(pairs: Pairs, sender: int, root: int) -> Counter[str]:
    if sender == root:
        return Counter()
    return Counter(
        send=pairs.down.first[sender][root],
        propagation=pairs.propagation[sender][root],
        receive=pairs.receive[sender][root],
    )
