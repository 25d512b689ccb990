"""Closed forms of the message model: when a broadcast, reduction or agreement ends.

Every formula is that of docs/message-model.md. Times are integer picoseconds on an idle
machine, counted from the begin of the operation. The engine must agree with them exactly.
"""

from simulator.costs import MessageCosts, require_model
from simulator.engine import Wires
from simulator.trees import Tree


def broadcast_arrivals(tree: Tree, costs: MessageCosts, model: str) -> dict[int, int]:
    """Return for each PU of the tree when it has finished receiving, the root at 0.

    The first send of a node costs `send`; each further one costs `gap` in the `logp` model and
    `send` in the `postal` model. Raises `UnknownNameError` for another model.
    """
    require_model(model)
    arrivals = {tree.root: 0}
    for sender in tree.top_down():
        sent = arrivals[sender]
        for position, receiver in enumerate(tree.children[sender]):
            if position == 0:
                sent += costs.send(sender, receiver)
            else:
                sent += costs.further_send(sender, receiver, model)
            arrivals[receiver] = (
                sent + costs.propagation(sender, receiver) + costs.receive(sender, receiver)
            )
    return arrivals


def broadcast(tree: Tree, costs: MessageCosts, model: str) -> int:
    """Return when the last PU has finished receiving."""
    return max(broadcast_arrivals(tree, costs, model).values())


def last_core(tree: Tree, costs: MessageCosts, model: str) -> int:
    """Return the leaf that finishes receiving last; of equals, the smallest PU.

    Only where messages are free can an inner PU be as late as its leaves.
    """
    arrivals = broadcast_arrivals(tree, costs, model)
    leaves = [pu for pu in tree.members if not tree.children[pu]]
    return min(leaves, key=lambda pu: (-arrivals[pu], pu))


def acknowledged(tree: Tree, costs: MessageCosts, model: str) -> int:
    """Return when the root has the report of the last core of a broadcast."""
    last = last_core(tree, costs, model)
    return broadcast(tree, costs, model) + _report(costs, last, tree.root)


def reduction(tree: Tree, costs: MessageCosts, model: str) -> int:
    """Return when the root has received from all its children, the leaves being done at 0.

    A node serves its children in order of arrival. Nobody sends in bursts, so the models agree.
    """
    require_model(model)
    done: dict[int, int] = {}
    for parent in reversed(tree.top_down()):
        messages = sorted(
            (done[child] + costs.send(child, parent) + costs.propagation(child, parent), child)
            for child in tree.children[parent]
        )
        served = 0
        for arrival, child in messages:
            served = max(served, arrival) + costs.receive(child, parent)
        done[parent] = served
    return done[tree.root]


def barrier(tree: Tree, costs: MessageCosts, model: str, up_tree: Tree | None = None) -> int:
    """Return when the last PU may leave: a reduction, maybe over a tree of its own, a broadcast."""
    return reduction(up_tree or tree, costs, model) + broadcast(tree, costs, model)


def two_phase_commit(
    tree: Tree, costs: MessageCosts, model: str, up_tree: Tree | None = None
) -> int:
    """Return request of the last core + broadcast + reduction + broadcast.

    The reduction may have a tree of its own, with the same root. Each phase waits for the end of
    the one before; a protocol whose phases overlap over one tree is never later than this.
    """
    request = _report(costs, last_core(tree, costs, model), tree.root)
    both_ways = reduction(up_tree or tree, costs, model) + broadcast(tree, costs, model)
    return request + broadcast(tree, costs, model) + both_ways


def round_of(wires: Wires) -> int:
    """Return picoseconds in which a member reaches all others and hears of them all, with ease."""
    count = len(wires.send)
    slowest = [max(map(max, table)) for table in (wires.send, wires.further_send, wires.receive)]
    flight = max(map(max, wires.propagation))
    return 2 * (count * (max(slowest[:2]) + slowest[2]) + flight) + 1


def _report(costs: MessageCosts, sender: int, root: int) -> int:
    """Picoseconds of one message to an idle root; nothing where the root is the sender."""
    return 0 if sender == root else costs.one_way(sender, root)
