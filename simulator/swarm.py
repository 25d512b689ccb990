"""Swarm testing: small random machines, loads and faults by the million, each from one number.

Which kinds of faults are on is drawn first, then when and to whom they happen: plans that leave a
kind out reach what plans with all of them never do (A. Groce et al., "Swarm testing", ISSTA 2012).
Draws are by counter, so a plan depends on the protocol's name and its seed alone. In most plans all
is healed before the end; where the protocol survives the kinds that are on, every operation must
have ended then.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from simulator.checkers import judge
from simulator.costs import LOGP, POSTAL, MessageCosts
from simulator.draws import draw, splitmix64
from simulator.engine import HORIZON
from simulator.faults import Fault, healed_ps
from simulator.history import ABORT, EVENT_NAMES, LED, History
from simulator.playing import Player, play
from simulator.protocols import require_protocol
from simulator.protocols.protocol import Protocol, parameters_of
from simulator.scenario import Scenario, observe, wires_of
from simulator.timing import round_of
from simulator.trace import kind_names
from simulator.trees import Tree

MACHINES = 64
"""Different machines of each size."""

KINDS = ("crash", "power", "slow", "partition", "loss", "delay")

CONDITIONAL = frozenset({"delivery"})
"""Checks that a fault which the protocol does not survive may break."""

RESTLESS = 6
"""Of so many plans of a protocol with elections one has faults and load for as long as they take,
and little patience.
"""

WATCHED = 8
"""Of so many plans one is watched for which handlers run."""

EVENT_LIMIT = 200_000

ENOUGH = 250
"""Rounds after the last fault after which a run is cut off as if it had stalled; it is run again
without this limit where that would be a violation.
"""


class Dice:
    """Draws by counter for one plan."""

    def __init__(self, name: str, seed: int) -> None:
        """Begin the draws of a plan; the name keeps those of two protocols apart."""
        self._seed = splitmix64(int.from_bytes(name.encode(), "little") ^ seed << 512) ^ seed
        self._number = 0

    def roll(self, bound: int) -> int:
        """Return a number from 0 to bound - 1."""
        self._number += 1
        return draw(self._seed, self._number, bound)

    def among(self, low: int, high: int) -> int:
        """Return a number from low to high."""
        return low + self.roll(high - low + 1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A plan that broke a promise."""

    scenario: Scenario
    violations: tuple[str, ...]


@dataclass(slots=True)
class Hunt:
    """What a hunt has found and seen.

    `seen` counts the plans in which something happened at all: kinds of faults, events, `aborts`,
    `rivals`, `elections`, `unfinished` operations, `stalled` runs; and,
    of the plans that were watched, `handles …` for each handler that ran.
    """

    plans: int = 0
    events: int = 0
    failures: list[Failure] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Hunt") -> None:
        """Take in what another hunt has found."""
        self.plans += other.plans
        self.events += other.events
        self.failures += other.failures
        self.seen += other.seen


def plan(protocol: type[Protocol], seed: int) -> Scenario:
    """Draw a scenario: machine, tree, domains, load, numbers of the protocol, faults."""
    dice = Dice(protocol.name, seed)
    size = dice.among(2, 7)
    number = dice.roll(MACHINES)
    costs, tree, round_ps = machine(size, number)
    operations = dice.among(2, 12) if dice.roll(32) else dice.among(30, 90)
    span = round_ps * operations // 2
    on = {kind for kind in KINDS if dice.roll(2)}
    late = 1 + dice.roll(round_ps) if "delay" in on else 0
    settings = _load(protocol, dice, round_ps + 2 * late)
    interval = None if dice.roll(4) else 1 + dice.roll(round_ps)
    restless = protocol.endless and dice.roll(RESTLESS) == 0
    if restless:
        span = dice.among(10, 60) * (round_ps + 2 * late)
        interval = span // operations + 1
        if "timeout_ps" in parameters_of(protocol):
            settings["timeout_ps"] = dice.among(2, 4) * (round_ps + 2 * late) + 1
    falls = dice.roll(9 if restless else 5)
    faults = _faults(tree.members, dice, on, span, round_ps, falls)
    return Scenario(
        costs=costs,
        tree=tree,
        route_name="random",
        protocol=protocol.name,
        operations=operations,
        outstanding=dice.among(1, 4),
        interval_ps=interval,
        seed=seed,
        digest=False,
        machine=f"random {size}.{number}",
        entries=_kept(protocol, dice),
        model=(LOGP, POSTAL)[dice.roll(2)],
        event_limit=EVENT_LIMIT,
        domains=_domains(tree.members, dice),
        faults=faults,
        horizon_ps=healed_ps(faults) + ENOUGH * (round_ps + 2 * late),
        loss_per_million=dice.among(1, 60_000) if "loss" in on else 0,
        delay_per_million=dice.among(1, 300_000) if "delay" in on else 0,
        delay_ps=late,
        up_tree=None if dice.roll(4) else _tree(_shuffled(tree, dice), dice),
        **settings,  # type: ignore[arg-type]
    )


