"""In which order MCTOP's eleven policies hand out PUs, after Chatzopoulos, Guerraoui, Harris and
Trigonakis, "Abstracting Multi-Core Topologies with MCTOP" (EuroSys 2017), and its library.

MCTOP's socket is what shares a memory node; where a machine states none, a package. Its bandwidths
are those of reads by all cores; one that is at most 5 % higher counts as equal, as in the library.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from skb.machine import Machine, kind_of
from skb.questions.placement_policies_orders import (
    Ground,
    Lack,
    Plan,
    Planner,
    PUs,
    cores_first,
    level_of,
    parts,
    taking_turns,
)

# above this factor a bandwidth is higher, not noise (`mctop_bw_sensitivity` of the library)
HIGHER = 1.05


def none(_ground: Ground) -> Lack:
    """Bind nothing."""
    return Lack("binds nothing: the operating system places the tasks, and may move them")


def sequential(ground: Ground) -> Plan:
    """Take the PUs by their OS indexes."""
    return Plan((tuple(sorted(ground.pus)),))


def min_lat(order: str, *, balance: bool = False) -> Planner:
    """Return a MIN_LAT policy; `order` is hwcs, cores_hwcs or cores.

    The socket of the highest bandwidth comes first, then those best connected to it. Balanced, the
    fewest sockets get equal shares, the last one what remains.
    """

    def plan(ground: Ground) -> Plan:
        sockets, note = _from_the_best(ground)
        rounds = [_rounds(ground.machine, socket) for socket in sockets]
        most = len(rounds[0][0] if order == "cores" else sockets[0])
        used = min(len(sockets), max(1, -(-ground.need // most)))
        share = -(-ground.need // used) if balance else len(ground.pus)
        if order == "cores":
            depth = max(len(each) for each in rounds)
            shares = [each[turn] for turn in range(depth) for each in rounds[:used] if each[turn:]]
        else:
            used = used if balance else len(sockets)
            orders = sockets if order == "hwcs" else [_joined(each) for each in rounds]
            shares = orders[:used]
        first = [pus[:share] for pus in shares]
        later = [pus[share:] for pus in shares]
        return Plan((_joined([*first, *later, *map(_joined, rounds[used:])]),), note=note)

    return plan


def round_robin(*, cores: bool) -> Planner:
    """Return a BW_ROUND_ROBIN policy: one PU of each socket in turn, by falling bandwidth."""

    def plan(ground: Ground) -> Plan:
        sockets, note = _by_bandwidth(ground)
        orders = [cores_first(ground.machine, pus) if cores else pus for pus in sockets]
        return Plan((taking_turns(orders),), note=note)

    return plan


def bound(ground: Ground) -> Plan | Lack:
    """Give each socket as many PUs, cores first, as saturate its memory, and no more."""
    machine = ground.machine
    sockets, _note = _by_bandwidth(ground)
    found: list[PUs] = []
    for socket in sockets:
        node = _node(machine, socket)
        all_cores, one_core = _bandwidth(machine, socket, node), _of_one(machine, socket, node)
        if not all_cores or not one_core:
            which = "one core" if all_cores else "all cores"
            where = f"numa:{node}" if node is not None else "its memory"
            return Lack(f"nobody stated the memory_bandwidth of {where} for {which} of its own")
        found.append(cores_first(machine, socket)[: int(0.5 + all_cores / one_core)])
    return Plan((_joined(found),))


def _joined(orders: Iterable[PUs]) -> PUs:
    return tuple(chain.from_iterable(orders))


def _rounds(machine: Machine, pus: PUs) -> list[PUs]:
    """Return the first PUs of all cores, the second ones, and so on."""
    cores = parts(pus, machine.core_of.__getitem__)
    depth = max(len(core) for core in cores)
    return [tuple(core[turn] for core in cores if turn < len(core)) for turn in range(depth)]


# ------------------------------------------------------------ sockets and their bandwidths
def _sockets(ground: Ground) -> tuple[PUs, ...]:
    machine = ground.machine
    around = level_of(machine, "numa") or machine.package_of.__getitem__
    return parts(ground.pus, around)


def _node(machine: Machine, socket: PUs) -> int | None:
    nodes = machine.numa_of_pu[socket[0]]
    return nodes[0] if nodes else None


def _from_the_best(ground: Ground) -> tuple[list[PUs], str]:
    """Return the sockets from that of the highest bandwidth on, by their way to it; and a note."""
    machine, sockets = ground.machine, _sockets(ground)
    local = [_bandwidth(machine, socket, _node(machine, socket)) for socket in sockets]
    best = 0
    for index, value in enumerate(local):
        if value > HIGHER * local[best]:
            best = index
    start = sockets[best]
    node = _node(machine, start)
    others = [socket for socket in sockets if socket is not start]
    ways = {socket: _bandwidth(machine, socket, node) for socket in others}
    measured = all(ways.values())
    others.sort(
        key=lambda socket: (
            -ways[socket] if measured else 0.0,
            ground.latency_ps(socket[0], start[0]),
        )
    )
    note = "" if all(local) and measured else "no bandwidths are stated: sockets go by latency"
    return [start, *others], note


def _by_bandwidth(ground: Ground) -> tuple[list[PUs], str]:
    """Return the sockets by falling bandwidth of their own memory, and a note."""
    sockets = list(_sockets(ground))
    rate = {s: _bandwidth(ground.machine, s, _node(ground.machine, s)) for s in sockets}
    for i in range(len(sockets)):
        for j in range(i + 1, len(sockets)):
            if rate[sockets[j]] > HIGHER * rate[sockets[i]]:
                sockets[i], sockets[j] = sockets[j], sockets[i]
    note = "" if all(rate.values()) else "no bandwidths are stated: sockets go by number"
    return sockets, note


def _bandwidth(machine: Machine, socket: PUs, node: int | None) -> float:
    """Return the stated bandwidth in MiB/s from the smallest part around a socket; 0 for none."""
    inside = frozenset(socket)
    found = [
        (len(pus), access != "read", value)
        for pus, access, value in _stated(machine, node)
        if pus >= inside
    ]
    return min(found)[2] if found else 0.0


def _of_one(machine: Machine, socket: PUs, node: int | None) -> float:
    """Return the stated bandwidth in MiB/s of one core (or PU) of a socket; 0 for none."""
    cores = {machine.core_of[pu] for pu in socket}
    found = [
        (access != "read", -value)
        for pus, access, value in _stated(machine, node)
        if pus
        and {machine.core_of[pu] for pu in pus} <= cores
        and len({machine.core_of[pu] for pu in pus}) == 1
    ]
    return -min(found)[1] if found else 0.0


def _stated(machine: Machine, node: int | None) -> list[tuple[frozenset[int], str, float]]:
    return [
        (machine.pus_of(str(fact.args[0])), str(fact.args[2]), float(fact.args[3]))
        for fact in machine.facts_of("memory_bandwidth")
        if fact.args[1] == f"numa:{node}"
        and fact.args[2] != "write"
        and kind_of(str(fact.args[0])) != "device"
    ]


MCTOP: dict[str, Planner] = {
    "mctop NONE": none,
    "mctop SEQUENTIAL": sequential,
    "mctop MIN_LAT_HWCS": min_lat("hwcs"),
    "mctop MIN_LAT_CORES_HWCS": min_lat("cores_hwcs"),
    "mctop MIN_LAT_CORES": min_lat("cores"),
    "mctop MIN_LAT_HWCS_BALANCE": min_lat("hwcs", balance=True),
    "mctop MIN_LAT_CORES_HWCS_BALANCE": min_lat("cores_hwcs", balance=True),
    "mctop MIN_LAT_CORES_BALANCE": min_lat("cores", balance=True),
    "mctop BW_ROUND_ROBIN_HWCS": round_robin(cores=False),
    "mctop BW_ROUND_ROBIN_CORES": round_robin(cores=True),
    "mctop BW_BOUND": bound,
}
