"""Broadcast trees: who forwards to whom, in which order, and the classic ways to build one.

The classic shapes follow the table of S. Kaestle et al., "Machine-aware atomic broadcast trees for
multicores" (Smelt), OSDI 2016. There the lowest PU is the root; here any member may be: the order
of the PUs is turned until the root stands first.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulator.costs import MessageCosts
from simulator.errors import TreeError, UnknownNameError

Domains = tuple[tuple[int, ...], ...]
"""The PUs of each NUMA node."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A broadcast tree: the root PU and, for each PU, its children in the order it sends to them.

    A PU without children may be left out of `children`. Raises `TreeError` unless every PU is
    reached from the root exactly once.
    """

    root: int
    children: Mapping[int, tuple[int, ...]]

    def __post_init__(self) -> None:
        """Check the shape and give every member, leaves too, its row in `children`."""
        rows: dict[int, tuple[int, ...]] = {self.root: ()}
        queue = deque([self.root])
        while queue:
            sender = queue.popleft()
            rows[sender] = tuple(self.children.get(sender, ()))
            for receiver in rows[sender]:
                if receiver in rows:
                    raise TreeError(f"the tree reaches PU {receiver} twice, again from {sender}")
                rows[receiver] = ()
                queue.append(receiver)
        lost = sorted(pu for pu in self.children if pu not in rows)
        if lost:
            raise TreeError(f"the tree sends from PUs that root {self.root} never reaches: {lost}")
        object.__setattr__(self, "children", rows)

    @property
    def members(self) -> tuple[int, ...]:
        """The PUs that the tree spans, ascending."""
        return tuple(sorted(self.children))

    def top_down(self) -> tuple[int, ...]:
        """Return the PUs so that each stands behind its parent."""
        return tuple(self.children)

    def parents(self) -> dict[int, int]:
        """Return the parent of each PU except the root."""
        return {child: pu for pu, children in self.children.items() for child in children}

    def require_members(self, members: Iterable[int]) -> None:
        """Raise `TreeError` unless the tree spans exactly these PUs."""
        wanted = set(members)
        missing, extra = sorted(wanted - set(self.members)), sorted(set(self.members) - wanted)
        if missing:
            raise TreeError(f"the tree does not reach PUs {missing}")
        if extra:
            raise TreeError(f"the tree reaches PUs that are not members: {extra}")


def build_tree(
    name: str, costs: MessageCosts, members: Iterable[int], root: int, domains: Domains
) -> Tree:
    """Build the classic tree of a name over the members from a given root.

    `domains` holds the PUs of each NUMA node and may hold more PUs than the members. Raises
    `UnknownNameError` for another name, `TreeError` where root, members, costs and domains do not
    fit together.
    """
    builder = TREES.get(name)
    if builder is None:
        raise UnknownNameError("broadcast tree", name, TREES)
    pus = sorted(members)
    if len(set(pus)) != len(pus):
        raise TreeError(f"a member is named twice: {pus}")
    if root not in pus:
        raise TreeError(f"root PU {root} is not among the members {pus}")
    unknown = sorted(set(pus) - set(costs.members))
    if unknown:
        raise TreeError(f"there are no message costs for PUs {unknown}")
    tree = builder(costs, tuple(pus), root, domains)
    tree.require_members(pus)
    return tree


def sequential(costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains) -> Tree:
    """Let the root send to everybody, ascending from itself and round."""
    return Tree(root, {root: _turned(members, root)[1:]})


def binary(costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains) -> Tree:
    """Lay a heap over the members: position i sends to positions 2i + 1 and 2i + 2."""
    return Tree(root, _heap(_turned(members, root)))


def fibonacci(costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains) -> Tree:
    """Lay the smallest large enough Fibonacci tree over the members, level by level.

    A Fibonacci tree of order k has the trees of order k - 1 and k - 2 below its root; the order-1
    tree is one node (Dictionary of Algorithms and Data Structures, NIST). Surplus nodes of the
    lowest levels stay away.
    """
    order, size, smaller = 1, 1, 0
    while size < len(members):
        order, size, smaller = order + 1, size + smaller + 1, size
    waiting = deque(_turned(members, root)[1:])
    children: dict[int, tuple[int, ...]] = {}
    open_nodes = deque([(root, order)])
    while open_nodes:
        sender, order = open_nodes.popleft()
        for below in (order - 1, order - 2):
            if below >= 1 and waiting:
                receiver = waiting.popleft()
                children[sender] = (*children.get(sender, ()), receiver)
                open_nodes.append((receiver, below))
    return Tree(root, children)


def minimum_spanning(
    costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains
) -> Tree:
    """Grow a tree from the root, nearest PU first (Prim), at most two children per PU.

    The weight of an edge is its one-way time; of equals, the smaller PUs win. Children are sent to
    in the order in which they were taken in.
    """
    children: dict[int, tuple[int, ...]] = {root: ()}
    outside = [pu for pu in members if pu != root]
    while outside:
        _, sender, receiver = min(
            (costs.one_way(sender, receiver), sender, receiver)
            for sender, below in children.items()
            if len(below) < 2
            for receiver in outside
        )
        children[sender] = (*children[sender], receiver)
        children[receiver] = ()
        outside.remove(receiver)
    return Tree(root, children)


def cluster(costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains) -> Tree:
    """Lay a heap over one leader per NUMA node; each leader then sends to its own node.

    The leaders are the lowest PU of each node, in the root's node the root. Leaders of other nodes
    are served before the own node.
    """
    groups = _groups(members, root, domains)
    leaders = (root, *(group[0] for group in groups[1:]))
    children = dict(_heap(leaders))
    for leader, group in zip(leaders, groups, strict=True):
        local = tuple(pu for pu in group if pu != leader)
        children[leader] = children.get(leader, ()) + local
    return Tree(root, children)


def numa_aware(costs: MessageCosts, members: tuple[int, ...], root: int, domains: Domains) -> Tree:
    """Let the root send to one leader per remote NUMA node, farthest first, then to its own node.

    The multicast of A. Baumann et al., "The Multikernel", SOSP 2009, section 5.1. A leader is the
    PU through which its node is complete earliest; stars and leaders are served by what is left
    to do behind the send (propagation + receive + star below), longest first.
    """
    own, *remote = _groups(members, root, domains)
    children: dict[int, tuple[int, ...]] = {}
    behind: dict[int, int] = {}
    for group in remote:
        leader = min(group, key=lambda pu: _behind(costs, root, pu, group) + costs.send(root, pu))
        children[leader] = _star(costs, leader, group)
        behind[leader] = _behind(costs, root, leader, group)
    leaders = sorted(behind, key=lambda pu: (-behind[pu], pu))
    children[root] = (*leaders, *_star(costs, root, own))
    return Tree(root, children)


Builder = Callable[[MessageCosts, tuple[int, ...], int, Domains], Tree]

TREES: Mapping[str, Builder] = {
    "sequential": sequential,
    "binary": binary,
    "fibonacci": fibonacci,
    "mst": minimum_spanning,
    "cluster": cluster,
    "numa-aware": numa_aware,
}


def _turned(members: Sequence[int], root: int) -> tuple[int, ...]:
    """Turn an ascending order until the root stands first."""
    at = members.index(root)
    return (*members[at:], *members[:at])


def _heap(order: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Return the children of each place of a binary heap."""
    return {pu: tuple(order[2 * i + 1 : 2 * i + 3]) for i, pu in enumerate(order)}