@lru_cache(maxsize=8 * MACHINES)
def machine(size: int, number: int) -> tuple[MessageCosts, Tree, int]:
    """Return the costs of a random machine, a random tree over it, and how long a round is.

    Costs are small or large, even or not, so that many instants coincide in some machines.
    """
    dice = Dice("machine", size * MACHINES + number)
    members = tuple(range(size))
    pairs = [(u, v) for u in members for v in members if u != v]
    largest = (1, 4, 100, 1000)[number % 4]

    def table() -> dict[tuple[int, int], int]:
        if dice.roll(4) == 0:
            return dict.fromkeys(pairs, dice.roll(largest + 1))
        return {pair: dice.roll(largest + 1) for pair in pairs}

    costs = MessageCosts(
        members,
        table(),
        table(),
        table() if dice.roll(2) else None,
        table() if dice.roll(2) else None,
        table() if dice.roll(2) else None,
        dice.roll(largest + 1),
    )
    tree = _tree(sorted(members, key=lambda pu: dice.roll(1 << 30)), dice)
    return costs, tree, round_of(wires_of(costs, tree.members, LOGP))


def _tree(order: Sequence[int], dice: Dice) -> Tree:
    """Return a tree from the first member: any shape, a chain, or a star."""
    deep = dice.roll(3)
    children: dict[int, tuple[int, ...]] = {}
    for at in range(1, len(order)):
        parent = order[(dice.roll(at), at - 1, 0)[deep]]
        children[parent] = (*children.get(parent, ()), order[at])
    return Tree(order[0], children)


def _shuffled(tree: Tree, dice: Dice) -> list[int]:
    """Return the members of a tree in any order behind its root."""
    others = [pu for pu in tree.members if pu != tree.root]
    return [tree.root, *sorted(others, key=lambda pu: dice.roll(1 << 30))]


def broken(
    scenario: Scenario, protocol: type[Protocol], history: History, round_ps: int
) -> tuple[str, ...]:
    """Return what a run violates: its promises, and that operations end where all was survived.

    A timeout that is shorter than two rounds, with what members do beside messages, is a fault of
    its own: nobody promises an end then.
    """
    work_ps = scenario.work_ps + sum(scenario.parameters.values())
    least_ps = 2 * (round_ps + 4 * len(scenario.tree.members) * work_ps)
    if 0 < scenario.timeout_ps < least_ps:
        history = replace(history, kinds=history.kinds | {"haste"}, lively=False)
    lively = history.lively or not history.disturbed
    checks = {name for name in protocol.promises if lively or name not in CONDITIONAL}
    return judge(history, sorted(checks | {"liveness"}))


def hunt(
    protocol: type[Protocol], seeds: Iterable[int], player: Player = play, most: int = 1
) -> Hunt:
    """Run the plans of some seeds; stop when so many have failed."""
    found = Hunt()
    name, names = require_protocol(protocol.name), kind_names(protocol)
    for seed in seeds:
        scenario = plan(name, seed)
        if seed % WATCHED == 0:
            scenario = replace(scenario, trace=True)
        nodes, played, history = observe(scenario, protocol, None, player)
        if played.ended == HORIZON:
            history = replace(history, stalled=True)
        violations = broken(scenario, protocol, history, nodes[0].round_ps)
        if violations and played.ended == HORIZON:
            scenario = replace(scenario, horizon_ps=None)
            nodes, played, history = observe(scenario, protocol, None, player)
            violations = broken(scenario, protocol, history, nodes[0].round_ps)
        found.plans += 1
        found.events += played.events
        _look(found.seen, history)
        kinds = {row[3] for row in played.rows}
        found.seen.update(f"handles {names[kind]}" for kind in kinds)
        if violations:
            found.failures.append(Failure(replace(scenario, trace=False), violations))
            if len(found.failures) >= most:
                break
    return found


