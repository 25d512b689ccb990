"""A scenario, and how it is run: plain values in, a `Result` out, the same every time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from simulator import timing
from simulator.checkers import judge
from simulator.costs import LOGP, MessageCosts, require_model
from simulator.driver import STALLED, Driver
from simulator.engine import FINISHED, Engine, Wires
from simulator.errors import ScenarioError
from simulator.faults import Fault, require_fault_plan
from simulator.history import ABORT, HeldLock, History
from simulator.load import WINDOW, Load
from simulator.protocols import require_protocol
from simulator.protocols.protocol import Place, Protocol, parameters_of
from simulator.result import Result
from simulator.trees import Domains, Tree

NOTHING: Mapping[str, int] = MappingProxyType({})
NOBODY: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides a run.

    `outstanding` operations are kept under way (closed load), unless `interval_ps` starts one
    every so often (open load). `parameters` are numbers of the protocol's own; these, `work_ps`,
    `timeout_ps`, `conflict_per_mille`, `reads_per_mille`, `items` and `overlap` may be set only for
    a protocol that has a use for them. `clients` issue the operations of a protocol that has
    clients (default: all members), `domains` are the PUs that share memory. With `overlap` a
    participant of a two-phase commit votes as soon as it and its subtree are ready, without it when
    the last one is, as the closed form has it. What goes up may have a tree of its own, `up_tree`,
    with the same root and members. The tree may span a part of the machine. `machine` and
    `route_name` are only repeated in the result. `event_limit` and `horizon_ps` bound the run.
    Raises `ScenarioError` where a number makes no sense.
    """

    costs: MessageCosts
    tree: Tree
    route_name: str
    protocol: str
    operations: int = 1
    outstanding: int = 1
    interval_ps: int | None = None
    conflict_per_mille: int = 0
    work_ps: int = 0
    timeout_ps: int = 0
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    trace: bool = False
    machine: str = ""
    model: str = LOGP
    event_limit: int = 50_000_000
    horizon_ps: int | None = None
    up_tree: Tree | None = None
    overlap: bool = False
    parameters: Mapping[str, int] = field(default_factory=dict)
    domains: Domains = ()
    reads_per_mille: int = 0
    items: int | None = None
    clients: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, naming the field."""
        require_model(self.model)
        protocol = require_protocol(self.protocol)
        foreign = sorted(set(self.tree.members) - set(self.costs.members))
        if foreign:
            raise ScenarioError(f"the tree spans PUs without message costs: {foreign}")
        up = self.up_tree
        if up is not None and (up.root, up.members) != (self.tree.root, self.tree.members):
            raise ScenarioError("the tree up has another root or other members than the tree down")
        object.__setattr__(self, "faults", require_fault_plan(self.faults, self.tree.members))
        for name, least, most in (
            ("operations", 1, None),
            ("outstanding", 1, WINDOW // 2),
            ("interval_ps", 1, None),
            ("conflict_per_mille", 0, 1000),
            ("reads_per_mille", 0, 1000),
            ("items", 1, WINDOW),
            ("work_ps", 0, None),
            ("timeout_ps", 0, None),
            ("event_limit", 1, None),
            ("horizon_ps", 0, None),
            *((f"parameters.{name}", 0, None) for name in self.parameters),
        ):
            table, _, key = name.partition(".")
            value = self.parameters[key] if key else getattr(self, table)
            _require_range(name, value, least, most)
        known = {*protocol.options, *parameters_of(protocol)}
        options = ("conflict_per_mille", "reads_per_mille", "items", "work_ps", "timeout_ps")
        given = [name for name in (*options, "overlap") if getattr(self, name)]
        for option in (*given, *self.parameters):
            if option not in known:
                raise ScenarioError(f"{self.protocol} has no use for {option}")
        lost = sorted(set(self.clients) - set(self.tree.members))
        if lost:
            raise ScenarioError(f"the clients {lost} are not in the tree")


def run(scenario: Scenario, progress: Callable[[int, int], None] | None = None) -> Result:
    """Run a scenario; `progress(finished, all)` is called about a hundred times.

    Never hangs: what a fault keeps from ending is counted as unfinished, and overload, event limit
    and horizon end the run with a result that says so. The caller, who has a clock, may set
    `events_per_s` with `dataclasses.replace`.
    """
    return simulate(scenario, require_protocol(scenario.protocol), progress)


def simulate(
    scenario: Scenario,
    protocol: type[Protocol],
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run a scenario with a given class in place of the protocol that it names."""
    members = scenario.tree.members
    numbers = {pu: node for node, pu in enumerate(members)}
    reporter = timing.last_core(scenario.tree, scenario.costs, scenario.model)
    items = WINDOW if scenario.items is None else scenario.items
    wires = wires_of(scenario.costs, members, scenario.model)
    round_ps = round_of(wires)
    nodes = seat(
        protocol,
        scenario.tree,
        reporter,
        parameters=_given(scenario, protocol),
        items=items,
        up_tree=scenario.up_tree,
        holds=NOBODY if scenario.overlap else _holds(scenario),
        domains=scenario.domains,
        round_ps=round_ps,
        seed=scenario.seed,
        costs=scenario.costs,
    )
    engine = Engine(nodes, members, wires)
    engine.keep_rows = scenario.trace
    engine.plan_faults(scenario.faults, numbers)
    engine.boot(numbers.values())
    load = Load(
        members=members,
        initiator=reporter,
        operations=scenario.operations,
        conflict_per_mille=scenario.conflict_per_mille,
        contributes=protocol.starts == "members",
        seed=scenario.seed,
        clients=(scenario.clients or members) if protocol.starts == "client" else (),
        reads_per_mille=scenario.reads_per_mille,
        items=scenario.items,
    )
    healed = max((fault.time_ps for fault in scenario.faults), default=0)
    driver = Driver(engine, load, protocol, numbers, scenario.tree.root, progress, round_ps, healed)
    driver.begin(scenario.outstanding, scenario.interval_ps)
    ended = engine.run(scenario.event_limit, scenario.horizon_ps)
    history = History(
        members=members,
        reporter=reporter,
        proposals=driver.proposals,
        entries=engine.entries(),
        finished=driver.finished,
        failed=frozenset(fault.pu for fault in scenario.faults),
        held=held_locks(protocol, nodes, members),
        drained=ended == FINISHED,
    )
    return _result(scenario, protocol, engine, history, ended)


