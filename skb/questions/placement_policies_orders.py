"""In which order the known placement policies hand out PUs: compact, scatter, spread, balanced,
Open MPI's map-by, and Slurm's distributions.

All are pure functions of a ground: the PUs that may be used and how many are asked for. What each
policy is called elsewhere, and its source, stands in `docs/policies.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from skb.machine import ROOT, Machine, kind_of, object_order

PUs = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a policy sees: `pus` in tree order, the number of tasks, and of the PUs they need.

    `latency_ps` is that of a message between two PUs.
    """

    machine: Machine
    pus: PUs
    tasks: int
    need: int
    latency_ps: Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks take turns on `bins`, and in a bin the next PUs of its order.

    `starts` are the positions at which each task looks first, instead of behind the last one.
    `split` says that a task which no bin holds may take PUs of several. `note` says what the plan
    rests on where a fact was missing.
    """

    bins: tuple[PUs, ...]
    starts: tuple[int, ...] = ()
    split: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a policy gives no plan for this machine."""

    text: str


Planner = Callable[[Ground], Plan | Lack]


def tree_order(machine: Machine, pus: Iterable[int]) -> PUs:
    """Return PUs as a walk through the machine meets them: all of a core, then the next core."""
    return tuple(sorted(pus, key=lambda pu: _path(machine, pu)))


def _path(machine: Machine, pu: int) -> tuple[tuple[int, int, str], ...]:
    name = f"pu:{pu}"
    return tuple(object_order(at) for at in (*reversed(machine.ancestors(name)), name))


def cores_first(machine: Machine, pus: Iterable[int]) -> PUs:
    """Return the first PU of every core, then the second of every core, and so on."""
    return taking_turns(parts(pus, machine.core_of.__getitem__))


def parts(pus: Iterable[int], part_of: Callable[[int], str]) -> tuple[PUs, ...]:
    """Return the PUs of each part, in the order in which the parts are met."""
    found: dict[str, list[int]] = defaultdict(list)
    for pu in pus:
        found[part_of(pu)].append(pu)
    return tuple(tuple(part) for part in found.values())


def taking_turns(orders: Iterable[Sequence[int]]) -> PUs:
    """Return the first of each order, then the second of each, and so on."""
    rounds = zip_longest(*orders)
    return tuple(pu for pu in chain.from_iterable(rounds) if pu is not None)


def level_of(machine: Machine, level: str) -> Callable[[int], str] | None:
    """Return a function from PUs to their object of a level; None where some PU has none."""
    if level == "package":
        around: Callable[[int], str] = machine.package_of.__getitem__
    elif level == "numa":

        def around(pu: int) -> str:
            nodes = machine.numa_of_pu[pu]
            return f"numa:{nodes[0]}" if nodes else ROOT
    else:

        def around(pu: int) -> str:
            names = machine.ancestors(f"pu:{pu}")
            return next((at for at in names if kind_of(at) == level), ROOT)

    return around if all(around(pu) != ROOT for pu in machine.usable_pus) else None


# ------------------------------------------------------------ thread libraries
def compact(ground: Ground) -> Plan:
    """Fill core after core, package after package."""
    return Plan((ground.pus,))


def scatter(ground: Ground) -> Plan:
    """Take turns at every level of the tree: packages first, second PUs of cores last."""
    chains = {
        pu: (*reversed(ground.machine.ancestors(f"pu:{pu}")), f"pu:{pu}") for pu in ground.pus
    }
    return Plan((_scattered(ground.pus, chains, 1),))


def _scattered(pus: PUs, chains: dict[int, tuple[str, ...]], depth: int) -> PUs:
    if len(pus) < 2:
        return pus
    below = parts(pus, lambda pu: chains[pu][min(depth, len(chains[pu]) - 1)])
    return taking_turns([_scattered(part, chains, depth + 1) for part in below])


def spread(ground: Ground) -> Plan:
    """Cut the PUs into as many runs as there are tasks, and start each task in a run of its own.

    The longer runs come first; where there are more tasks than PUs, neighbours share one.
    """
    places, tasks = len(ground.pus), ground.tasks
    few, many = min(places, tasks), max(places, tasks)
    share, rest = divmod(many, few) if few else (0, 0)
    lengths = [share + (index < rest) for index in range(few)]
    if tasks <= places:
        starts = [sum(lengths[:index]) for index in range(tasks)]
    else:
        starts = [place for place, length in enumerate(lengths) for _ in range(length)]
    return Plan((ground.pus,), starts=tuple(starts))


def balanced(ground: Ground) -> Plan:
    """Give every core as equal a share as possible, neighbours in number being neighbours in place.

    The first cores get one more where it does not come out even.
    """
    cores = parts(ground.pus, ground.machine.core_of.__getitem__)
    share, rest = divmod(ground.need, len(cores)) if cores else (0, 0)
    first: list[int] = []
    later: list[int] = []
    for index, pus in enumerate(cores):
        mine = share + (index < rest)
        first += pus[:mine]
        later += pus[mine:]
    return Plan(((*first, *later),))


# ------------------------------------------------------------ launchers
def by_core(ground: Ground) -> Plan:
    """Take core after core; second PUs after the first of all cores."""
    return Plan((cores_first(ground.machine, ground.pus),))


def by_object(level: str, *, split: bool = False) -> Planner:
    """Return the policy that gives each task to the next object of a level."""

    def plan(ground: Ground) -> Plan | Lack:
        found = _objects(ground, level)
        return found if isinstance(found, Lack) else Plan(found, split=split)

    return plan


def fcyclic(ground: Ground) -> Plan | Lack:
    """Take turns on the packages with every PU, also with the PUs of one task."""
    found = _objects(ground, "package")
    return found if isinstance(found, Lack) else Plan((taking_turns(found),))


def _objects(ground: Ground, level: str) -> tuple[PUs, ...] | Lack:
    machine = ground.machine
    around = level_of(machine, level)
    if around is None:
        return Lack(f"{machine.name} states no {level} around each of its PUs")
    return tuple(cores_first(machine, pus) for pus in parts(ground.pus, around))


KNOWN: dict[str, Planner] = {
    "compact": compact,
    "scatter": scatter,
    "spread": spread,
    "balanced": balanced,
    "map-by slot": by_core,
    "map-by hwthread": compact,
    "map-by core": by_core,
    "map-by l3cache": by_object("l3"),
    "map-by numa": by_object("numa"),
    "map-by package": by_object("package"),
    "map-by node": by_core,
    "slurm block": compact,
    "slurm cyclic": by_object("package", split=True),
    "slurm fcyclic": fcyclic,
}
