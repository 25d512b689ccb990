"""A scenario, and how it is run: plain values in, a `Result` out, the same every time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from simulator import timing
from simulator.arrivals import ARRIVALS, Arrivals, arrival_times, require_arrivals
from simulator.costs import LOGP, MessageCosts, require_model
from simulator.driver import STALLED
from simulator.engine import FINISHED, Wires
from simulator.engines import ENGINES, EngineName, player
from simulator.errors import ScenarioError, UnknownNameError
from simulator.faults import Fault, require_fault_plan
from simulator.healing import fallen, healed, in_time, kinds_of
from simulator.history import HeldLock, History
from simulator.links import Links
from simulator.load import WINDOW, Load
from simulator.outcome import outcome
from simulator.playing import Played, Player, Setting, play
from simulator.protocols import require_protocol
from simulator.protocols.protocol import Place, Protocol, parameters_of
from simulator.ranges import require_range
from simulator.refinements import Refinements, Transport
from simulator.result import Result
from simulator.trees import Domains, Tree

NOTHING: Mapping[str, int] = MappingProxyType({})
TIMEOUT_ROUNDS = 6
NOBODY: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides a run.

    `outstanding` operations are kept under way (closed load), unless `interval_ps` starts a `burst`
    of them every so often, or so often on average (`arrivals` "poisson"), or `arrivals_ps` says
    when each arrives (open load). `clients` issue the operations of a protocol that has clients
    (default: all members), `domains` are the PUs that share memory. `parameters` are numbers of the
    protocol's own; these, `work_ps`, `timeout_ps`, `conflict_per_mille`, `reads_per_mille`, `items`
    and `overlap` may be set only for a protocol that has a use for them. With `overlap` a
    participant of a two-phase commit votes as soon as it and its subtree are ready, without it when
    the last one is, as the closed form has it.

    What goes up may have a tree of its own, `up_tree`, with the same root and members. The tree may
    span a part of the machine. `links` lie on the way of messages; with `poll_ps` receivers poll
    their `channels` (simulator/refinements.py); of a million messages `loss_per_million` are lost
    and `delay_per_million` delayed by up to `delay_ps`. Of a log `entries` are kept (0: those of
    the window). `machine` and `route_name` are only repeated in the result. `engine` is what runs
    it, which makes no difference to that; without `digest` the trace has none, which saves time.
    `event_limit` and `horizon_ps` bound the run. Raises `ScenarioError` for an impossible number.
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
    digest: bool = True
    engine: EngineName = "auto"
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
    entries: int = 0
    clients: tuple[int, ...] = ()
    arrivals: Arrivals = "even"
    burst: int = 1
    arrivals_ps: tuple[int, ...] = ()
    links: Links | None = None
    poll_ps: int = 0
    channels: Literal["all", "tree"] = "all"
    loss_per_million: int = 0
    delay_per_million: int = 0
    delay_ps: int = 0

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
            ("entries", 0, WINDOW),
            ("work_ps", 0, None),
            ("timeout_ps", 0, None),
            ("event_limit", 1, None),
            ("horizon_ps", 0, None),
            ("burst", 1, WINDOW // 2),
            ("poll_ps", 0, None),
            ("loss_per_million", 0, 1_000_000),
            ("delay_per_million", 0, 1_000_000),
            ("delay_ps", 0, None),
            *((f"parameters.{name}", 0, None) for name in self.parameters),
        ):
            table, _, key = name.partition(".")
            value = self.parameters[key] if key else getattr(self, table)
            require_range(name, value, least, most)
        known = {*protocol.options, *parameters_of(protocol)}
        options = ("conflict_per_mille", "reads_per_mille", "items", "work_ps", "timeout_ps")
        given = [name for name in (*options, "overlap") if getattr(self, name)]
        for option in (*given, *self.parameters):
            if option not in known:
                raise ScenarioError(f"{self.protocol} has no use for {option}")
        if 0 < self.entries < protocol.least_entries:
            raise ScenarioError(f"{self.protocol} keeps {protocol.least_entries} entries or more")
        lost = sorted(set(self.clients) - set(self.tree.members))
        if lost:
            raise ScenarioError(f"the clients {lost} are not in the tree")
        self._require_arrivals()

    def _require_arrivals(self) -> None:
        """Refuse an open load, or conditions of the network, that contradict themselves."""
        for name, known in (
            ("arrivals", ARRIVALS),
            ("channels", ("all", "tree")),
            ("engine", ENGINES),
        ):
            if getattr(self, name) not in known:
                raise UnknownNameError(name, str(getattr(self, name)), known)
        require_arrivals(
            self.arrivals, self.interval_ps, self.burst, self.arrivals_ps, self.operations
        )
        if self.delay_per_million and not self.delay_ps:
            raise ScenarioError("delay_per_million needs delay_ps: the longest delay")

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The tree down, and the tree up where that is another one."""
        return (self.tree,) if self.up_tree is None else (self.tree, self.up_tree)

    @property
    def refinements(self) -> Refinements:
        """What this run has beyond the message model."""
        transport = Transport(
            self.loss_per_million, self.delay_per_million, self.delay_ps, self.seed
        )
        return Refinements(self.links, self.poll_ps, self.channels, transport)

    @property
    def times_ps(self) -> tuple[int, ...]:
        """When groups of operations arrive; nothing where the load is closed."""
        if self.interval_ps is None:
            return self.arrivals_ps
        return arrival_times(
            self.arrivals, self.operations, self.interval_ps, self.burst, self.seed
        )