def _groups(members: tuple[int, ...], root: int, domains: Domains) -> tuple[tuple[int, ...], ...]:
    """Split the members by NUMA node, each ascending, turned until the root's node stands first."""
    wanted = set(members)
    groups = sorted(
        tuple(sorted(wanted & set(domain))) for domain in domains if wanted & set(domain)
    )
    covered = sorted(pu for group in groups for pu in group)
    if covered != list(members):
        raise TreeError(
            f"the NUMA nodes hold {covered} of the members {list(members)}: "
            "each member must be in exactly one"
        )
    at = next(i for i, group in enumerate(groups) if root in group)
    return (*groups[at:], *groups[:at])


def _star(costs: MessageCosts, centre: int, group: Iterable[int]) -> tuple[int, ...]:
    """Order the others of a group by what follows the send, longest first."""
    others = (pu for pu in group if pu != centre)
    return tuple(
        sorted(
            others, key=lambda pu: (-costs.propagation(centre, pu) - costs.receive(centre, pu), pu)
        )
    )


def _behind(costs: MessageCosts, root: int, leader: int, group: tuple[int, ...]) -> int:
    """Picoseconds from the end of the root's send until the last of the leader's node has it."""
    sent, last = 0, 0
    for pu in _star(costs, leader, group):
        sent += costs.send(leader, pu)
        last = max(last, sent + costs.propagation(leader, pu) + costs.receive(leader, pu))
    return costs.propagation(root, leader) + costs.receive(root, leader) + last
