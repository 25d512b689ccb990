"""What it costs to reach one part from another: latencies and message costs of a snapshot.

Stated numbers come first: by pair, by hops of the interconnect, by closest common ancestor. What
nobody stated is taken from `facts/defaults.toml` and kept in `assumed`. Times are integer
picoseconds inside, so that solver, checker and simulator agree exactly (docs/design.md).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from skb.decision import Assumption
from skb.errors import RequestError
from skb.machine import ROOT, Machine
from skb.messages import LINE, ROLES, MessagePairs, priced
from skb.resources import defaults_file

_INNER = ("core", "l1", "l2", "l3", "l4", "numa", "die", "package")


def to_ps(latency_ns: float) -> int:
    """Turn nanoseconds into whole picoseconds, the only rounding that we do."""
    return round(latency_ns * 1000)


@cache
def defaults() -> Mapping[str, Any]:
    with defaults_file().open("rb") as file:
        return tomllib.load(file)


class Costs:
    """Latencies of one machine; `assumed` grows with every number that nobody stated."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._assumed: dict[str, str] = {}
        self._classes: dict[tuple[object, ...], int] = {}
        self._has_pairs = bool(machine.facts_of("latency"))
        self._message_pairs = bool(machine.facts_of("message_cost"))
        self._has_messages = any(
            machine.facts_of(name)
            for name in ("message_cost", "message_cost_within", "message_cost_hops")
        )
        self._slit = {
            (str(f.args[0]), str(f.args[1])): float(str(f.args[2]))
            for f in machine.facts_of("numa_distance")
        }

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        return tuple(Assumption(fact, why) for fact, why in sorted(self._assumed.items()))

    def _assume(self, fact: str, why: str) -> None:
        self._assumed.setdefault(fact, why)

    # ------------------------------------------------------------ classes of pairs
    def pair_class(self, first: int, second: int) -> tuple[object, ...]:
        """Return what the distance between two PUs depends on where no pair is stated.

        `("within", levels)` for PUs of one package, else `("across", hops, distance, same_node)`
        with the links between their packages (None without a link graph), and the SLIT distance;
        a node may hold several packages on one bus.
        """
        machine = self.machine
        common = machine.common_ancestor(first, second)
        levels = machine.levels(common)
        apart = machine.package_of[first] != machine.package_of[second]
        inner = any(level in _INNER for level in levels)
        inside = (inner and not apart) or machine.counts["package"] <= 1
        if inside and common == ROOT and "package" not in levels:
            levels = ("package", *levels)
        slit, same = self._node_distance(first, second)
        if inside:
            return ("within", levels, slit if not same else None)
        hops = self._hops(machine.package_of[first], machine.package_of[second])
        return ("across", hops, slit, same)

    def _hops(self, first: str, second: str) -> int | None:
        """Return the links on the way between two parts; say where tables no longer deliver."""
        if broken := self.machine.ways.broken_assumption(first, second):
            self._assume(*broken)
        return self.machine.hops(first, second)

    def _node_distance(self, first: int, second: int) -> tuple[float | None, bool]:
        nodes = self.machine.numa_of_pu
        a, b = nodes[first][:1], nodes[second][:1]
        if not a or not b or a == b:
            return None, bool(a) and a == b
        return self._slit.get((f"numa:{a[0]}", f"numa:{b[0]}")), False

    # ------------------------------------------------------------ latency
    def latency_ps(self, first: int, second: int) -> int:
        """Return the one-way latency of a cache line or short message between two PUs.

        Stated message costs give send + propagation + receive, else a stated latency, else a
        default.
        """
        if first == second:
            return self.own_ps()
        if self._has_pairs:
            stated = self.machine.number("latency", f"pu:{first}", f"pu:{second}")
            if stated is not None:
                return to_ps(stated)
        if self._message_pairs and (parts := self._stated_message(first, second)):
            return parts["send"] + parts["receive"] + parts["propagation"]
        key = self.pair_class(first, second)
        if key not in self._classes:
            parts = self._stated_message(first, second)
            self._classes[key] = (
                parts["send"] + parts["receive"] + parts["propagation"]
                if parts
                else self._class_latency_ps(key)
            )
        return self._classes[key]

    def own_ps(self) -> int:
        """Return the latency of a PU to itself: its first cache."""
        stated = self.machine.number("cache_latency", "l1d")
        return 0 if stated is None else to_ps(stated)

    def line_ps(self, first: int, second: int) -> int:
        """Return the latency of a cache line held by the other PU (no message protocol on top)."""
        if first == second:
            return self.own_ps()
        stated = self.machine.number("latency", f"pu:{first}", f"pu:{second}")
        if stated is not None:
            return to_ps(stated)
        return self._class_latency_ps(self.pair_class(first, second))

    def _class_latency_ps(self, key: tuple[object, ...]) -> int:
        if key[0] == "within":
            return self._within_ps(key[1], key[2])  # type: ignore[arg-type]
        return self._across_ps(key[1], key[2], bool(key[3]))  # type: ignore[arg-type]

    def _within_ps(self, levels: Sequence[str], slit: float | None) -> int:
        for level in levels:
            stated = self.machine.number("latency_within", level)
            if stated is not None:
                return to_ps(stated)
        outer = self._enclosing("latency_within", levels)
        if outer is not None:
            level, value = outer
            self._assume(
                f"latency_within({levels[0] if levels else 'machine'}) = {value:g} ns",
                f"not stated; taken from the enclosing level {level}",
            )
            return to_ps(value)
        return to_ps(self._default_within(levels, slit))

    def _enclosing(self, predicate: str, levels: Sequence[str]) -> tuple[str, float] | None:
        start = max((_INNER.index(level) for level in levels if level in _INNER), default=0)
        for level in (*_INNER[start + 1 :], "machine"):
            value = self.machine.number(predicate, level)
            if value is not None:
                return level, value
        return None

    def _default_within(self, levels: Sequence[str], slit: float | None) -> float:
        table: Mapping[str, float] = defaults()["latency_within_ns"]
        known = [level for level in levels if level in table] or ["package"]
        value = min(table[level] for level in known)
        level = next(level for level in known if table[level] == value)
        if slit is not None and level == "package":
            value *= slit / self._nearest_slit()
            fact = f"latency_within({level}) = {value:g} ns at distance {slit:g}"
        else:
            fact = f"latency_within({level}) = {value:g} ns"
        self._assume(fact, f"nobody stated it; {defaults()['source']}")
        return value

    def _across_ps(self, hops: int | None, slit: float | None, same: bool) -> int:
        if hops is not None:
            stated = self._by_hops("latency_hops", hops)
            if stated is not None:
                return to_ps(stated)
        for level in ("numa", "machine") if same else ("machine",):
            stated = self.machine.number("latency_within", level)
            if stated is not None:
                return to_ps(stated)
        return to_ps(self._default_across(hops, slit, same))

    def _by_hops(self, predicate: str, hops: int, *rest: str) -> float | None:
        """Return the stated cost for a number of hops; continue the last step where it ends."""
        stated = self.machine.number(predicate, hops, *rest)
        if stated is not None:
            return stated
        known = [
            (int(str(f.args[0])), float(str(f.args[-1])))
            for f in self.machine.facts_of(predicate)
            if tuple(f.args[1:-1]) == rest and int(str(f.args[0])) < hops
        ]
        if not known:
            return None
        known.sort()
        last_hops, last = known[-1]
        step = (last - known[-2][1]) / (last_hops - known[-2][0]) if len(known) > 1 else 0.0
        value = last + max(0.0, step) * (hops - last_hops)
        words = ", ".join((str(hops), *rest))
        self._assume(
            f"{predicate}({words}) = {value:g} ns",
            f"stated up to {last_hops} hops; the last step continues",
        )
        return value

    def _default_across(self, hops: int | None, slit: float | None, same: bool) -> float:
        table: Mapping[str, float] = defaults()["latency_within_ns"]
        value = float(table["machine"])
        if same:
            value = (table["package"] + table["machine"]) / 2
            fact = f"latency between packages of one NUMA node = {value:g} ns"
        elif slit is not None:
            value *= slit / self._nearest_slit()
            fact = f"latency between packages at distance {slit:g} = {value:g} ns"
        elif hops is not None:
            value += (hops - 1) * table["machine"] * defaults()["memory"]["remote_share_per_hop"]
            fact = f"latency between packages {hops} hops apart = {value:g} ns"
        else:
            fact = f"latency between packages = {value:g} ns"
        self._assume(fact, f"nobody stated it; {defaults()['source']}")
        return value

    def _nearest_slit(self) -> float:
        remote = [distance for (a, b), distance in self._slit.items() if a != b and distance > 0]
        return min(remote, default=float(defaults()["slit"]["local_distance"]))

    # ------------------------------------------------------------ messages
    def _stated_message(
        self, first: int, second: int, transport: str = LINE
    ) -> dict[str, int] | None:
        """Return the stated costs of a message by role, None without send and receive."""
        if not self._has_messages:
            return None
        found: dict[str, int] = {}
        for role in ROLES:
            value = self._message_role(first, second, transport, role)
            if value is not None:
                found[role] = to_ps(value)
        if "send" not in found or "receive" not in found:
            return None
        found.setdefault("propagation", 0)
        return found

    def _message_role(self, first: int, second: int, transport: str, role: str) -> float | None:
        machine = self.machine
        if self._message_pairs:
            pair = (f"pu:{first}", f"pu:{second}", transport, role)
            value = machine.number("message_cost", *pair)
            if value is not None:
                return value
        key = self.pair_class(first, second)
        if key[0] == "across":
            if key[1] is not None:
                hops = int(str(key[1]))
                return self._by_hops("message_cost_hops", hops, transport, role)
            return machine.number("message_cost_within", "machine", transport, role)
        for level in key[1]:  # type: ignore[attr-defined]
            value = machine.number("message_cost_within", level, transport, role)
            if value is not None:
                return value
        return None

    def message_pairs(self, members: Sequence[int], transport: str = LINE) -> MessagePairs:
        """Return send, receive, propagation and gap for all ordered pairs of the members.

        Where a machine states no costs of messages by cache line, send and receive are shares of
        the latency; where it states no gap, the gap is derived from the receive cost; both are
        listed in `assumed`. Raises `RequestError` where it states no costs of another transport.
        """
        return priced(self.machine, members, transport, lambda u, v: self._message(u, v, transport))

    def _message(self, first: int, second: int, transport: str) -> dict[str, int]:
        parts = self._stated_message(first, second, transport)
        if parts is None and transport != LINE:
            raise RequestError(
                f"{self.machine.name} states no {transport} message costs from pu:{first} to"
                f" pu:{second}",
                mend=f"state message_cost_within or _hops for {transport}, send and receive, or"
                " leave the transport out",
            )
        if parts is not None and "gap" not in parts and transport != LINE:
            self._assume(
                f"message gap of {transport} = the send cost",
                "no gap was measured, and that bursts overlap is known of cache lines only",
            )
            parts = {**parts, "gap": parts["send"]}
        if parts is None:
            latency = self.latency_ps(first, second)
            share = defaults()["message_share_of_latency"]
            send = round(latency * share["send"])
            parts = {"send": send, "receive": latency - send, "propagation": 0}
            self._assume(
                f"message send = {share['send']:g}, receive = {share['receive']:g} of the latency",
                "no message cost is stated or measured",
            )
        if "gap" not in parts:
            share = defaults()["gap"]["share_of_receive"]
            parts = {**parts, "gap": round(parts["receive"] * share)}
            self._assume(
                f"message gap = {share:g} of the receive cost",
                "no gap was measured; two line transfers of a burst overlap",
            )
        return parts

    # ------------------------------------------------------------ memory and devices
    def node_hops(self, first: str, second: str) -> int:
        """Return the links between the packages of two parts; without links 1 where they differ."""
        machine = self.machine
        a, b = machine.package_around(first), machine.package_around(second)
        if a == b:
            return 0
        hops = self._hops(a, b)
        return 1 if hops is None else hops

    def memory_ps(self, pu: int, node: int) -> int:
        """Return the load latency from a PU to a NUMA node."""
        machine = self.machine
        for at in (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"), *self._local_nodes(pu)):
            for access in ("access", "read"):
                stated = machine.number("memory_latency", at, f"numa:{node}", access)
                if stated is not None:
                    return to_ps(stated)
        return to_ps(self._default_memory(pu, node))

    def _local_nodes(self, pu: int) -> tuple[str, ...]:
        return tuple(f"numa:{node}" for node in self.machine.numa_of_pu[pu])

    def _default_memory(self, pu: int, node: int) -> float:
        local = float(defaults()["memory"]["local_latency_ns"])
        nodes = self.machine.numa_of_pu[pu]
        self._assume(f"memory_latency(local) = {local:g} ns", "nobody stated it; typical DDR")
        if node in nodes or not nodes:
            return local
        slit = self._slit.get((f"numa:{nodes[0]}", f"numa:{node}"))
        if slit is not None:
            own = self._slit.get((f"numa:{nodes[0]}", f"numa:{nodes[0]}"), 10.0) or 10.0
            self._assume("memory_latency(remote) = local * distance / 10", "only SLIT is known")
            return local * max(slit / own, 1.0)
        hops = max(1, self.node_hops(f"numa:{nodes[0]}", f"numa:{node}"))
        return self._remote_by_hops(local, hops)

    def _remote_by_hops(self, local: float, hops: int) -> float:
        step = self._hop_ns(hops)
        if step is not None:
            return local + step
        share = float(defaults()["memory"]["remote_share_per_hop"])
        self._assume(f"memory_latency grows by {share:.0%} of local per hop", "nobody stated it")
        return local * (1 + share * hops)

    def _hop_ns(self, hops: int) -> float | None:
        """Return what hops add to a transfer, from stated latencies by hops, or None."""
        base = next(
            (
                value
                for level in ("l3", "numa", "die", "package")
                if (value := self.machine.number("latency_within", level)) is not None
            ),
            None,
        )
        if base is None:
            return None
        remote = self._by_hops("latency_hops", hops)
        return None if remote is None else max(0.0, remote - base)

    def dma_ps(self, device: str, node: int) -> int:
        """Return the latency of a device's access to a NUMA node."""
        machine = self.machine
        for at in (device, *machine.ancestors(device)):
            stated = machine.number("dma_latency", at, f"numa:{node}")
            if stated is not None:
                return to_ps(stated)
        base = float(defaults()["device"]["local_dma_latency_ns"])
        self._assume(f"dma_latency(local) = {base:g} ns", "nobody stated it")
        near = machine.numa_of(device)
        if node in near or not near:
            return to_ps(base)
        remote = min(self._node_step(other, node) for other in near)
        return to_ps(base + remote)

    def _node_step(self, first: int, second: int) -> float:
        """Return the nanoseconds that crossing from one NUMA node to another adds."""
        if first == second:
            return 0.0
        hops = max(1, self.node_hops(f"numa:{first}", f"numa:{second}"))
        step = self._hop_ns(hops)
        if step is not None:
            return step
        local = float(defaults()["memory"]["local_latency_ns"])
        slit = self._slit.get((f"numa:{first}", f"numa:{second}"))
        if slit is not None:
            self._assume("a remote step = local memory latency * (distance / 10 - 1)", "only SLIT")
            return local * max(slit / 10.0 - 1.0, 0.0)
        share = float(defaults()["memory"]["remote_share_per_hop"])
        self._assume(f"a remote step = {share:.0%} of {local:g} ns per hop", "nobody stated it")
        return local * share * hops
