"""From a snapshot and a decided route to a simulated agreement, as plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from skb.costs import Costs, to_ps
from skb.decision import Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.messages import LINE
from skb.simulation_facts import links_of, sharing, with_lines
from skb.simulation_options import (
    DECIDED,
    Options,
    interval_ps,
    parameters_ps,
    read_options,
)
from skb.simulation_transports import interrupts, joined, states_network

if TYPE_CHECKING:
    from simulator import Links, MessageCosts, Result, Scenario, Tree

    # over which messages go down, and over which answers come up where that is another one
    Trees = tuple[Tree, Tree | None]
    # trees, the costs of their members, what the decision promised, and the model
    Routed = tuple[Trees, MessageCosts, dict[str, Any] | None, str]
    # and what was assumed about the machine, by what decides a route
    Routes = dict[Hashable, tuple[Routed, list[Any]]]

PS_PER_NS = 1000
MHZ_PER_GHZ = 1000
# its members interrupt each other, whatever the route's messages cost
INTERRUPTING = "ipi-shootdown"
# what a route is decided for; the others take the broadcast's tree
OPERATIONS = {
    "atomic-broadcast": "broadcast-ack",
    "barrier": "barrier",
    "reduction": "reduce",
    "two-phase-commit": "two-phase-commit",
}
Decide = Callable[[str, Machine, Mapping[str, Any], Limits], Any]


def require(raw: Mapping[str, Any]) -> Options:
    """Read options and refuse what no machine could run, before anything is solved or queued."""
    from simulator import TREES, MessageCosts, Scenario, SimulatorError, Tree
    from simulator.faults import require_fault_plan
    from simulator.protocols import require_protocol

    options = read_options(raw)
    try:
        require_protocol(options.protocol)
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation protocol") from fault
    if options.clients and require_protocol(options.protocol).starts != "client":
        raise RequestError(
            f"{options.protocol} has no clients: its operations begin at the route's last core",
            place="simulation $.clients",
            mend="leave clients out",
        )
    if options.route in TREES and options.trees is not None:
        raise RequestError(
            f"the {options.route} route is one tree both ways",
            place="simulation $.trees",
            mend='leave it out, or write route = "decided"',
        )
    alone = Tree(0, {0: ()})
    costs = MessageCosts((0,), {}, {}, {}, {})
    try:
        Scenario(costs=costs, tree=alone, route_name=options.route, **_plain(options))
        require_fault_plan(
            [row.fault() for row in options.faults], {row.pu for row in options.faults}
        )
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation") from fault
    return options


def require_there(machine: Machine, options: Options) -> None:
    """Raise `RequestError` where members, clients or faults are of PUs that cannot take part."""
    wanted = [*(options.clients or ()), *(row.pu for row in options.faults)]
    members = _members(machine, options)
    for pu in wanted:
        if pu not in members:
            raise RequestError(
                f"pu:{pu} takes no part", place="simulation", mend="name it in members"
            )


def _plain(options: Options) -> dict[str, Any]:
    """Return what a scenario has of the options alone, whatever the machine."""
    return {
        "overlap": options.overlap,
        "protocol": options.protocol,
        "operations": options.operations,
        "outstanding": options.outstanding,
        "interval_ps": interval_ps(options),
        "arrivals": options.arrivals,
        "burst": options.burst,
        "reads_per_mille": options.reads_per_mille,
        "items": options.items,
        "parameters": parameters_ps(options),
        "poll_ps": to_ps(options.poll_ns),
        "channels": options.channels,
        "loss_per_million": options.loss_per_million,
        "delay_per_million": options.delay_per_million,
        "delay_ps": to_ps(options.delay_ns),
        "conflict_per_mille": options.conflict_per_mille,
        "work_ps": to_ps(options.work_ns),
        "timeout_ps": to_ps(options.timeout_ns),
        "seed": options.seed,
        "model": options.model or "logp",
        "engine": options.engine,
    }


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario of plain values, and what is told beside its result.

    `predicted` is what the decision promised for its operation, in ns, `assumed` what nobody
    stated about the machine, `clocks` the stated clock of each member, in MHz.
    """

    scenario: Scenario
    predicted: dict[str, Any] | None
    assumed: list[Any]
    clocks: Mapping[int, float]

    def told(self, result: Result) -> dict[str, Any]:
        """Return a result of this scenario under its fixed names."""
        found: dict[str, Any] = result.to_json()
        found["cost"] = cost_of(result, self.clocks)
        found["root"] = self.scenario.tree.root
        found["predicted"] = self.predicted
        found["assumed"] = self.assumed
        return found


