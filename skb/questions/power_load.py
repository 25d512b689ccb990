"""Whether a load still runs on what is left: PUs within a latency of each other, memory, devices.

PUs of one block of equal latencies are one atom; PUs can be used together where their atoms are
pairwise within the limit, both ways. A load of tasks is put to the placement question.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from skb.bandwidth import Bandwidths
from skb.costs import Costs, to_ps
from skb.decision import Assumption, Decision, Limits, Status
from skb.engines.power_net import Reach, homes
from skb.errors import LimitError
from skb.machine import Machine
from skb.questions.placement import QUESTION as PLACEMENT
from skb.questions.placement_latency import Latency
from skb.questions.power_instance import Off, Power, supposed
from skb.questions.power_request import Keep
from skb.ways import Ways

MIB = 2**20
# cliques of atoms that are looked at; more are not excluded any more
MOST_CLIQUES = 4000
# of summed loads
ROUNDED = 1e-6
LEVELS = ("machine", "package", "numa", "l3", "l2", "core")


@dataclass(frozen=True, slots=True)
class Fit:
    """What of the machine the load runs on."""

    pus: tuple[int, ...] = ()
    numa: tuple[int, ...] = ()
    tasks: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision | None = None


class OtherWays(Costs):
    """Costs of a machine whose messages travel over other ways than they do now."""

    def __init__(self, machine: Machine, ways: Ways) -> None:
        super().__init__(machine)
        self._ways = ways

    def _hops(self, first: str, second: str) -> int | None:
        return self._ways.hops(first, second)


class Load:
    """A load that keeps running; `fit` says on what, or None. `loose` counts what was not
    excluded although nothing was found; tasks run on the PUs that are `occupied`.
    """

    def __init__(
        self,
        power: Power,
        keep: Keep,
        required: Collection[str],
        limits: Limits,
        occupied: frozenset[int] = frozenset(),
        deadline: float = math.inf,
    ) -> None:
        self.power = power
        self.machine = power.machine
        self.keep = keep
        self.limits = limits
        self.required = tuple(dict.fromkeys([*required, *keep.devices]))
        self.loose = 0
        self.occupied = occupied
        self.deadline = deadline
        self._tried: dict[Any, Fit | None] = {}
        self.costs = Costs(power.machine)
        self.bandwidths = Bandwidths(power.machine)
        self.most_ps = None if keep.max_latency_ns is None else to_ps(keep.max_latency_ns)
        known = power.known.setdefault((self.most_ps, tuple(keep.devices)), {})
        self._adjacent: dict[Any, tuple[frozenset[int], ...]] = known

    # ------------------------------------------------------------ sizes
    @property
    def pus(self) -> int:
        """PUs that the load needs at the least."""
        if self.keep.placement is None:
            return self.keep.pus or 0
        return self._tasks_pus

    @cached_property
    def _tasks_pus(self) -> int:
        whole, most, shared = 0, 0, 0.0
        for task in self.keep.placement.get("task", []) if self.keep.placement else []:
            if "per" in task:
                continue
            need = int(task.get("pus") or task.get("cores") or 1)
            if task.get("exclusive"):
                whole += need
            else:
                shared += need * float(task.get("load", 1.0))
                most = max(most, need)
        return whole + max(most, math.ceil(shared - ROUNDED))

    @property
    def memory(self) -> int:
        """Bytes that the load needs."""
        return int((self.keep.memory_mib or 0) * MIB)

    @property
    def bandwidth(self) -> int:
        """KiB/s of memory bandwidth that the load needs."""
        return int((self.keep.bandwidth_mib_s or 0) * 1024)

    def node_bandwidth(self, node: int) -> int:
        """Return the bandwidth of a node in KiB/s."""
        return int(self.bandwidths.node_mib_s(node) * 1024)

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        """The numbers that nobody stated."""
        found = list(self.costs.assumed if self.most_ps is not None else ())
        if self.keep.bandwidth_mib_s is not None:
            found += self.bandwidths.assumed
        return tuple(found)

    # ------------------------------------------------------------ latency
    @property
    def moves_ways(self) -> bool:
        """Whether latencies change with the ways that are left."""
        return self.most_ps is not None and bool(self.power.net.links) and not self._stated

    @cached_property
    def _stated(self) -> bool:
        """Whether the latency of every pair is stated, so that none depends on ways."""
        if not self._pairs or self.keep.devices:
            return False
        number, pus = self.machine.number, self.power.pus
        return all(
            number("latency", f"pu:{a}", f"pu:{b}") is not None for a in pus for b in pus if a != b
        )

    @property
    def monotone(self) -> bool:
        """Whether what is too little stays too little when more goes: longer ways cost no less."""
        if not self.moves_ways:
            return True
        if self.machine.facts_of("next_hop"):
            return False
        for predicate in ("latency_hops", "message_cost_hops"):
            rows: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
            for fact in self.machine.facts_of(predicate):
                key = tuple(fact.args[1:-1])
                rows[key].append((int(str(fact.args[0])), float(str(fact.args[-1]))))
            for found in rows.values():
                values = [value for _hops, value in sorted(found)]
                if values != sorted(values):
                    return False
        return True

    def groups(self, off: Off, reached: Reach) -> tuple[frozenset[int], ...]:
        """Return the largest sets of PUs that are pairwise within the latency, and near all
        devices of the load; of PUs that are gone, too, where ways do not change.
        """
        if self.most_ps is None:
            return (frozenset(self.power.pus),)
        key: Any = None
        costs = self.costs
        if self.moves_ways:
            net = self.power.net
            key = (frozenset(reached.lost) & net.ends, off.links)
            if key not in self._adjacent:
                costs = OtherWays(self.machine, self._ways(reached, off))
        if key not in self._adjacent:
            self._adjacent[key] = self._cliques(costs, reached)
        return self._adjacent[key]

    def _ways(self, reached: Reach, off: Off) -> Ways:
        links: dict[str, list[str]] = defaultdict(list)
        for a, b in self.power.net.links:
            if frozenset((a, b)) not in off.links:
                links[a].append(b)
        rows = self.machine.facts_of("next_hop")
        entries = [(str(f.args[0]), str(f.args[1]), str(f.args[2])) for f in rows]
        return Ways(links, lambda name: name not in reached.lost, entries)

    def _cliques(self, costs: Costs, reached: Reach) -> tuple[frozenset[int], ...]:
        import networkx

        units = [unit for unit in self._units if self._near(costs, unit[0], reached)]
        near = self._joined(costs, [unit[0] for unit in units])
        twins: dict[frozenset[int], list[int]] = defaultdict(list)
        for at, others in near.items():
            twins[frozenset(others)].append(at)
        firsts = {members[0]: members for members in twins.values()}
        graph = networkx.Graph()
        graph.add_nodes_from(firsts)
        graph.add_edges_from((a, b) for a in firsts for b in near[a] if b in firsts and a < b)
        found = list(islice(networkx.find_cliques(graph), MOST_CLIQUES + 1))
        if len(found) > MOST_CLIQUES:
            self.loose += 1
        sets = (
            frozenset(pu for first in clique for at in firsts[first] for pu in units[at])
            for clique in found[:MOST_CLIQUES]
        )
        return tuple(sorted(sets, key=lambda pus: (-len(pus), sorted(pus)))) or (frozenset(),)

    def _joined(self, costs: Costs, firsts: Sequence[int]) -> dict[int, set[int]]:
        """Return by number which PUs are within the latency of each, itself too."""
        near = {at: {at} for at in range(len(firsts))}
        for a in range(len(firsts)):
            for b in range(a):
                if self._both(costs, firsts[a], firsts[b], self.most_ps or 0):
                    near[a].add(b)
                    near[b].add(a)
        return near

    @cached_property
    def _units(self) -> list[list[int]]:
        """The atoms, those of one package and node together that are near the same others.

        Over other ways only the distance between packages changes, so that they stay alike.
        """
        atoms = self._atoms(self.costs)
        near = self._joined(self.costs, [atom[0] for atom in atoms])
        machine = self.machine
        found: dict[Any, list[int]] = {}
        for at, atom in enumerate(atoms):
            place = (machine.package_of[atom[0]], machine.numa_of_pu[atom[0]])
            key: Any = at if self._pairs else (frozenset(near[at]), place)
            found.setdefault(key, []).extend(atom)
        return list(found.values())

    @cached_property
    def _pairs(self) -> bool:
        """Whether latencies of single pairs are stated."""
        facts = self.machine.facts_of
        return bool(facts("message_cost")) or bool(facts("latency"))

    def _atoms(self, costs: Costs) -> list[list[int]]:
        """Return sets of PUs that are alike and may all be used together."""
        latency = Latency(self.machine, costs)
        most = self.most_ps or 0
        found: list[list[int]] = []
        usable = set(self.power.pus)
        for members in latency.members.values():
            cores: dict[str, list[int]] = defaultdict(list)
            for pu in members:
                if pu in usable:
                    cores[self.machine.core_of[pu]].append(pu)
            several = list(cores.values())
            near = all(self._both(costs, pus[0], pus[1], most) for pus in several if len(pus) > 1)
            if not near:
                found += [[pu] for pus in several for pu in pus]
            elif len(several) > 1 and not self._both(costs, several[0][0], several[1][0], most):
                found += several
            elif several:
                found.append([pu for pus in several for pu in pus])
        return found

    def _both(self, costs: Costs, first: int, second: int, most: int) -> bool:
        return costs.latency_ps(first, second) <= most and costs.latency_ps(second, first) <= most

    def _near(self, costs: Costs, pu: int, reached: Reach) -> bool:
        most = self.most_ps or 0
        for device in self.keep.devices:
            local = self.local(device, reached)
            if pu not in local and not any(costs.latency_ps(pu, q) <= most for q in sorted(local)):
                return False
        return True

    def local(self, device: str, reached: Reach) -> frozenset[int]:
        """Return the PUs local to a device: of what it hangs on, or of its other hosts."""
        hosts = self.power.net.hosts.get(device, ())
        found: frozenset[int] = frozenset()
        if device not in reached.hosted:
            found = self.machine.pus_of(device)
        for host in hosts:
            if host not in reached.lost:
                found |= self.machine.pus_of(host)
        return found

    # ------------------------------------------------------------ whether it runs
    def fit(self, off: Off, reached: Reach | None = None) -> Fit | None:
        """Return on what the load runs with parts off, None where it does not."""
        reached = self.power.reach(off) if reached is None else reached
        if any(part in reached for part in self.required):
            return None
        nodes = [n for n in self.power.nodes if f"numa:{n}" not in reached]
        if self.memory and sum(self.power.size.get(f"numa:{n}", 0) for n in nodes) < self.memory:
            return None
        if self.bandwidth and sum(map(self.node_bandwidth, nodes)) < self.bandwidth:
            return None
        left = [pu for pu in self.power.pus if f"pu:{pu}" not in reached]
        if len(left) < self.pus:
            return None
        if self.keep.placement is not None:
            key = (frozenset(off.parts), off.links, reached.home)
            if key not in self._tried:
                self._tried[key] = self._placed(off, reached)
            return self._tried[key]
        for group in self.groups(off, reached):
            inside = [pu for pu in left if pu in group]
            if len(inside) >= self.pus:
                pus = tuple(inside[: self.pus])
                return Fit(pus, tuple(self._nodes(pus, nodes)))
        return None

    def could(self, off: Off) -> bool:
        """Tell whether the load may run with more parts off: on any piece of the interconnect.

        Which piece counts is decided by the PUs that run there, so that another one may when more
        parts go.
        """
        reached = self.power.reach(off)
        others = homes(self.power.net, reached, off.links)[1:]
        return any(self.fit(off, self.power.reach(off, home)) for home in others)

    def _nodes(self, pus: Iterable[int], nodes: Collection[int]) -> list[int]:
        """Return the nodes that the memory and its bandwidth take: the local ones first."""
        local = [n for pu in pus for n in self.machine.numa_of_pu[pu] if n in nodes]
        found: list[int] = []
        size = rate = 0
        for node in dict.fromkeys([*local, *nodes]):
            if size >= self.memory and rate >= self.bandwidth:
                break
            size += self.power.size.get(f"numa:{node}", 0)
            rate += self.node_bandwidth(node) if self.bandwidth else 0
            found.append(node)
        return sorted(found)

    # ------------------------------------------------------------ tasks
    def _placed(self, off: Off, reached: Reach) -> Fit | None:
        machine = supposed(self.machine, off, reached.cut)
        raw = dict(self.keep.placement or {})
        whole = all(row.get("exclusive") for row in raw.get("task", []))
        apart = self.most_ps is not None and whole and raw.get("traffic")
        if apart and all(len(group) < 2 for group in self.groups(off, reached)):
            return None
        found = self._decide(machine, raw)
        if found is not None and self._quick(machine, raw, found.answer["tasks"], reached):
            return self._fit(found)
        if found is None or self.most_ps is None:
            return None
        for level in filter(machine.of_kind, LEVELS):
            names = [str(task["name"]) for task in raw["task"] if "per" not in task]
            more = {
                **raw,
                "together": [*raw.get("together", []), {"tasks": names, "within": level}],
            }
            other = self._decide(machine, more) if len(names) > 1 else None
            if other is not None and self._quick(machine, raw, other.answer["tasks"], reached):
                return self._fit(replace(other, request=raw))
        self.loose += 1
        return None

    def _fit(self, found: Decision) -> Fit:
        tasks = found.answer["tasks"]
        pus = sorted({pu for task in tasks.values() for pu in task["pus"]})
        nodes = {task["numa_node"] for task in tasks.values()} - {None}
        return Fit(tuple(pus), tuple(sorted(nodes)), tasks, found)

    def _decide(self, machine: Machine, raw: Mapping[str, Any]) -> Decision | None:
        from skb.errors import RequestError

        try:
            seconds = max(0.05, min(self.limits.seconds, self.deadline - time.monotonic()))
            found = PLACEMENT.decide(machine, raw, replace(self.limits, seconds=seconds))
        except LimitError:
            self.loose += 1
            return None
        except RequestError:
            if not machine.usable_pus:
                return None
            raise
        if found.status in (Status.OPTIMAL, Status.FEASIBLE):
            return replace(found, request=found.request or dict(raw))
        if found.status is Status.UNKNOWN:
            self.loose += 1
        return None

    def suits(self, off: Off, reached: Reach, tasks: Mapping[str, Any]) -> bool:
        """Tell whether tasks where they are said to be meet the latency with parts off."""
        machine = supposed(self.machine, off, reached.cut)
        return self._quick(machine, self.keep.placement or {}, tasks, reached)

    def _quick(
        self,
        machine: Machine,
        raw: Mapping[str, Any],
        tasks: Mapping[str, Any],
        reached: Reach,
    ) -> bool:
        """Tell whether tasks that exchange messages are within the latency, and near devices."""
        if self.most_ps is None:
            return True
        costs = Costs(machine)
        for row in raw.get("traffic", []):
            a, b = tasks[row["from"]]["pus"][0], tasks[row["to"]]["pus"][0]
            if not self._both(costs, a, b, self.most_ps):
                return False
        firsts = {task["pus"][0] for task in tasks.values()}
        return all(self._near(costs, pu, reached) for pu in firsts)
