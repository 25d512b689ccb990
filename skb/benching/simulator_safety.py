"""The suites of `skb bench simulator` about safety: faults, planted and spaces.

`faults` runs random plans over all protocols and wants no violation; `planted` counts the plans
until each planted fault is found; `spaces` walks small instances through everything that can
happen to them. Plans are split into chunks for a pool of processes; what is found does not depend
on how many there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from skb.benching.routing_rows import Row

if TYPE_CHECKING:
    from simulator.explore import Instance
    from simulator.protocols.protocol import Protocol
    from simulator.swarm import Hunt

PLANS = 1_000_000
MOST_PLANS = 10_000
CHUNK = 500
COMPILED_FROM = 5000
"""Plans that take longer than compiling does."""
SPACE_S = 60.0
NEW_SEED = 1_000_000_000
"""Where the seeds of the benchmark begin: far from those of the tests."""

Answer = TypeVar("Answer")
Task = tuple[str, int, int]
"""A protocol's name and a range of seeds."""


def fault_rows(
    plans: int = PLANS,
    workers: int = 2,
    folder: Path | None = None,
    begin: int = NEW_SEED,
    names: Sequence[str] | None = None,
) -> Iterator[Row]:
    """Run so many random plans, as many for each protocol; failures are written to the folder.

    They run on the compiled engine where there is one, which the suite `arms` compares. A row says
    how many plans a protocol survived, milliseconds of processor time for each, and what they never
    came across; a hunt that reaches nothing is a missed target.
    """
    from simulator.protocols import PROTOCOLS
    from simulator.swarm import Hunt, unseen
    from skb.engines import compiling_simulator

    names = list(PROTOCOLS) if names is None else names
    if plans >= COMPILED_FROM and compiling_simulator.folder():
        compiling_simulator.compile_now(names)
    each = -(-plans // len(names))
    starts = range(begin, begin + each, CHUNK)
    tasks = [(name, start, min(start + CHUNK, begin + each)) for start in starts for name in names]
    hunts = {name: Hunt() for name in names}
    spent = dict.fromkeys(names, 0.0)
    clock = time.perf_counter()
    for (name, _, _), (found, cpu_s) in _spread(_hunt, tasks, workers):
        hunts[name].add(found)
        spent[name] += cpu_s
    for name, found in hunts.items():
        protocol = PROTOCOLS[name]
        _write(found, protocol, folder)
        lacking = unseen(protocol, found)
        yield _row(
            "faults",
            name,
            "plans",
            found.plans,
            spent[name],
            target=f"no violation in {each:,} plans",
            misses=[f"never came across {', '.join(lacking)}"] if lacking else [],
            faults=[
                f"seed {failure.scenario.seed}: {failure.violations[0]}"
                for failure in found.failures
            ],
            note=f"{1000 * spent[name] / max(1, found.plans):.2f} ms and "
            f"{found.events / max(1, found.plans):,.0f} events a plan",
        )
    total = sum(found.plans for found in hunts.values())
    yield _row(
        "faults",
        "all protocols",
        "plans",
        total,
        sum(spent.values()),
        target=f"{plans:,} plans",
        misses=[] if total >= plans else [f"only {total:,} plans"],
        note=f"{workers} workers, {time.perf_counter() - clock:,.0f} s by the clock",
    )


def planted_rows(
    most: int = MOST_PLANS, workers: int = 2, names: Sequence[str] | None = None
) -> Iterator[Row]:
    """Hunt for every planted fault; a row says how many plans the slowest of a protocol needed."""
    from simulator.planted import planted
    from simulator.protocols import PROTOCOLS

    faults = planted()
    names = list(PROTOCOLS) if names is None else names
    tasks = [(name, at, most) for name in names for at in range(len(faults.get(name, ())))]
    needed: dict[str, dict[str, int]] = {name: {} for name in names}
    spent = dict.fromkeys(names, 0.0)
    for (name, at, _), (plans, cpu_s) in _spread(_find, tasks, workers):
        needed[name][faults[name][at].protocol.__name__] = plans
        spent[name] += cpu_s
    for name, found in needed.items():
        missed = sorted(fault for fault, plans in found.items() if not plans)
        misses = [f"not found: {', '.join(missed)}"] if missed else []
        if len(found) < 5:
            misses.append(f"only {len(found)} planted faults")
        yield _row(
            "planted",
            name,
            "plans",
            max(found.values(), default=0),
            spent[name],
            target=f"each of 5 or more within {most:,} plans",
            misses=misses,
            note=f"{len(found)} faults: "
            + ", ".join(f"{fault} {plans}" for fault, plans in sorted(found.items())),
        )


def space_rows(limit: float = SPACE_S) -> Iterator[Row]:
    """Walk the full space of each small instance."""
    from simulator.explore import walk

    for case, made in spaces().items():
        begin, spent = time.perf_counter(), time.process_time()
        found = walk(made())
        cpu_s = time.process_time() - spent
        misses = [] if found.complete else ["not all states were walked"]
        if cpu_s > limit:
            misses.append(f"{cpu_s:.0f} s")
        yield Row(
            "spaces",
            case,
            "states",
            found.states,
            None,
            None,
            "complete" if found.complete else "incomplete",
            round(time.perf_counter() - begin, 2),
            round(cpu_s, 2),
            f"complete, no violation, below {limit:g} s",
            tuple(misses),
            note=f"{found.transitions:,} transitions, {found.ends:,} ends, "
            f"{found.longest} steps deep",
            faults=(*found.violations, *found.path),
        )


def spaces() -> Mapping[str, Callable[[], Instance]]:
    """Return the small instances: three nodes each, channels that keep their order."""
    from simulator.explore import Instance
    from simulator.explore_tables import Bounds
    from simulator.history import Proposal
    from simulator.protocols import PROTOCOLS
    from simulator.trees import Tree

    star, chain = Tree(0, {0: (1, 2)}), Tree(0, {0: (1,), 1: (2,)})
    three = [Proposal(op, (1, 2, 0)[op], 0, 10 + op, 0) for op in range(3)]
    two = [Proposal(0, 0, 0, 10, 0), Proposal(1, 1, 0, 11, 0)]
    changes = [Proposal(0, 0, 0, 2, 0), Proposal(1, 1, 0, 2, 0)]

    def commit(tree: Tree, fifo: bool, timeout_ps: int, bounds: Bounds) -> Instance:
        parameters = {"timeout_ps": timeout_ps}
        protocol = PROTOCOLS["two-phase-commit"]
        return Instance(protocol, tree, three, 2, fifo, parameters=parameters, bounds=bounds)

    def log(name: str, proposals: Sequence[Proposal], bounds: Bounds) -> Instance:
        return Instance(PROTOCOLS[name], star, proposals, 2, True, entries=8, bounds=bounds)

    elected = Bounds(crashes=1, firings={"Watch": 1, "Pulse": 0, "Retry": 0}, after={1: 0})
    return {
        "two-phase-commit, 3 operations on one item, any order": lambda: commit(
            chain, False, 0, Bounds()
        ),
        "two-phase-commit, 3 operations on one item, timeouts": lambda: commit(
            star, True, 1, Bounds()
        ),
        "raft, 2 commands, a crash, an election": lambda: log("raft", two, elected),
        "multi-paxos, 2 commands, a crash, an election": lambda: log("multi-paxos", two, elected),
        "membership, a leave and a join at once, 2 beats": lambda: log(
            "membership", changes, Bounds(firings={"Tick": 2})
        ),
        "membership, a leave, then a join, a crash, 2 beats": lambda: log(
            "membership", changes, Bounds(crashes=1, firings={"Tick": 2}, after={1: 0})
        ),
    }


def _spread(
    work: Callable[[Task], Answer], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Answer]]:
    """Do the tasks in a pool of processes and yield task and answer in order of the tasks."""
    if workers < 2:
        for task in tasks:
            yield task, work(task)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        yield from zip(tasks, pool.map(work, tasks), strict=True)