def run(
    scenario: Scenario,
    progress: Callable[[int, int], None] | None = None,
    folder: str = "",
) -> Result:
    """Run a scenario; `progress(finished, all)` is called about a hundred times.

    `folder` is where compiled engines are kept (simulator/engines.py); it decides nothing else.

    Never hangs: what a fault keeps from ending is counted as unfinished, and overload, event limit
    and horizon end the run with a result that says so. The caller, who has a clock, may set
    `events_per_s` with `dataclasses.replace`.
    """
    protocol = require_protocol(scenario.protocol)
    work = scenario.operations * len(scenario.tree.members)
    return simulate(scenario, protocol, progress, player(protocol, scenario.engine, folder, work))


def simulate(
    scenario: Scenario,
    protocol: type[Protocol],
    progress: Callable[[int, int], None] | None = None,
    engine: Player = play,
) -> Result:
    """Run a scenario with a given class in place of the protocol that it names."""
    return outcome(scenario, protocol, *observe(scenario, protocol, progress, engine))


def observe(
    scenario: Scenario,
    protocol: type[Protocol],
    progress: Callable[[int, int], None] | None = None,
    player: Player = play,
) -> tuple[list[Protocol], Played, History]:
    """Run a scenario; return its nodes, what the engine left, and what the checks look at."""
    setting = setting_of(scenario, protocol)
    nodes = list(setting.nodes)
    played = player(setting, progress)
    kinds = kinds_of(scenario.faults, scenario.loss_per_million, scenario.delay_per_million)
    history = History(
        members=setting.members,
        reporter=setting.load.initiator,
        proposals=played.proposals,
        entries=in_time(played.entries, scenario.faults),
        finished=played.finished,
        failed=fallen(scenario.faults),
        held=held_locks(protocol, nodes, setting.members),
        drained=played.ended == FINISHED,
        stalled=played.ended == STALLED,
        kinds=kinds,
        lively=kinds <= protocol.survives and healed(scenario.faults),
        sequential=not setting.times_ps and scenario.outstanding <= len(setting.load.clients),
    )
    return nodes, played, history


def setting_of(scenario: Scenario, protocol: type[Protocol]) -> Setting:
    """Return what an engine takes to run a scenario, all nodes in place."""
    members = scenario.tree.members
    numbers = {pu: node for node, pu in enumerate(members)}
    reporter = timing.last_core(scenario.tree, scenario.costs, scenario.model)
    items = WINDOW if scenario.items is None else scenario.items
    refined = scenario.refinements
    wires = wires_of(scenario.costs, members, scenario.model, scenario.links)
    pollers = refined.pollers(scenario.trees)
    round_ps = refined.round_ps(timing.round_of(wires), len(members), pollers)
    given = _given(scenario, protocol)
    nodes = seat(
        protocol,
        scenario.tree,
        reporter,
        parameters=given,
        items=items,
        entries=scenario.entries,
        up_tree=scenario.up_tree,
        holds=NOBODY if scenario.overlap else _holds(scenario),
        domains=scenario.domains,
        round_ps=round_ps,
        seed=scenario.seed,
        costs=scenario.costs,
    )
    return Setting(
        protocol=protocol,
        nodes=nodes,
        members=members,
        numbers=numbers,
        root=scenario.tree.root,
        wires=wires,
        load=load_of(scenario, protocol, reporter),
        # whose timeouts are long needs longer to settle
        round_ps=max(round_ps, max(given.get("timeout_ps", 0), nodes[0].pause()) // TIMEOUT_ROUNDS),
        outstanding=scenario.outstanding,
        times_ps=scenario.times_ps,
        event_limit=scenario.event_limit,
        horizon_ps=scenario.horizon_ps,
        faults=scenario.faults,
        links=scenario.links,
        transport=refined.transport,
        pollers=pollers,
        poll_ps=scenario.poll_ps,
        keep_rows=scenario.trace,
        digest=scenario.digest,
    )


def load_of(scenario: Scenario, protocol: type[Protocol], reporter: int) -> Load:
    """Return the operations of a scenario; the last core of a broadcast proposes them."""
    members = scenario.tree.members
    return Load(
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
    transfer = ((0,) * len(members),) * len(members) if protocol.cache_lines else ()
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


def wires_of(
    costs: MessageCosts, members: tuple[int, ...], model: str, links: Links | None = None
) -> Wires:
    """Lay the costs of some PUs out as dense tables, 0 on the diagonal.

    Of the propagation of a pair, what the latencies of its links explain is left out.
    """

    def table(cost: Callable[[int, int], int]) -> list[list[int]]:
        return [[0 if u == v else cost(u, v) for v in members] for u in members]

    def flight(sender: int, receiver: int) -> int:
        known = 0 if links is None else links.latency(sender, receiver)
        return max(0, costs.propagation(sender, receiver) - known)

    return Wires(
        send=table(costs.send),
        further_send=table(lambda u, v: costs.further_send(u, v, model)),
        propagation=table(flight),
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
