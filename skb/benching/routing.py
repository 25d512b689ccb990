"""`skb bench routing`: its suites as jobs that give a row each.

The machines come from `skb.benching.pair_tables`; judges are in `skb.benching.routing_judge`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from skb.benching import routing_links, routing_trees
from skb.benching.pair_tables import Subject
from skb.benching.routing_rows import Row, ended
from skb.benching.routing_trees import Bench, Job
from skb.decision import Limits
from skb.questions import links, route

SUITES: Mapping[str, Callable[[Bench], Iterator[tuple[str, Job]]]] = {
    "trees": routing_trees.trees,
    "first": routing_trees.first,
    "groups": routing_trees.groups,
    "large": routing_trees.large,
    "measured": routing_trees.measured,
    "links": routing_links.links,
}
TITLES = {
    "trees": "one tree, postal model, free root",
    "first": "the first second, postal model, free root",
    "groups": "broadcast to groups of cores, postal model, free root",
    "large": "broadcast on large machines",
    "measured": "acknowledged broadcast from the first PU, logp model with derived gaps",
    "links": "forwarding tables, uniform traffic: largest load of a link",
}
# suites that take no machines
ALONE = ("links",)


@dataclass(frozen=True, slots=True)
class Case:
    """One row that is still to be made."""

    suite: str
    title: str
    job: Job

    def row(self) -> Row:
        """Make the row; a refusal is a missed target, a fault of one row does not end the run."""
        begin = time.perf_counter()
        try:
            return self.job()
        except Exception as fault:  # it is told with the row
            return ended(self.suite, self.title, begin, fault)


def cases(suites: Sequence[str], machines: Sequence[Subject], limit: float | None) -> list[Case]:
    """Return the cases of these suites, in their order."""
    bench = Bench(machines, limit)
    return [Case(name, title, job) for name in suites for title, job in SUITES[name](bench)]


def warm() -> None:
    """Compile and import what the first answer would have to: that is not what is measured."""
    from skb.engines.compiling import compile_now

    # a fault comes again, and is told, where it is measured
    with suppress(Exception):
        compile_now()
    with suppress(Exception):
        machine = routing_links.interconnect("mesh4x4")
        for operation in routing_trees.OPERATIONS:
            request = {"model": "postal", "operation": operation}
            route.decide(machine, request, Limits(seconds=1.0))
        links.decide(machine, {}, Limits(seconds=1.0))
