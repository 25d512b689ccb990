"""Message costs of other transports than cache lines: interrupts, and networks between machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skb.costs import Costs, defaults, to_ps
from skb.decision import Assumption
from skb.errors import RequestError
from skb.machine import Machine
from skb.messages import LINE, ROLES

if TYPE_CHECKING:
    from simulator import MessageCosts

INTERRUPT, NETWORK = "ipi", "network"
NS_PER_US = 1000.0


def cycles_ps(machine: Machine, cycles: float) -> int:
    """Return cycles of a machine's first PU as picoseconds, at the default clock if none stated."""
    stated = clock_mhz(machine)
    clock = defaults()["interrupt"]["clock_mhz"] if stated is None else stated
    return to_ps(cycles * NS_PER_US / clock)


def clock_mhz(machine: Machine) -> float | None:
    """Return the clock of a machine's first usable PU, None where none is stated."""
    pus = machine.usable_pus
    stated = machine.inherited("clock_mhz", f"pu:{pus[0]}") if pus else None
    return None if stated is None else float(str(stated))


def interrupts(
    machine: Machine, members: tuple[int, ...]
) -> tuple[MessageCosts, int, tuple[Assumption, ...]]:
    """Return costs with which members interrupt each other, what an invalidation takes, and what
    was assumed.

    A send asks for an interrupt, a receive is the trap. Who asks for another waits until the first
    has been accepted, by a trip to the other PU and back that takes as long as a line does (the
    delivery status of a local APIC: Intel 64 Software Developer's Manual, volume 3, chapter 11).
    Cache lines cost what a message by cache line costs its receiver. Stated costs of the transport
    `ipi` come first.
    """
    from simulator import MessageCosts

    costs = Costs(machine)
    lines = costs.message_pairs(members)
    told = defaults()["interrupt"]
    assumed: list[Assumption] = []
    try:
        pairs = costs.message_pairs(members, INTERRUPT)
        send, receive = dict(pairs.send), dict(pairs.receive)
        propagation, gap = dict(pairs.propagation), dict(pairs.gap)
    except RequestError:
        send = dict.fromkeys(lines.send, cycles_ps(machine, told["send_cycles"]))
        receive = dict.fromkeys(lines.send, cycles_ps(machine, told["trap_cycles"]))
        propagation = dict.fromkeys(lines.send, 0)
        gap = {pair: cost + costs.line_ps(*pair) for pair, cost in send.items()}
        why = "no costs of interrupts are stated; facts/defaults.toml"
        for what in ("send_cycles", "trap_cycles"):
            assumed.append(Assumption(f"interrupt {what} = {told[what]}", why))
        assumed.append(Assumption("interrupt gap = send + latency of a line", why))
        if clock_mhz(machine) is None:
            clock = f"clock_mhz = {told['clock_mhz']} for cycles of interrupts"
            assumed.append(Assumption(clock, "no clock is stated; facts/defaults.toml"))
    table = MessageCosts(
        members,
        send,
        receive,
        propagation,
        gap,
        transfer_ps=dict(lines.receive),
        hit_ps=costs.own_ps(),
    )
    work_ps = cycles_ps(machine, told["invalidate_cycles"])
    return table, work_ps, (*costs.assumed, *assumed)


def states_network(machine: Machine) -> bool:
    """Tell whether a description says what messages over a network cost."""
    predicates = ("message_cost", "message_cost_within", "message_cost_hops")
    return any(NETWORK in fact.args for name in predicates for fact in machine.facts_of(name))


def joined(
    costs: Costs, members: tuple[int, ...]
) -> tuple[MessageCosts, tuple[tuple[int, ...], ...]]:
    """Return costs of members of several machines that a network joins, and the members of each.

    PUs share memory where they are in one package, or links lead from package to package; all
    others send over the network. Raises `RequestError` where nothing is stated of its costs.
    """
    from simulator import MessageCosts

    machine = costs.machine
    groups: dict[int, list[int]] = {}
    for pu in members:
        first = next((u for u in groups if _coherent(machine, u, pu)), pu)
        groups.setdefault(first, []).append(pu)
    tables: dict[str, dict[tuple[int, int], int]] = {role: {} for role in ROLES}
    for group in groups.values():
        near = costs.message_pairs(group, LINE)
        for role, table in tables.items():
            table |= dict(getattr(near, role))
    for u in members:
        for v in members:
            if u != v and (u, v) not in tables["send"]:
                far = costs.message_pairs((u, v), NETWORK)
                for role, table in tables.items():
                    table[u, v] = getattr(far, role)[u, v]
    result = MessageCosts(
        members, tables["send"], tables["receive"], tables["propagation"], tables["gap"]
    )
    return result, tuple(tuple(group) for group in groups.values())


def _coherent(machine: Machine, first: int, second: int) -> bool:
    """Tell whether two PUs share memory."""
    packages = machine.package_of[first], machine.package_of[second]
    return packages[0] == packages[1] or machine.hops(*packages) is not None
