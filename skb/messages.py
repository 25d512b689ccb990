"""What messages cost between the members of a group, laid out pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skb.machine import ROOT, Machine

LINE = "cache_line"
ROLES = ("send", "receive", "propagation", "gap")

Rows = tuple[tuple[int, ...], ...]


class PairTable(Mapping[tuple[int, int], int]):
    """One number for each ordered pair of members, kept once for each kind of pair.

    `kinds` is the kind of each pair by the members' places (kind 0 pairs nobody with others: the
    diagonal), `values_of` the number of each kind.
    """

    __slots__ = ("_place", "kinds", "members", "values_of")

    def __init__(self, members: Sequence[int], kinds: Any, values_of: Sequence[int]) -> None:
        self.members, self.kinds, self.values_of = tuple(members), kinds, tuple(values_of)
        self._place = {pu: at for at, pu in enumerate(self.members)}

    def __getitem__(self, pair: tuple[int, int]) -> int:
        kind = int(self.kinds[self._place[pair[0]], self._place[pair[1]]])
        if not kind:
            raise KeyError(pair)
        return self.values_of[kind]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((u, v) for u in self.members for v in self.members if u != v)

    def __len__(self) -> int:
        return len(self.members) * (len(self.members) - 1)

    def rows(self) -> Rows:
        """Return the numbers by the members' places, 0 on the diagonal."""
        return laid_out(self.kinds, self.values_of)

    def plus(self, other: PairTable) -> PairTable:
        """Return the sums of two tables of one group."""
        both = zip(self.values_of, other.values_of, strict=True)
        return PairTable(self.members, self.kinds, [one + two for one, two in both])


def laid_out(kinds: Any, values: Sequence[int]) -> Rows:
    """Return the value of each kind, row by row; equal values share one number."""
    import numpy as np

    known = np.empty(len(values), dtype=object)
    known[:] = values
    return tuple(map(tuple, known[kinds].tolist()))


@dataclass(frozen=True, slots=True)
class MessagePairs:
    """Message costs by ordered pair of PUs, in picoseconds.

    `gap` is the time that a further send in a burst adds.
    """

    members: tuple[int, ...]
    send: PairTable
    receive: PairTable
    propagation: PairTable
    gap: PairTable


def priced(
    machine: Machine,
    members: Sequence[int],
    transport: str,
    message: Callable[[int, int], Mapping[str, int]],
) -> MessagePairs:
    """Return the costs of all ordered pairs, each kind of pairs looked up once."""
    members = tuple(members)
    kinds = pair_kinds(machine, members, transport)
    first = _first_of_each(kinds)
    found: dict[int, Mapping[str, int]] = {}
    for kind in sorted(range(1, len(first)), key=lambda at: first[at]):
        u, v = divmod(first[kind], len(members))
        found[kind] = message(members[u], members[v])
    tables = {
        role: PairTable(members, kinds, [0, *(found[at][role] for at in range(1, len(first)))])
        for role in ROLES
    }
    return MessagePairs(
        members, tables["send"], tables["receive"], tables["propagation"], tables["gap"]
    )


def pair_kinds(machine: Machine, members: Sequence[int], transport: str) -> Any:
    """Return the kind of each ordered pair: pairs of one kind cannot differ in what they cost.

    What may differ is what the part around both is, their packages, their nearest nodes, and what
    is stated of the pair itself. Kinds count from 1; 0 stands on the diagonal.
    """
    import numpy as np

    size = len(members)
    place = {pu: at for at, pu in enumerate(members)}
    around, levels = _around(machine, members)
    apart, most = _apart(machine, members)
    kinds = _counted(around * most + apart, levels * most)
    for name, told in (("latency", ()), *(("message_cost", (transport, role)) for role in ROLES)):
        stated: dict[object, int] = {}
        table = np.zeros((size, size), dtype=np.int64)
        for fact in machine.facts_of(name):
            if fact.args[2:-1] != told:
                continue
            u, v = (_index(at, place) for at in fact.args[:2])
            if u is not None and v is not None:
                table[u, v] = stated.setdefault(fact.args[-1], len(stated) + 1)
        if stated:
            both = kinds * (len(stated) + 1) + table
            kinds = np.unique(both, return_inverse=True)[1].reshape(size, size)
    np.fill_diagonal(kinds, -1)
    return _counted(kinds + 1, int(kinds.max(initial=0)) + 2)


def _index(name: object, place: Mapping[int, int]) -> int | None:
    kind, _, number = str(name).partition(":")
    return place.get(int(number)) if kind == "pu" else None


def _around(machine: Machine, members: Sequence[int]) -> tuple[Any, int]:
    """Return what the smallest part around each pair is, and how many such kinds there are."""
    import numpy as np

    inside: dict[str, list[int]] = {}
    depth: dict[str, int] = {}
    for at, pu in enumerate(members):
        chain = machine.ancestors(f"pu:{pu}")
        for above, name in enumerate(chain):
            inside.setdefault(name, []).append(at)
            depth[name] = len(chain) - above
    kinds: dict[object, int] = {(machine.levels(ROOT), True): 0}
    found = np.zeros((len(members), len(members)), dtype=np.int64)
    for name in sorted(inside, key=lambda part: depth[part]):
        kind = kinds.setdefault((machine.levels(name), name == ROOT), len(kinds))
        found[np.ix_(inside[name], inside[name])] = kind
    return found, len(kinds)


def _apart(machine: Machine, members: Sequence[int]) -> tuple[Any, int]:
    """Return what kind of pair the packages and nearest nodes of each pair are, and a limit.

    Each pair of them is one of its own, except that where nothing is known of ways between packages
    and of distances between nodes all that differ are alike.
    """
    import numpy as np

    packages: dict[object, int] = {}
    nodes: dict[object, int] = {(): 0}
    package, node = np.array(
        [
            (
                packages.setdefault(machine.package_of[pu], len(packages)),
                nodes.setdefault(machine.numa_of_pu[pu][:1], len(nodes)),
            )
            for pu in members
        ],
        dtype=np.int64,
    ).T
    if machine.links or machine.facts_of("numa_distance"):
        home = package * len(nodes) + node
        most = len(packages) * len(nodes)
        return home[:, None] * most + home[None, :], most * most
    same = (package[:, None] == package) * 2 + (node[:, None] == node)
    known = (node[:, None] > 0) * 2 + (node[None, :] > 0)
    return same * 4 + known, 16


def _first_of_each(kinds: Any) -> list[int]:
    """Return where each kind stands first, row by row, -1 for kinds that do not occur."""
    import numpy as np

    flat = kinds.ravel()
    first = np.full(int(flat.max(initial=0)) + 1, -1, dtype=np.int64)
    # of several assignments to one place the last one holds
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    return list(first.tolist())


def _counted(kinds: Any, most: int) -> Any:
    """Return kinds numbered without gaps, 0 staying what it is."""
    import numpy as np

    used = np.zeros(most, dtype=bool)
    used[0] = True
    used[kinds.ravel()] = True
    return (np.cumsum(used) - 1)[kinds]
