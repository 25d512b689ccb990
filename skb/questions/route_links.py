"""Which links a message crosses, and how many messages of an operation cross each link.

A message goes the way of a forwarding table where the request brings one (`next_hop` of a links
decision), else that of the machine (`skb.ways`): by its tables in force, else a shortest way. The
report of a last leaf is no message of the tree and is left aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise

from skb.engines.route_tree import Tree
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.route_price import PHASES

Link = tuple[str, str]
Table = Mapping[str, Mapping[str, str]]


class Ways:
    """The ways between the members of a tree, for the messages of one operation; `assumed` is what
    was assumed for those that were walked, with the reason.
    """

    def __init__(
        self, machine: Machine, members: Sequence[int], operation: str, table: Table | None
    ) -> None:
        self._machine, self._given = machine, table
        self.members = tuple(members)
        self._often = dict(PHASES[operation])
        self._known: dict[tuple[str, str], tuple[Link, ...]] = {}
        self.assumed: dict[str, str] = {}

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The node of the interconnect that each member is in, empty where it is in none."""
        machine = self._machine
        nodes = {*machine.links, *(end for row in machine.links.values() for end in row)}
        return tuple(
            next((at for at in machine.ancestors(f"pu:{pu}") if at in nodes), self._numa(pu, nodes))
            for pu in self.members
        )

    def _numa(self, pu: int, nodes: set[str]) -> str:
        names = (f"numa:{node}" for node in self._machine.numa_of_pu[pu])
        return next((name for name in names if name in nodes), "")

    def way(self, sender: int, receiver: int) -> tuple[Link, ...]:
        """Return the links between two members by their place; raise `RequestError` if none lead.

        Members within one node of the interconnect, or in none, cross nothing.
        """
        start, end = self.ends[sender], self.ends[receiver]
        if not start or not end or start == end:
            return ()
        if (start, end) not in self._known:
            self._known[start, end] = tuple(pairwise(self._steps(start, end)))
        return self._known[start, end]

    def _steps(self, start: str, end: str) -> Sequence[str]:
        given = self._given is not None
        path = self._along(start, end) if given else self._machine.ways.path(start, end)
        if not given and (broken := self._machine.ways.broken_assumption(start, end)):
            self.assumed.update([broken])
        if not path or path[-1] != end:
            last = path[-1] if path else start
            raise RequestError(
                f"no way leads from {start} to {end}"
                + (f": it ends at {last}" if last != start else ""),
                place="route request $.next_hop" if given else "route request $.members",
                mend="give a table of `skb ask links`, or name members that links join",
            )
        return path

    def _along(self, start: str, end: str) -> Sequence[str]:
        """Return the parts on the way of the request's table, up to where it ends."""
        path, machine = [start], self._machine
        while path[-1] != end and len(path) <= len(machine.links) + 1:
            step = (self._given or {}).get(path[-1], {}).get(end)
            if step is None or step not in machine.links.get(path[-1], ()):
                break
            path.append(step)
        return path

    def crossed(self, parent: int, child: int) -> Counter[Link]:
        """Return how often an operation's messages between parent and child cross each link."""
        found: Counter[Link] = Counter()
        for link in self.way(parent, child):
            found[link] += self._often.get("broadcast", 0)
        for link in self.way(child, parent):
            found[link] += self._often.get("reduction", 0)
        return +found

    def loads(self, tree: Tree, back: Tree | None = None) -> Counter[Link]:
        """Return how many messages of one operation cross each link."""
        found: Counter[Link] = Counter()
        for often, direction in (("broadcast", tree), ("reduction", back or tree)):
            for node, row in enumerate(direction.kids):
                for child in row:
                    ends = (node, child) if often == "broadcast" else (child, node)
                    for link in self.way(*ends):
                        found[link] += self._often.get(often, 0)
        return +found

    def excess(self, tree: Tree, most: int) -> int:
        """Return by how many messages links are over a limit, all together."""
        return sum(max(0, load - most) for load in self.loads(tree).values())


def check_links(machine: Machine, links: Sequence[Link], place: str) -> None:
    """Raise `RequestError` where a pair of parts is joined by no link."""
    for at, (a, b) in enumerate(links):
        if b not in machine.links.get(a, ()) and a not in machine.links.get(b, ()):
            known = ", ".join(f"{x} - {y}" for x, row in machine.links.items() for y in row[:1])
            raise RequestError(
                f"there is no link between {a} and {b}",
                place=f"route request {place}[{at}]",
                mend=f"links are such as {known[:120]}" if known else "the machine states no links",
            )
