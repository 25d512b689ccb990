"""Judges of a decided tree that share nothing with its engines: checker, closed forms, simulator.

The classic trees beside it are those that the simulator builds, priced by the simulator's forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from skb.checkers.route import check
from skb.costs import Costs
from skb.decision import Decision
from skb.machine import Machine
from skb.simulation import domains, message_costs, simulate

if TYPE_CHECKING:
    from simulator import MessageCosts

# the protocol whose run on an idle machine takes as long as the operation, and where it says so
PROTOCOLS = {
    "broadcast": "atomic-broadcast",
    "broadcast-ack": "atomic-broadcast",
    "reduce": "reduction",
    "barrier": "barrier",
    "two-phase-commit": "two-phase-commit",
}
# classic trees from every root up to so many PUs, above from the decided root
EVERY_ROOT = 64
Plain = Mapping[str, Any]


def faults(machine: Machine, decision: Decision) -> list[str]:
    """Return what checker and simulator say against a decision; times must agree to the ps."""
    wrong = check(machine, decision)
    if wrong or "completion_ps" not in decision.answer:
        return wrong
    told = decision.to_json()
    exact = told["answer"]["completion_ps"]
    for judge, found in (("closed form", closed(machine, told)), ("simulator", run(machine, told))):
        if found != exact:
            wrong.append(f"it ends at {exact} ps, by the {judge} at {found} ps")
    return wrong


@lru_cache(maxsize=1)
def _costs(machine: Machine, members: tuple[int, ...]) -> MessageCosts:
    """Return the simulator's costs; of a thousand PUs they take seconds, and are used twice."""
    return message_costs(Costs(machine), members)


def closed(machine: Machine, told: Plain, costs: MessageCosts | None = None) -> int:
    """Return the completion in ps by the simulator's closed forms, by other costs where given."""
    from simulator import Tree

    answer = told["answer"]
    costs = costs or _costs(machine, tuple(sorted(map(int, answer["arrivals"]))))
    down, up = (
        Tree(answer["root"], {row["from"]: tuple(row["to"]) for row in sends})
        for sends in (answer["sends"], answer.get("reduction_sends", answer["sends"]))
    )
    return _form(answer["operation"])(down, costs, answer["model"], up)


def _form(operation: str) -> Callable[[Any, Any, str, Any], int]:
    from simulator import timing

    forms: dict[str, Callable[[Any, Any, str, Any], int]] = {
        "broadcast": lambda down, costs, model, _up: timing.broadcast(down, costs, model),
        "broadcast-ack": lambda down, costs, model, _up: timing.acknowledged(down, costs, model),
        "reduce": lambda _down, costs, model, up: timing.reduction(up, costs, model),
        "barrier": timing.barrier,
        "two-phase-commit": timing.two_phase_commit,
    }
    return forms[operation]


def run(machine: Machine, told: Plain) -> int:
    """Return the completion in ps of a simulated run over the decided tree."""
    operation = told["answer"]["operation"]
    result = simulate(machine, {"protocol": PROTOCOLS[operation]}, _nothing, decision=told)
    if operation == "broadcast":
        ends_ns: float = result["phases"]["broadcast"]["value"]
        return round(ends_ns * 1000)
    return int(result["latency"]["exact_ps"]["max"])


def _nothing(*_asked: object) -> None:
    """Take the place of the decider, which a decided route never calls."""


def classics(
    machine: Machine, told: Plain, names: tuple[str, ...] = (), root: int | None = None
) -> dict[str, int]:
    """Return the completion in ps of each classic tree (or those named) for what was decided.

    Without a root it is the least over all roots of a small machine, else that from the decided
    root. A tree that cannot be built over the members is left out.
    """
    from simulator import TREES, SimulatorError, build_tree

    answer = told["answer"]
    members = tuple(sorted(map(int, answer["arrivals"])))
    costs = _costs(machine, members)
    nodes = domains(machine, members)
    roots = members if len(members) <= EVERY_ROOT else (answer["root"],)
    form = _form(answer["operation"])
    found: dict[str, int] = {}
    for name in names or tuple(TREES):
        for start in roots if root is None else (root,):
            try:
                tree = build_tree(name, costs, members, start, nodes)
            except SimulatorError:
                continue
            took = form(tree, costs, answer["model"], tree)
            found[name] = min(took, found.get(name, took))
    return found