def clocks_mhz(machine: Machine, members: tuple[int, ...]) -> dict[int, float]:
    """Return the clock of each PU for which one is stated, in MHz."""
    stated = {pu: machine.inherited("clock_mhz", f"pu:{pu}") for pu in members}
    return {pu: float(str(value)) for pu, value in stated.items() if value is not None}


def cost_of(result: Result, clocks: Mapping[int, float]) -> dict[str, Any] | None:
    """Return what one operation costs: time for which PUs are busy, all and the busiest of them.

    In ns, and in cycles of each PU's own clock, None where a clock is missing that counts. `lines`
    is the time for which cache lines are kept, while whoever wants one waits. None where no
    operation ended. What a PU waits for is not in it.
    """
    if not result.completed:
        return None
    scale = result.elapsed_ps / PS_PER_NS / result.completed
    busy = {pu: share * scale for pu, share in result.occupancy.items()}
    cycles = {
        pu: time * clocks.get(pu, 0.0) / MHZ_PER_GHZ
        for pu, time in busy.items()
        if clocks and (not time or pu in clocks)
    }
    whole = len(cycles) == len(busy)
    busiest = max(busy, key=lambda pu: (busy[pu], -pu))
    return {
        "unit": "ns",
        "all": sum(busy.values()),
        "busiest": busy[busiest],
        "busiest_pu": busiest,
        "lines": sum(result.line_occupancy.values()) * scale,
        "all_cycles": sum(cycles.values()) if whole else None,
        "busiest_cycles": cycles[busiest] if whole else None,
    }