def _hunt(task: Task) -> tuple[Hunt, float]:
    """Run the plans of a range of seeds; return also the seconds of the processor."""
    from simulator.engines import player
    from simulator.protocols import PROTOCOLS
    from simulator.swarm import hunt
    from skb.engines.compiling_simulator import folder

    name, begin, end = task
    spent = time.process_time()
    engine = player(PROTOCOLS[name], "auto", folder())
    found = hunt(PROTOCOLS[name], range(begin, end), engine, most=CHUNK)
    return found, time.process_time() - spent


def _find(task: Task) -> tuple[int, float]:
    """Return after how many plans a planted fault is found, 0 where it is not, and the seconds."""
    from simulator.planted import planted
    from simulator.swarm import hunt

    name, at, most = task
    spent = time.process_time()
    found = hunt(planted()[name][at].protocol, range(most))
    return (found.plans if found.failures else 0), time.process_time() - spent


def _write(found: Hunt, protocol: type[Protocol], folder: Path | None) -> None:
    """Write the failures of a hunt, where a folder is given."""
    from skb.replaying import write_failure

    if folder is None:
        return
    for failure in found.failures:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{protocol.name}-{failure.scenario.seed}.json"
        write_failure(failure, protocol, path)


def _row(
    suite: str,
    case: str,
    unit: str,
    value: float,
    cpu_s: float,
    *,
    target: str,
    misses: Sequence[str] = (),
    faults: Sequence[str] = (),
    note: str = "",
) -> Row:
    """Return a row without bound or gap."""
    status = "clean" if not misses and not faults else "missed"
    seconds = round(cpu_s, 2)
    return Row(
        suite, case, unit, value, None, None, status, seconds, seconds, target, tuple(misses),
        note=note, faults=tuple(faults),
    )  # fmt: skip