def seat(
    protocol: type[Protocol],
    tree: Tree,
    reporter: int,
    *,
    parameters: Mapping[str, int] = NOTHING,
    window: int = WINDOW,
    items: int | None = None,
    entries: int = 0,
    up_tree: Tree | None = None,
    holds: Mapping[int, int] = NOBODY,
    domains: Domains = (),
    round_ps: int = 0,
    seed: int = -1,
    costs: MessageCosts | None = None,
) -> list[Protocol]:
    """Make one node per member of a tree, ascending, and one per cache line behind them.

    The nodes know each other by position. Answers go up over `up_tree` where that is given; `holds`
    says how long PUs wait with theirs; `domains` are the PUs that share memory, each PU for itself
    where it is in none.
    """
    members = tree.members
    numbers = {pu: node for node, pu in enumerate(members)}
    up = up_tree or tree
    parents = up.parents()
    shared = [tuple(numbers[pu] for pu in domain if pu in numbers) for domain in domains]
    shared = [domain for domain in shared if domain]
    known = {node for domain in shared for node in domain}
    shared += [(node,) for node in range(len(members)) if node not in known]
    home = {node: number for number, domain in enumerate(shared) for node in domain}
    count, many = len(members), window if items is None else items
    sizes = {"one": 1, "item": many, "member": count, "domain": len(shared)}
    transfer: tuple[tuple[int, ...], ...] = ()
    if costs is not None and protocol.cache_lines:
        transfer = tuple(tuple(costs.transfer(u, v) for v in members) for u in members)

    def place(node: int, pu: int) -> Place:
        own = shared[home[node]]
        return Place(
            me=node,
            parent=numbers[parents[pu]] if pu in parents else -1,
            children=tuple(numbers[child] for child in tree.children[pu]),
            root=numbers[tree.root],
            reporter=numbers[reporter],
            window=window,
            items=many,
            gathered=len(up.children[pu]),
            entries=entries,
            count=count,
            domain=home[node],
            domains=len(shared),
            leader=own[0],
            neighbours=tuple(other for other in own if other != node),
            round_ps=round_ps,
            seed=seed,
            transfer=transfer,
            parameters={**parameters, "hold_ps": holds.get(pu, -1)},
        )

    nodes = [protocol(place(node, pu)) for node, pu in enumerate(members)]
    for line in range(sum(sizes[kind] for kind in protocol.cache_lines)):
        at = Place(
            me=count + line, parent=-1, children=(), root=numbers[tree.root],
            reporter=numbers[reporter], window=window, items=many, entries=entries, count=count,
            domains=len(shared), round_ps=round_ps, transfer=transfer, parameters=parameters,
        )  # fmt: skip
        nodes.append(protocol(at))
    return nodes