def simulate(
    machine: Machine,
    raw: Mapping[str, Any],
    decide: Decide,
    *,
    decision: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Run a protocol over a route of a machine and return the result under its fixed names.

    `decision` is a decided route to use; without one `route = "decided"` asks for it. Raises
    `RequestError`.
    """
    found = prepared(machine, raw, decide, decision)
    return found.told(ran(found.scenario, progress))


def ran(scenario: Scenario, progress: Callable[[int, int], None] | None = None) -> Result:
    """Run a scenario and say how many events a second that were; raises `RequestError`."""
    from simulator import SimulatorError, run
    from skb.engines.compiling_simulator import folder_for

    try:
        folder = folder_for(scenario)
        begin = time.perf_counter()
        result = run(scenario, progress, folder)
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation") from fault
    seconds = time.perf_counter() - begin
    return replace(result, events_per_s=result.events / seconds if seconds > 0 else None)


def prepared(
    machine: Machine,
    raw: Mapping[str, Any],
    decide: Decide,
    decision: Mapping[str, Any] | None = None,
    routes: Routes | None = None,
) -> Prepared:
    """Return what `simulate` runs, its route decided; raises `RequestError`.

    `routes` keeps the routes of earlier calls, so that a sweep decides each of them once.
    """
    from simulator import Scenario, SimulatorError

    options = require(raw)
    known = {} if routes is None else routes
    same = _same_route(machine, options, decision)
    try:
        if same not in known:
            costs = Costs(machine)
            found = _route(machine, costs, options, decide, decision)
            known[same] = (found, msgspec.to_builtins(costs.assumed))
        (trees, table, predicted, model), assumed = known[same]
        table, links, more = _refined(machine, table, options)
        scenario = Scenario(
            costs=table,
            tree=trees[0],
            up_tree=trees[1],
            route_name=options.route,
            clients=tuple(options.clients or ()),
            links=links,
            faults=tuple(row.fault() for row in options.faults),
            machine=machine.name,
            domains=sharing(machine, trees[0].members, options.sharing),
            **{**_plain(options), "model": model},
        )
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation") from fault
    told = [*assumed, *(row for row in more if row not in assumed)]
    return Prepared(scenario, predicted, told, clocks_mhz(machine, trees[0].members))


def _refined(
    machine: Machine, table: MessageCosts, options: Options
) -> tuple[MessageCosts, Links | None, list[Any]]:
    """Return the costs, with those of cache lines where they matter, the links, what is assumed."""
    from simulator.protocols import require_protocol

    assumed: list[Any] = []
    links = None
    if options.stores != "stated":
        table = _stored(machine, table, options)
    if options.protocol == INTERRUPTING:
        table, _, told = interrupts(machine, table.members)
        assumed += msgspec.to_builtins(told)
    if require_protocol(options.protocol).cache_lines:
        costs = Costs(machine)
        table, hit = with_lines(table, costs)
        assumed += msgspec.to_builtins((*costs.assumed, *hit))
    if options.links:
        links, told = links_of(machine, table)
        assumed += msgspec.to_builtins(told)
    return table, links, assumed


def _stored(machine: Machine, table: MessageCosts, options: Options) -> MessageCosts:
    """Return the costs with stores as they are asked for; raises `RequestError` without lines."""
    if options.protocol == INTERRUPTING or states_network(machine):
        raise RequestError(
            "not all of these messages are stores to cache lines",
            place="simulation $.stores",
            mend="leave it out",
        )
    return table.polled() if options.stores == "polled" else table.posted()


def domains(machine: Machine, members: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the members by NUMA node, PUs without a node together."""
    return sharing(machine, members)


def message_costs(costs: Costs, members: tuple[int, ...], transport: str = LINE) -> MessageCosts:
    """Return the simulator's cost table for some PUs, with a network between machines it joins."""
    from simulator import MessageCosts

    if transport == LINE and states_network(costs.machine):
        return joined(costs, members)[0]
    pairs = costs.message_pairs(members, transport)
    return MessageCosts(members, pairs.send, pairs.receive, pairs.propagation, pairs.gap)


def _same_route(machine: Machine, options: Options, decision: Mapping[str, Any] | None) -> Hashable:
    """Return a key that two runs share only where they take the same route."""
    members = None if options.members is None else tuple(options.members)
    operation = OPERATIONS.get(options.protocol, "broadcast")
    asked = (options.route, operation, options.root, members, options.trees, options.model)
    limits = (options.limit_s, options.seed) if options.route == DECIDED else ()
    return (machine.digest, None if decision is None else decision["id"], asked, limits)


def _route(
    machine: Machine,
    costs: Costs,
    options: Options,
    decide: Decide,
    decision: Mapping[str, Any] | None,
) -> Routed:
    """Return the route of a run, decided where it has to be."""
    from simulator import Tree, build_tree

    if options.route == DECIDED:
        keys = ("root", "members", "model", "trees")
        asked = {key: value for key in keys if (value := getattr(options, key)) is not None}
        asked["operation"] = OPERATIONS.get(options.protocol, "broadcast")
        if decision is None:
            limits = Limits(seconds=options.limit_s, seed=options.seed)
            decision = decide("route", machine, asked, limits).to_json()
        elif decision["provenance"]["facts"] != machine.digest:
            raise RequestError(
                f"decision {decision['id']} is about other facts than {machine.name} has now",
                place="simulation route",
                mend="ask again, and simulate that decision",
            )
        else:
            _require_of(decision, options)
        if "sends" not in decision["answer"]:
            text = "; ".join(reason["text"] for reason in decision["reasons"])
            raise RequestError(f"there is no route to simulate: {text}", place="simulation")
        answer = decision["answer"]
        rows = [answer[key] for key in ("sends", "reduction_sends") if key in answer]
        tree, *up = (
            Tree(answer["root"], {s["from"]: tuple(s["to"]) for s in sends}) for sends in rows
        )
        promised = {
            "operation": answer.get("operation", "broadcast"),
            "value": answer["completion_ps"] / 1000,
            "unit": "ns",
            "decision": decision["id"],
        }
        model = options.model or answer["model"]
        transport = decision["request"].get("transport", LINE)
        table = message_costs(costs, tree.members, transport)
        return (tree, up[0] if up else None), table, promised, model
    members = _members(machine, options)
    table = message_costs(costs, members)
    root = members[0] if options.root is None else options.root
    tree = build_tree(options.route, table, members, root, domains(machine, members))
    return (tree, None), table, None, options.model or "logp"


def _require_of(decision: Mapping[str, Any], options: Options) -> None:
    """Raise `RequestError` where the options ask for another route than a stored decision has."""
    answer = decision["answer"]
    sent = {pu for row in answer.get("sends", ()) for pu in (row["from"], *row["to"])}
    has = {"root": answer.get("root"), "members": sorted(sent | {answer.get("root")})}
    asked = {"root": options.root, "members": sorted(set(options.members or ())) or None}
    for name, value in asked.items():
        if value is not None and value != has[name]:
            raise RequestError(
                f"decision {decision['id']} has other {name}",
                place=f"simulation $.{name}",
                mend="leave it out, or ask for another decision",
            )


def _members(machine: Machine, options: Options) -> tuple[int, ...]:
    wanted = machine.usable_pus if options.members is None else options.members
    members = sorted({*wanted, *(() if options.root is None else (options.root,))})
    for pu in members:
        if pu not in machine.pus:
            raise RequestError(
                f"{machine.name} has no pu:{pu}", place="simulation", mend="see `skb show`"
            )
        if reason := machine.unusable(f"pu:{pu}"):
            raise RequestError(reason, place="simulation", mend="leave it out of members")
    return tuple(members)
