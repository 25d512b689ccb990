"""From an object of the request to its case and to what the answer must keep to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skb.costs import Costs
from skb.decision import Assumption
from skb.errors import RequestError
from skb.machine import Machine, object_order
from skb.questions.replicas_instance import LEVELS, Topology, topology
from skb.questions.replicas_price import WAYS, Case, Stream
from skb.questions.replicas_request import (
    PROTOCOLS,
    StateObject,
    members_of,
    operations_of,
    pus_named,
    rates_of,
)
from skb.questions.replicas_search import Wishes
from skb.wording import counted, listed

SHOWN = 6


@dataclass(frozen=True)
class Wanted:
    """An object that makes sense on a machine, and its constraints by name, in words.

    `room` is how many replicas the memory at each NUMA node holds, None where nobody knows.
    """

    machine: Machine
    asked: StateObject
    case: Case
    texts: Mapping[str, str]
    room: Mapping[int, int] | None
    warnings: tuple[str, ...]
    assumed: tuple[Assumption, ...]
    _nodes: tuple[int, ...] = field(default=())
    _seats: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def tight(self) -> bool:
        """Whether memory limits how many replicas there may be."""
        caps, roomless = self._memory()
        return bool(caps or roomless)

    def wishes(self, active: Collection[str]) -> Wishes:
        """Return what holds where only some constraints do."""
        asked, at = self.asked, self.case.at
        places = sorted(range(len(at.pus)), key=lambda place: at.pus[place])
        if "at" in active:
            places = [place for place in places if place in self._seats["at"]]
        if "not_at" in active:
            places = [place for place in places if place not in self._seats["not_at"]]
        caps, roomless = self._memory() if "memory" in active else ({}, frozenset[int]())
        if not (caps or roomless or (self._nodes and "domains" in active)):
            places = self._unlike(places)
        return Wishes(
            seats=tuple(places),
            ways=WAYS if "sharing" not in active or asked.sharing == "either" else (asked.sharing,),
            must=self._nodes if "domains" in active else (),
            only=at.cut(asked.level) if asked.level and "level" in active else None,
            least=2 * asked.faults + 1 if "faults" in active else 1,
            most=asked.max_replicas if "max_replicas" in active else None,
            max_read_ns=asked.max_read_ns if "max_read_ns" in active else None,
            max_update_ns=asked.max_update_ns if "max_update_ns" in active else None,
            caps=caps,
            roomless=roomless,
        )

    def _unlike(self, places: Sequence[int]) -> list[int]:
        """Return the first of all coordinators that may change places without any difference."""
        case, found = self.case, dict[tuple[float, ...], int]()
        rates = [row.tolist() for row in (case.reads, *(stream.rate for stream in case.streams))]
        for place in places:
            key = (case.at.twins[place], *(row[place] for row in rates))
            found.setdefault(key, place)
        return list(found.values())

    def _memory(self) -> tuple[dict[int, int], frozenset[int]]:
        """Return the caps by node of the tree, and the nodes whose memory has no room.

        A replica is in the memory of its part, else in the nearest around it; users without any
        take what is left elsewhere.
        """
        if not self.room:
            return {}, frozenset()
        at, parent = self.case.at, self.case.at.tree.parent
        rooms: dict[str, int] = {}
        for numa, room in self.room.items():
            part = self.machine.anchor(f"numa:{numa}")
            rooms[part] = rooms.get(part, 0) + room
        own: dict[int, int] = {}
        outer: dict[int, int] = {}
        for node, names in enumerate(at.names):
            if near := [rooms[name] for name in names if name in rooms]:
                own[node], outer[node] = near[-1], sum(near[:-1])
        inside = dict(own)
        for node in range(len(parent) - 1, 0, -1):
            if node in inside:
                inside[parent[node]] = inside.get(parent[node], 0) + inside[node]
        around: dict[int, int] = {}
        for node, above in enumerate(parent):
            if node in own or above in around:
                around[node] = own[node] if node in own else around[above]
        inside |= {node: 1 for node in outer if outer[node] and not inside[node]}
        caps = {node: inside[node] for node in own}
        caps[0] = inside.get(0, sum(self.room.values()))
        roomless = (
            node for node in range(len(parent)) if not inside.get(node, around.get(node, 1))
        )
        size = {node: at.end[node] - at.begin[node] for node in caps}
        return {node: room for node, room in caps.items() if room < size[node]}, frozenset(roomless)


def wanted(
    machine: Machine,
    costs: Costs,
    asked: StateObject,
    place: str,
    used: Mapping[int, int],
    known: dict[tuple[int, ...], Topology],
) -> Wanted:
    """Read one object; raise `RequestError` that names the place and the mend.

    `used` are the bytes that other objects take at each NUMA node; `known` are the trees of parts
    that were made before, by members.
    """
    import numpy as np

    operations = operations_of(asked)
    reads = rates_of(machine, asked.read_rate, f"{place}.read_rate")
    key = "operations[{}].rate" if asked.operations else "update_rate"
    rates = [
        rates_of(machine, each.rate, f"{place}.{key.format(at)}")
        for at, each in enumerate(operations)
    ]
    members = members_of(machine, asked, [reads, *rates], place)
    if members not in known:
        known[members] = topology(machine, costs, members)
    at = known[members]
    streams = tuple(
        Stream(
            each,
            each.protocol or PROTOCOLS[each.consistency][0],
            np.array([table.get(pu, 0.0) for pu in at.pus]) / (1 - each.refused),
        )
        for each, table in zip(operations, rates, strict=True)
    )
    case = Case(asked, at, np.array([reads.get(pu, 0.0) for pu in at.pus]), streams)
    seats = {
        name: frozenset(
            at.place[pu]
            for number, named in enumerate(rows)
            for pu in pus_named(machine, named, f"{place}.{name}[{number}]")
            if pu in at.place
        )
        for name, rows in (("at", asked.at), ("not_at", asked.not_at))
    }
    nodes = _domains(machine, asked, at, place)
    if asked.level is not None and not at.cut(asked.level):
        has = [word for word in LEVELS if at.cut(word)]
        raise RequestError(
            f"{machine.name} has no {asked.level} around the users of {asked.name}",
            place=f"{place}.level",
            mend=f"its levels are: {', '.join(has)}",
        )
    return Wanted(
        machine,
        asked,
        case,
        _texts(asked),
        _room(machine, asked, place, used),
        _warnings(asked, [reads, *rates], set(members)),
        _assumed(machine, asked),
        nodes,
        seats,
    )


def _domains(machine: Machine, asked: StateObject, at: Topology, place: str) -> tuple[int, ...]:
    """Return the nodes of the parts that must be domains."""
    found = []
    for number, name in enumerate(asked.domains):
        own = f"{place}.domains[{number}]"
        pus_named(machine, name, own)
        node = at.node_of.get(machine.anchor(name))
        if node is None:
            text = f"{name} holds no PU that uses {asked.name}"
            raise RequestError(text, place=own, mend="name a part with members")
        found.append(node)
    return tuple(dict.fromkeys(found))


def _room(
    machine: Machine, asked: StateObject, place: str, used: Mapping[int, int]
) -> dict[int, int] | None:
    """Return how many replicas each NUMA node has room for, None where nothing is known.

    Nodes that are off or have no memory are left out: who is near them uses other memory.
    """
    sizes = {
        int(str(fact.args[0]).partition(":")[2]): int(str(fact.args[-1]))
        for fact in machine.facts_of("memory_size")
        if str(fact.args[0]).startswith("numa:")
    }
    limit = asked.memory_bytes
    held = [numa for numa in machine.numa if numa in machine.usable_numa and sizes.get(numa, 1)]
    if not held and limit is not None:
        text = f"{machine.name} has no NUMA node with memory that could be limited"
        raise RequestError(text, place=f"{place}.memory_bytes", mend="leave it out")
    if not sizes and limit is None:
        return None
    stated = {}
    if isinstance(limit, dict):
        for name, amount in limit.items():
            pus_named(machine, name, f"{place}.memory_bytes[{name!r}]")
            if not name.startswith("numa:"):
                raise RequestError(
                    f"{name} is no memory",
                    place=f"{place}.memory_bytes[{name!r}]",
                    mend='name a NUMA node, such as "numa:0"',
                )
            stated[int(name.partition(":")[2])] = amount
    found = {}
    for numa in held:
        free = sizes.get(numa, 2**60) - used.get(numa, 0)
        own = stated.get(numa) if isinstance(limit, dict) else limit
        found[numa] = max(0, free if own is None else min(free, own)) // asked.bytes
    return found


def _texts(asked: StateObject) -> dict[str, str]:
    """Return the user's constraints in words, by name."""
    name = asked.name
    limit = " within memory_bytes" if asked.memory_bytes is not None else ""
    text = f"the memory at each NUMA node holds its replicas of {name}, {asked.bytes} bytes each"
    found = {"memory": text + limit}
    wishes: tuple[tuple[str, Any, Callable[[Any], str]], ...] = (
        ("max_read_ns", asked.max_read_ns, lambda x: f"a read of {name} takes at most {x:g} ns"),
        (
            "max_update_ns",
            asked.max_update_ns,
            lambda x: f"an update of {name} takes at most {x:g} ns",
        ),
        (
            "max_replicas",
            asked.max_replicas,
            lambda x: f"{name} has {counted(x, 'replica')} at most",
        ),
        (
            "faults",
            asked.faults,
            lambda x: f"{name} survives {counted(x, 'failure')}, so it has {2 * x + 1} replicas",
        ),
        ("at", asked.at, lambda x: f"the coordinator of {name} is at {_parts(x)}"),
        ("not_at", asked.not_at, lambda x: f"the coordinator of {name} is not at {_parts(x)}"),
        ("level", asked.level, lambda x: f"{name} has one replica per {x}"),
        ("domains", asked.domains, lambda x: f"{_parts(x)} share one replica each of {name}"),
    )
    found |= {key: text(value) for key, value, text in wishes if value}
    if asked.sharing != "either":
        found["sharing"] = f"who shares a replica of {name} uses {_way(asked.sharing)}"
    return found