def round_of(wires: Wires) -> int:
    """Return picoseconds in which a member reaches all others and hears of them all, with ease."""
    count = len(wires.send)
    slowest = [max(map(max, table)) for table in (wires.send, wires.further_send, wires.receive)]
    flight = max(map(max, wires.propagation))
    return 2 * (count * (max(slowest[:2]) + slowest[2]) + flight) + 1


def _given(scenario: Scenario, protocol: type[Protocol]) -> dict[str, int]:
    """Return the numbers that a scenario gives to its protocol."""
    own = {"work_ps": scenario.work_ps, "timeout_ps": scenario.timeout_ps, **scenario.parameters}
    return {name: own[name] for name in parameters_of(protocol) if name in own}


def _holds(scenario: Scenario) -> dict[int, int]:
    """Return how long each PU, once asked, has to wait until the last one is ready too.

    Picoseconds on an idle machine, from the closed form: what a node knows of a fixed tree.
    """
    arrivals = timing.broadcast_arrivals(scenario.tree, scenario.costs, scenario.model)
    last = max(arrivals.values()) + scenario.work_ps
    return {pu: last - arrival for pu, arrival in arrivals.items()}


def wires_of(costs: MessageCosts, members: tuple[int, ...], model: str) -> Wires:
    """Lay the costs of some PUs out as dense tables, 0 on the diagonal."""

    def table(cost: Callable[[int, int], int]) -> list[list[int]]:
        return [[0 if u == v else cost(u, v) for v in members] for u in members]

    return Wires(
        send=table(costs.send),
        further_send=table(lambda u, v: costs.further_send(u, v, model)),
        propagation=table(costs.propagation),
        receive=table(costs.receive),
    )


def held_locks(
    protocol: type[Protocol], nodes: list[Protocol], members: tuple[int, ...]
) -> tuple[HeldLock, ...]:
    """Read the lock fields of all nodes, where the protocol has one."""
    if not protocol.lock_field:
        return ()
    return tuple(
        HeldLock(pu, item, holder - 1)
        for pu, node in zip(members, nodes, strict=False)
        for item, holder in enumerate(getattr(node, protocol.lock_field))
        if holder
    )


def phases_of(protocol: type[Protocol], history: History, operation: int) -> dict[str, int]:
    """Return when an operation reached each phase, from its begin; an unreached one is missing."""
    start = history.proposals[operation].start_ps
    phases: dict[str, int] = {}
    for phase in protocol.phases:
        entries = history.by_event[phase.event]
        times = [time for time, _, op, _, _ in entries if op == operation]
        if phase.when == "first" and times:
            phases[phase.name] = min(times) - start
        elif phase.when == "last" and len(times) >= len(history.members):
            phases[phase.name] = max(times) - start
    return phases


def _result(
    scenario: Scenario, protocol: type[Protocol], engine: Engine, history: History, ended: str
) -> Result:
    """Put the numbers of a run together."""
    finished: Mapping[int, tuple[int, int]] = dict(sorted(history.finished.items()))
    unfinished = scenario.operations - len(finished)
    return Result(
        protocol=scenario.protocol,
        machine=scenario.machine,
        route=scenario.route_name,
        model=scenario.model,
        operations=scenario.operations,
        completed=len(finished),
        unfinished=unfinished,
        aborts=sum(
            outcome == ABORT and bool(history.proposals[op].write)
            for op, (_, outcome) in finished.items()
        ),
        ended=STALLED if ended == FINISHED and unfinished else ended,
        latency_ps=tuple(
            time - history.proposals[op].start_ps for op, (time, _) in finished.items()
        ),
        elapsed_ps=engine.now_ps,
        phases_ps=phases_of(protocol, history, 0),
        violations=judge(history, protocol.promises),
        occupancy={
            pu: busy / engine.now_ps if engine.now_ps else 0.0
            for pu, busy in zip(history.members, engine.busy_ps, strict=False)
        },
        events=engine.events,
        trace_digest=engine.digest(),
        seed=scenario.seed,
        trace=engine.rows(),
    )


def _require_range(name: str, value: object, least: int, most: int | None) -> None:
    """Raise `ScenarioError` unless a number of a scenario is an integer within its range."""
    if value is None and name in ("interval_ps", "horizon_ps", "items"):
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise ScenarioError(f"{name} must be a whole number, not {value!r}")
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ScenarioError(f"{name} must be {limits}, not {value}")
