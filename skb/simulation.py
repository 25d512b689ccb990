"""From a snapshot and a decided route to a simulated agreement, as plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from skb.costs import Costs, to_ps
from skb.decision import Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.messages import LINE

if TYPE_CHECKING:
    from simulator import MessageCosts, Result, Tree

    # over which messages go down, and over which answers come up where that is another one
    Trees = tuple[Tree, Tree | None]

DECIDED = "decided"
# what a route is decided for; the others take the broadcast's tree
OPERATIONS = {
    "atomic-broadcast": "broadcast-ack",
    "barrier": "barrier",
    "reduction": "reduce",
    "two-phase-commit": "two-phase-commit",
}
Decide = Callable[[str, Machine, Mapping[str, Any], Limits], Any]


class FaultRow(msgspec.Struct, forbid_unknown_fields=True):
    """A PU that goes down or comes up, in nanoseconds from the begin of the run."""

    time_ns: float
    pu: int
    state: str


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What `skb simulate` and `POST /v1/simulations` take beside the machine.

    `trees` is that of the route question; `overlap` lets participants of a two-phase commit vote as
    soon as they are ready, where the promise of a decision lets each phase wait for the one before.
    """

    protocol: str = "two-phase-commit"
    route: str = DECIDED
    trees: Literal["one", "per-phase"] | None = None
    overlap: bool = False
    operations: int = 1
    seed: int = 0
    model: str | None = None
    root: int | None = None
    members: list[int] | None = None
    outstanding: int = 1
    interval_ns: float | None = None
    conflict_per_mille: int = 0
    work_ns: float = 0.0
    timeout_ns: float = 0.0
    faults: list[FaultRow] = []
    limit_s: float = 10.0


def read_options(raw: Mapping[str, Any]) -> Options:
    """Turn plain values into options; raises `RequestError` naming place and mend."""
    try:
        return msgspec.convert(raw, Options)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        known = ", ".join(Options.__struct_fields__)
        raise RequestError(
            text, place=f"simulation {path.strip('`')}".strip(), mend=f"keys are: {known}"
        ) from fault


def require(raw: Mapping[str, Any]) -> Options:
    """Read options and refuse an unknown protocol, before anything is solved or queued."""
    from simulator import SimulatorError
    from simulator.protocols import require_protocol

    options = read_options(raw)
    try:
        require_protocol(options.protocol)
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation protocol") from fault
    return options


def simulate(
    machine: Machine,
    raw: Mapping[str, Any],
    decide: Decide,
    *,
    decision: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    keep: Callable[[Result, tuple[tuple[int, ...], ...]], None] | None = None,
) -> dict[str, Any]:
    """Run a protocol over a route of a machine and return the result under its fixed names.

    `decision` is a decided route to use; without one `route = "decided"` asks for it. `predicted`
    in the result is what the decision promised for its operation, in ns. Raises `RequestError`.
    """
    from simulator import Fault, Scenario, SimulatorError, run

    options = require(raw)
    costs = Costs(machine)
    try:
        trees, table, predicted, model = _route(machine, costs, options, decide, decision)
        scenario = Scenario(
            costs=table,
            tree=trees[0],
            up_tree=trees[1],
            overlap=options.overlap,
            route_name=options.route,
            protocol=options.protocol,
            operations=options.operations,
            outstanding=options.outstanding,
            interval_ps=None if options.interval_ns is None else to_ps(options.interval_ns),
            conflict_per_mille=options.conflict_per_mille,
            work_ps=to_ps(options.work_ns),
            timeout_ps=to_ps(options.timeout_ns),
            faults=tuple(Fault(to_ps(f.time_ns), f.pu, f.state) for f in options.faults),  # type: ignore[arg-type]
            seed=options.seed,
            trace=keep is not None,
            machine=machine.name,
            model=model,
        )
        begin = time.perf_counter()
        result = run(scenario, progress)
    except SimulatorError as fault:
        raise RequestError(str(fault), place="simulation") from fault
    seconds = time.perf_counter() - begin
    result = replace(result, events_per_s=result.events / seconds if seconds > 0 else None)
    if keep is not None:
        keep(result, domains(machine, trees[0].members))
    found: dict[str, Any] = result.to_json()
    found["root"] = trees[0].root
    found["ended"] = result.ended
    found["predicted"] = predicted
    found["assumed"] = msgspec.to_builtins(costs.assumed)
    return found


def domains(machine: Machine, members: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the members by NUMA node, PUs without a node together."""
    rows: dict[tuple[int, ...], list[int]] = {}
    for pu in members:
        rows.setdefault(machine.numa_of_pu[pu][:1], []).append(pu)
    return tuple(tuple(rows[node]) for node in sorted(rows))


def message_costs(costs: Costs, members: tuple[int, ...], transport: str = LINE) -> MessageCosts:
    """Return the simulator's cost table for some PUs."""
    from simulator import MessageCosts

    pairs = costs.message_pairs(members, transport)
    return MessageCosts(members, pairs.send, pairs.receive, pairs.propagation, pairs.gap)


def _route(
    machine: Machine,
    costs: Costs,
    options: Options,
    decide: Decide,
    decision: Mapping[str, Any] | None,
) -> tuple[Trees, MessageCosts, dict[str, Any] | None, str]:
    """Return the trees, the costs of their members, what the decision promised, and the model."""
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
    if options.trees is not None:
        raise RequestError(
            f"the {options.route} route is one tree both ways",
            place="simulation $.trees",
            mend='leave it out, or write route = "decided"',
        )
    members = _members(machine, options)
    table = message_costs(costs, members)
    root = members[0] if options.root is None else options.root
    tree = build_tree(options.route, table, members, root, domains(machine, members))
    return (tree, None), table, None, options.model or "logp"


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
