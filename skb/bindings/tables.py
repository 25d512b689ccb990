"""What the targets of forwarding tables read: nodes, ports, next hops and virtual channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skb.bindings.writing import comment, head
from skb.errors import RequestError
from skb.machine import Machine


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a links decision.

    `ports[node]` are its neighbours with the number of the port to each: as `link_port` facts say,
    else counted from 1 in the order of the nodes. `ahead[node][destination]` is a neighbour, `load`
    what each link carries.
    """

    id: str
    machine: Machine
    nodes: tuple[str, ...]
    ports: Mapping[str, Mapping[str, int]]
    ahead: Mapping[str, Mapping[str, str]]
    channel: Mapping[str, int]
    load: Mapping[str, Mapping[str, float]]

    def port(self, node: str, to: str) -> int:
        """Return the port over which a node forwards to a destination."""
        return self.ports[node][self.ahead[node][to]]

    def heading(self, does: str, needs: str, mark: str = "#") -> str:
        """Return the comment that begins a file."""
        lines = head(f"tables {self.id[:8]}", self.machine, does, needs)
        return "".join(comment(line) for line in lines).replace("# ", f"{mark} ")


def tables_of(machine: Machine, decision: Mapping[str, Any]) -> Tables:
    """Read a decision as it is stored; raise `RequestError` where it has no table."""
    id_, answer = str(decision["id"]), decision["answer"]
    if "next_hop" not in answer:
        raise RequestError(
            f"decision {id_} is {decision['status']}: it has no table", mend=f"skb why {id_[:8]}"
        )
    nodes = tuple(answer["nodes"])
    place = {node: at for at, node in enumerate(nodes)}
    stated: dict[str, dict[str, int]] = {}
    for fact in sorted(machine.facts_of("link_port"), key=lambda fact: -int(fact.args[1])):
        stated.setdefault(str(fact.args[0]), {})[str(fact.args[2])] = int(fact.args[1])
    ports = {}
    for a in nodes:
        ends = sorted(answer["load"].get(a, {}), key=place.__getitem__)
        known = stated.get(a, {})
        whole = all(b in known for b in ends)
        ports[a] = {b: known[b] if whole else at for at, b in enumerate(ends, 1)}
    return Tables(id_, machine, nodes, ports, answer["next_hop"], answer["channel"], answer["load"])