def unseen(protocol: type[Protocol], found: Hunt) -> tuple[str, ...]:
    """Return which faults and handlers of a protocol a hunt never came across."""
    wanted = [*KINDS, *(f"handles {name}" for name in kind_names(protocol).values())]
    if "conflict_per_mille" in protocol.options:
        wanted += ["rivals", "aborts"]
    return tuple(name for name in wanted if not found.seen[name])


def _load(protocol: type[Protocol], dice: Dice, round_ps: int) -> dict[str, object]:
    """Draw what of a load means something to a protocol, and its own numbers."""
    settings: dict[str, object] = {}
    if "conflict_per_mille" in protocol.options:
        settings["conflict_per_mille"] = (0, 300, 1000)[dice.roll(3)]
    if "reads_per_mille" in protocol.options:
        settings["reads_per_mille"] = (0, 300, 700)[dice.roll(3)]
    if "items" in protocol.options:
        settings["items"] = dice.among(1, 3)
    if "overlap" in protocol.options:
        settings["overlap"] = bool(dice.roll(2))
    own: dict[str, int] = {}
    for name in parameters_of(protocol):
        if name == "hold_ps" or dice.roll(2):
            continue
        if name == "timeout_ps":
            own[name] = dice.among(2, 6) * round_ps // (1 if dice.roll(8) else 8) + 1
        else:
            own[name] = dice.among(1, round_ps if name.endswith("_ps") else 4)
    settings["work_ps"] = own.pop("work_ps", 0)
    settings["timeout_ps"] = own.pop("timeout_ps", 0)
    settings["parameters"] = own
    return settings


def _kept(protocol: type[Protocol], dice: Dice) -> int:
    """Draw how much of a log is kept: all that fits, some, or so little that many lack it."""
    size, few, some = dice.roll(3), dice.among(protocol.least_entries, 8), dice.among(16, 32)
    return (0, few, some)[size]


def _domains(members: tuple[int, ...], dice: Dice) -> tuple[tuple[int, ...], ...]:
    """Draw who shares memory with whom."""
    count = dice.among(1, len(members))
    homes = [dice.roll(count) for _ in members]
    rows = (
        tuple(pu for pu, home in zip(members, homes, strict=True) if home == domain)
        for domain in range(count)
    )
    return tuple(row for row in rows if row)


def _faults(
    members: tuple[int, ...], dice: Dice, on: set[str], span: int, round_ps: int, most: int
) -> tuple[Fault, ...]:
    """Draw some falls of PUs and a partition, healed at the end in seven plans of eight."""
    heals = dice.roll(8) > 0
    faults: list[Fault] = []
    falls = [kind for kind in ("crash", "power", "slow") if kind in on]
    after = dict.fromkeys(members, 0)
    dead: set[int] = set()
    for _ in range(most if falls else 0):
        pu, kind = members[dice.roll(len(members))], falls[dice.roll(len(falls))]
        begin = after[pu] + dice.roll(span + 1)
        # what a PU still does when it is powered down is over before it comes up again
        length = 1 + dice.roll(span + 1) + (round_ps if kind == "power" else 0)
        after[pu] = begin + length + 1
        if pu in dead:
            continue
        if kind == "slow":
            faults.append(Fault(begin, pu, "slow", length))
            continue
        faults.append(Fault(begin, pu, "down" if kind == "crash" else "off"))
        if heals or dice.roll(2):
            faults.append(Fault(begin + length, pu, "up" if kind == "crash" else "on"))
        else:
            dead.add(pu)
    if "partition" in on:
        begin = dice.roll(span + 1)
        length = 1 + dice.roll(span + 1)
        for pu in members:
            side = dice.roll(3)
            if side:
                faults.append(Fault(begin, pu, "cut", side))
                if heals:
                    faults.append(Fault(begin + length, pu, "joined"))
    return tuple(faults)


def _look(seen: Counter[str], history: History) -> None:
    """Count what happened in a run."""
    seen.update(history.kinds)
    seen.update(EVENT_NAMES[event] for event, rows in history.by_event.items() if rows)
    proposals = history.proposals
    happened = {
        "aborts": any(
            result == ABORT and proposals[op].write for op, (_, result) in history.finished.items()
        ),
        "rivals": len({p.item for p in proposals.values()}) < len(proposals),
        "elections": len({entry[2] for entry in history.by_event[LED]}) > 1,
        "unfinished": len(history.finished) < len(proposals),
        "stalled": history.stalled,
    }
    seen.update(name for name, happens in happened.items() if happens)
