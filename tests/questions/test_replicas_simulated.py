"""The closed forms of replicas against the simulator's engine and protocols."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from simulator import Scenario, run
from simulator.costs import POSTAL
from simulator.engine import FINISHED, Engine, Wires
from simulator.protocols.protocol import Place, Protocol, Start, on
from simulator.trees import Tree
from skb.costs import Costs
from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions.replicas import QUESTION
from skb.simulation import message_costs
from tests.machines import bundled

MACHINES = ("tyan-s4985", "epyc-7401-2p", "ex235a")
READ = 1
SEED = 3


def decided(machine: Machine, **wishes: Any) -> Decision:
    """Decide one object."""
    return QUESTION.decide(machine, {"object": [{"name": "state", **wishes}]}, Limits(seconds=5))


# ---------------------------------------------------------------- inside a domain
class Shared(Protocol):
    """A replica behind a lock: the lock and the lines move to whoever updates, readers fetch them.

    One node is the lock; the item is the PU's place, a write an update.
    """

    name = "shared-lock"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    def __init__(self, line: list[list[int]], lines: int, work_ps: int) -> None:
        super().__init__(Place(0, -1, (), 0, 0, 1, 1))
        self.line, self.fetched, self.busy_ps = line, lines, work_ps
        self.holder, self.version = 0, 1
        self.seen = [0] * len(line)

    @on(Start)
    def start(self, m: Start) -> None:
        """Do one operation; an update keeps the lock for as long as it takes."""
        place = m.item
        if not m.write:
            away = self.fetched * self.line[self.holder][place]
            own = self.fetched * self.line[place][place]
            self.record(m.op, READ, own if self.seen[place] == self.version else away)
            self.done(m.op, READ)
            self.seen[place] = self.version
        else:
            self.work(self.held(place) + self.busy_ps)
            self.version += 1
            self.seen[place] = self.version
            self.done(m.op, 0)
        self.holder = place

    def held(self, place: int) -> int:
        """Return how long the lock is away and held: it comes, and so do the lines."""
        return (1 + self.fetched) * self.line[self.holder][place]


class Combined(Shared):
    """A replica that one PU updates for all: it fetches the order and leaves the outcome."""

    def held(self, place: int) -> int:
        """Return how long the combiner is at an order: both ways, its own lines, all slots."""
        own = self.line[0][0] * (self.fetched + len(self.line))
        return 2 * self.line[0][place] + own


@dataclass(frozen=True)
class Seen:
    """Means that a run gave, in ns."""

    read_ns: float
    update_ns: float


def simulated(
    machine: Machine, pus: list[int], wishes: dict[str, Any], sharing: str, events: int
) -> Seen:
    """Let PUs read and update at random times, each at its rate."""
    costs, draw = Costs(machine), random.Random(SEED)
    line = [[costs.line_ps(u, v) for v in pus] for u in pus]
    kind = Shared if sharing == "lock" else Combined
    node = kind(line, wishes["lines"], round(wishes["work_ns"] * 1000))
    engine = Engine([node], [0], Wires([[0]], [[0]], [[0]], [[0]]))
    begun: dict[int, int] = {}
    took: list[int] = []
    waited: list[int] = []

    def done(op: int, _node: int, now: int, result: int) -> None:
        (waited if result == READ else took).append(now - begun[op])

    engine.on_done = done
    reads, updates = wishes["read_rate"], wishes["update_rate"]
    now = 0.0
    for op in range(events):
        now += draw.expovariate((reads + updates) * len(pus)) * 1e12
        begun[op] = round(now)
        place = draw.randrange(len(pus))
        reading = draw.random() < reads / (reads + updates)
        engine.tell(begun[op], 0, Start(op, place, 0, int(not reading)))
    assert engine.run(10 * events) == FINISHED
    fetched = [value for _now, _pu, _op, event, value in engine.entries() if event == READ]
    read = float(np.mean(fetched)) + float(np.mean(waited))
    return Seen(read / 1000, float(np.mean(took)) / 1000)


@pytest.mark.parametrize("load", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("lines", [1, 4])
@pytest.mark.parametrize("sharing", ["lock", "combining"])
def test_replicas_inside_takes_as_long_as_simulated(sharing: str, lines: int, load: float) -> None:
    """Reads and updates of a shared replica are within 8 percent of a run with random arrivals,
    up to 80 percent busy.
    """
    machine = bundled("tyan-s4985")
    pus = list(range(8))
    rate = load * 1e9 / ((1 + lines) * 60) / len(pus)
    wishes = {"lines": lines, "work_ns": 20.0, "read_rate": 2 * rate, "update_rate": rate}
    found = decided(machine, **wishes, members=pus, level="machine", sharing=sharing)
    told = found.answer["objects"]["state"]
    seen = simulated(machine, pus, wishes, sharing, 12_000)
    assert told["operations"]["update"]["latency_ns"]["mean"] == pytest.approx(
        seen.update_ns, rel=0.08
    )
    assert told["read_ns"]["mean"] == pytest.approx(seen.read_ns, rel=0.08)


# ---------------------------------------------------------------- between domains
def _scenario(machine: Machine, told: Any, protocol: str, **settings: Any) -> Scenario:
    leaders = tuple(sorted(row["leader"] for row in told["domains"]))
    return Scenario(message_costs(Costs(machine), leaders), protocol=protocol, **settings)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("protocol", ["single-phase-commit", "two-phase-commit"])
def test_replicas_messages_keep_pus_as_busy_as_simulated(name: str, protocol: str) -> None:
    """What one update's messages cost is the simulator's busy time over a star, to the picosecond.

    The closed form counts, for updates asked for by the coordinator's own domain, what goes down to
    each other leader and what comes back; the postal model has no bursts.
    """
    machine = bundled(name)
    first = machine.usable_pus[0]
    asked = {
        "read_rate": 0.0,
        "members": list(machine.usable_pus[:64]),
        "operations": [
            {
                "name": "change",
                "rate": {f"pu:{first}": 1.0},
                "consistency": protocol.removesuffix("-commit"),
            }
        ],
        "level": "l3",
        "at": [first],
    }
    if name == "ex235a":
        asked["level"] = "numa"
    told = decided(machine, **asked).answer["objects"]["state"]
    leaders = tuple(row["leader"] for row in told["domains"])
    assert len(leaders) > 1
    star = Tree(first, {first: tuple(pu for pu in leaders if pu != first)})
    ran = run(_scenario(machine, told, protocol, tree=star, route_name="star", model=POSTAL))
    busy = sum(ran.occupancy.values()) * ran.elapsed_ps / 1000
    promised = sum(row["messages"] for row in told["domains"])
    if protocol == "two-phase-commit":
        # the run's last leader asks, a request more than where the coordinator asks itself
        costs = Costs(machine).message_pairs(leaders)
        last = _last(star, machine)
        promised += (costs.send[last, first] + costs.receive[last, first]) / 1000
    assert busy == pytest.approx(promised, rel=1e-9)


def _last(star: Tree, machine: Machine) -> int:
    from simulator.timing import last_core

    return last_core(star, message_costs(Costs(machine), star.members), POSTAL)


@pytest.mark.parametrize("name", MACHINES)
def test_replicas_tree_is_as_quick_as_simulated(name: str) -> None:
    """A single-phase update over the decided tree ends within 15 percent before what is promised,
    never after: in the run the phases overlap.
    """
    machine = bundled(name)
    level = "numa" if name == "ex235a" else "l3"
    members = list(machine.usable_pus[:64])
    found = decided(machine, read_rate=1e5, update_rate=10.0, members=members, level=level)
    told = found.answer["objects"]["state"]
    sends = told["tree"]["sends"]
    tree = Tree(told["coordinator"], {row["from"]: tuple(row["to"]) for row in sends})
    ran = run(_scenario(machine, told, "single-phase-commit", tree=tree, route_name="decided"))
    promised = told["tree"]["broadcast_ns"] + told["tree"]["reduction_ns"]
    assert 0.85 * promised <= ran.latency_ps[0] / 1000 <= promised + 1e-6


@pytest.mark.parametrize("name", MACHINES)
def test_replicas_two_phase_ends_when_simulated(name: str) -> None:
    """A two-phase update over the decided tree takes what is promised, to the picosecond."""
    machine = bundled(name)
    level = "numa" if name == "ex235a" else "l3"
    members = list(machine.usable_pus[:64])
    wishes = {"read_rate": 1e5, "update_rate": 10.0, "consistency": "two-phase", "work_ns": 100.0}
    told = decided(machine, **wishes, members=members, level=level).answer["objects"]["state"]
    sends = told["tree"]["sends"]
    tree = Tree(told["coordinator"], {row["from"]: tuple(row["to"]) for row in sends})
    scenario = _scenario(
        machine, told, "two-phase-commit", tree=tree, route_name="decided", work_ps=100_000
    )
    request = scenario.costs.one_way(_reporter(scenario), tree.root)
    phases = 2 * told["tree"]["broadcast_ns"] + told["tree"]["reduction_ns"]
    ran = run(scenario).latency_ps[0] / 1000
    assert ran == pytest.approx(request / 1000 + phases + 100.0, rel=0.02)


def _reporter(scenario: Scenario) -> int:
    from simulator.timing import last_core

    return last_core(scenario.tree, scenario.costs, scenario.model)
