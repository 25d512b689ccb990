"""The request of the route question: what may be asked, and what it means on one machine."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated, Literal

import msgspec

from skb.engines.asp import Atom
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Raw, read_request
from skb.questions.route_links import Link, Ways, check_links

LARGEST = 1024
"""Most members of one tree: pair costs grow with the square."""

Operation = Literal["broadcast", "broadcast-ack", "reduce", "barrier", "two-phase-commit"]
Model = Literal["postal", "logp"]
Pu = Annotated[int, msgspec.Meta(ge=0)]


class RouteRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A tree over `members` (all usable PUs where absent) from `root` (free where absent).

    `forbid` are ordered pairs that must not be used, `require` pairs that must be; nobody sends to
    more than `max_fan_out` others. `objective` is the end of the operation, how long it keeps the
    busiest PU busy, or the frontier of both. `trees` says whether barrier and two-phase commit use
    one tree both ways or one for each with a common root. `per` takes one PU of each core, NUMA
    node, … (the root, or else the first of its members). No message crosses `forbid_links` (parts
    at both ends), and no link is crossed by more than `max_link_load` messages of an operation in
    one direction; `next_hop` is the table of a links decision, without it ways are those of the
    tables in force, else shortest ones.
    `robust` chooses, of the trees that end nearly first, the one with the least 95 percent point
    under the recorded spread of each cost. `compare` lists the classic trees with their price.
    """

    root: Pu | None = None
    members: list[Pu] | None = None
    operation: Operation = "broadcast"
    objective: Literal["completion", "occupancy", "frontier"] = "completion"
    model: Model = "logp"
    trees: Literal["one", "per-phase"] = "one"
    compare: bool = True
    forbid: list[tuple[Pu, Pu]] = []
    require: list[tuple[Pu, Pu]] = []
    max_fan_out: Annotated[int, msgspec.Meta(ge=1)] | None = None
    per: Literal["core", "l2", "l3", "die", "numa", "package"] | None = None
    transport: Literal["cache_line", "ipi", "pcie", "network"] = "cache_line"
    forbid_links: list[tuple[str, str]] = []
    max_link_load: Annotated[int, msgspec.Meta(ge=0)] | None = None
    next_hop: dict[str, dict[str, str]] | None = None
    robust: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that was found to make sense on a machine; `members` ascending, with the root."""

    request: RouteRequest
    members: tuple[int, ...]
    atoms: tuple[Atom, ...]
    warnings: tuple[str, ...]
    ways: Ways

    @property
    def all_atoms(self) -> tuple[Atom, ...]:
        """The request with all crossings of links where it limits the load of links.

        They are many, and nothing but the question whether there is a tree at all needs them.
        """
        if self.request.max_link_load is None:
            return self.atoms
        rest = tuple(atom for atom in self.atoms if atom[0] != "crosses")
        return (*rest, *_crossings(self.ways))


def read(machine: Machine, raw: Raw) -> Wanted:
    """Read a request; raise `RequestError` that names the place and the mend."""
    request = read_request(raw, RouteRequest, "route")
    if request.trees == "per-phase" and request.objective != "completion":
        raise RequestError(
            f"the {request.objective} is decided over one tree",
            place="route request $.trees",
            mend='write trees = "one", or objective = "completion"',
        )
    if request.max_link_load is not None and (
        request.objective != "completion" or request.trees != "one"
    ):
        raise RequestError(
            "max_link_load is kept for the completion over one tree",
            place="route request $.max_link_load",
            mend='leave it out, or write objective = "completion" and trees = "one"',
        )
    if request.robust and (request.objective != "completion" or request.trees != "one"):
        raise RequestError(
            "robust is decided for the completion over one tree",
            place="route request $.robust",
            mend='leave it out, or write objective = "completion" and trees = "one"',
        )
    members, warnings = _members(machine, request)
    pairs = _pairs(machine, request, members)
    atoms: list[Atom] = [("member", (pu,)) for pu in members]
    atoms += [("forbid", pair) for pair in pairs[0]] + [("require", pair) for pair in pairs[1]]
    if request.root is not None:
        atoms.append(("root", (request.root,)))
    if request.max_fan_out is not None:
        atoms.append(("max_fan_out", (request.max_fan_out,)))
    ways = Ways(machine, members, request.operation, request.next_hop)
    atoms += _link_atoms(machine, request, ways)
    return Wanted(request, members, tuple(atoms), warnings, ways)


def _link_atoms(machine: Machine, request: RouteRequest, ways: Ways) -> list[Atom]:
    """Return the conditions on links, and which pairs cross a forbidden one."""
    check_links(machine, request.forbid_links, "$.forbid_links")
    shut = dict.fromkeys(request.forbid_links)
    atoms: list[Atom] = [("forbid_link", pair) for pair in shut]
    if request.max_link_load is not None:
        atoms.append(("max_link_load", (request.max_link_load,)))
    return atoms + _crossings(ways, {*shut, *((b, a) for a, b in shut)}) if shut else atoms


def _crossings(ways: Ways, links: Set[Link] | None = None) -> list[Atom]:
    """Return how often the messages of each pair of members cross these links, or any."""
    atoms: list[Atom] = []
    for u, v in permutations(range(len(ways.members)), 2):
        pair = (ways.members[u], ways.members[v])
        for link, often in ways.crossed(u, v).items():
            if links is None or link in links:
                atoms.append(("crosses", (*pair, *link, often)))
    return atoms


def _members(machine: Machine, request: RouteRequest) -> tuple[tuple[int, ...], tuple[str, ...]]:
    usable, root = machine.usable_pus, request.root
    warnings: tuple[str, ...] = ()
    if root is not None:
        _require_pu(machine, root, "$.root")
    if request.members is None:
        members = set(usable)
    else:
        for at, pu in enumerate(request.members):
            _require_pu(machine, pu, f"$.members[{at}]")
            if pu in request.members[:at]:
                raise RequestError(
                    f"pu:{pu} is listed twice",
                    place=f"route request $.members[{at}]",
                    mend="name each member once",
                )
        members = set(request.members)
    if root is not None and root not in members:
        members.add(root)
        warnings = (f"the root pu:{root} was added to the members",)
    if request.per is not None:
        members = _one_of_each(machine, request.per, members, root)
    if not members:
        raise RequestError(
            "there are no members" if request.members == [] else "no PU is usable",
            place="route request $.members",
            mend="name at least one PU",
        )
    if len(members) > LARGEST:
        raise RequestError(
            f"{len(members)} members are more than {LARGEST}",
            place="route request $.members",
            mend=f"name at most {LARGEST}, for example one PU of each core or node",
        )
    return tuple(sorted(members)), warnings


def _one_of_each(machine: Machine, level: str, members: set[int], root: int | None) -> set[int]:
    """Return the first member of each part of a level, the root for its own part."""
    chosen: dict[str, int] = {}
    for pu in sorted(members, key=lambda pu: (pu != root, pu)):
        if level == "numa":
            part = next((f"numa:{node}" for node in machine.numa_of_pu[pu]), "")
        else:
            chain = (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"))
            part = next((at for at in chain if level in machine.levels(at)), "")
        if not part:
            raise RequestError(
                f"pu:{pu} is in no {level}",
                place="route request $.per",
                mend="choose another level, or name the members",
            )
        chosen.setdefault(part, pu)
    return set(chosen.values())


def _require_pu(machine: Machine, pu: int, path: str) -> None:
    if pu not in machine.pus:
        raise RequestError(
            f"{machine.name} has no pu:{pu}",
            place=f"route request {path}",
            mend=f"its PUs are {machine.pus[0]} to {machine.pus[-1]}" if machine.pus else "",
        )
    if reason := machine.unusable(f"pu:{pu}"):
        raise RequestError(
            f"pu:{pu} cannot take part: {reason}",
            place=f"route request {path}",
            mend="leave it out, or switch it on",
        )


def _pairs(
    machine: Machine, request: RouteRequest, members: Sequence[int]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Check the ordered pairs; return those forbidden between members, and those required."""
    known = set(members)
    for name, pairs in (("forbid", request.forbid), ("require", request.require)):
        for at, (sender, receiver) in enumerate(pairs):
            place = f"$.{name}[{at}]"
            for pu in (sender, receiver):
                if name == "require" or pu not in machine.pus:
                    _require_pu(machine, pu, place)
            if sender == receiver:
                raise RequestError(
                    f"pu:{sender} does not send to itself",
                    place=f"route request {place}",
                    mend="name two different PUs, the sender first",
                )
            if name == "require" and not {sender, receiver} <= known:
                lost = sender if sender not in known else receiver
                raise RequestError(
                    f"pu:{lost} is not a member",
                    place=f"route request {place}",
                    mend="add it to the members",
                )
    forbidden = [pair for pair in dict.fromkeys(request.forbid) if set(pair) <= known]
    return forbidden, list(dict.fromkeys(request.require))