def _way(sharing: str) -> str:
    return "a lock" if sharing == "lock" else "flat combining"


def _parts(rows: list[Any]) -> str:
    names = [f"pu:{row}" if isinstance(row, int) else str(row) for row in rows]
    return listed(sorted(names, key=object_order), SHOWN)


def _warnings(
    asked: StateObject, rates: list[dict[int, float]], members: set[int]
) -> tuple[str, ...]:
    """Say whose stated rates do not count, because they are no members."""
    tables = [asked.read_rate, *(each.rate for each in operations_of(asked))]
    stated = [rate for rate, table in zip(rates, tables, strict=True) if isinstance(table, dict)]
    lost = sorted({pu for rate in stated for pu in rate if rate[pu] > 0} - members)
    if not lost:
        return ()
    names = listed([f"pu:{pu}" for pu in lost], SHOWN)
    return (f"{names} have rates for {asked.name} and are not among its members",)


def _assumed(machine: Machine, asked: StateObject) -> tuple[Assumption, ...]:
    found = []
    if machine.number("cache_latency", "l1d") is None:
        text = "nobody stated what an access that hits the own cache takes"
        found.append(Assumption("cache_latency(l1d) = 0 ns", text))
    if asked.lines == 1:
        text = f"an operation on {asked.name} touches one cache line unless lines says otherwise"
        found.append(Assumption(f"lines of {asked.name} = 1", text))
    if any(each.work_ns == 0 for each in operations_of(asked)):
        text = "an update does nothing but touch its lines unless work_ns says otherwise"
        found.append(Assumption(f"work_ns of {asked.name} = 0", text))
    return tuple(found)
