"""The engines of `skb bench placement` by name: the product, the named policies, and peers with the
command that installs them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from skb.benching import cpsat, kahypar, scotch, swaps
from skb.benching.sites import Plain, Sites
from skb.decision import Decision, Limits
from skb.errors import LimitError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import board_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_policies import Policies
from skb.questions.placement_request import Request, check, expand, resolved
from skb.questions.question import read_request

Solver = Callable[[Sites, float, int], tuple[list[int], str] | str]
OURS = "skb"
POLICIES = "policies"


@dataclass(frozen=True, slots=True)
class Peer:
    """A mapper that others wrote: how to ask it, whether it is here, how to get it."""

    name: str
    solve: Solver
    present: Callable[[], bool]
    install: str
    title: str


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "scotch",
            scotch.mapped,
            lambda: scotch.program() is not None,
            "apt-get install scotch",
            "Scotch, static mapping (gmap)",
        ),
        Peer(
            "mtkahypar",
            kahypar.mapped,
            kahypar.installed,
            "pip install mtkahypar",
            "Mt-KaHyPar, mapping onto a target graph, 2 threads",
        ),
        Peer(
            "cpsat",
            cpsat.solved,
            cpsat.installed,
            "pip install ortools",
            "OR-Tools CP-SAT, 2 workers",
        ),
        Peer("2-swap", swaps.swapped, lambda: True, "", "swaps from many random starts, NumPy"),
    )
}
ENGINES = (OURS, *PEERS, POLICIES)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says: tasks as in a decision, or why there are none; `decision` is ours.

    `seconds` are those of the clock, `cpu_s` those of all its threads and processes.
    """

    tasks: dict[str, Any] | None
    seconds: float
    note: str = ""
    decision: Decision | None = None
    cpu_s: float = 0.0


def asked(engine: str, machine: Machine, request: Plain, seconds: float, seed: int) -> Answer:
    """Return what one engine answers within about so many seconds."""
    before = os.times()
    found = _answer(engine, machine, request, seconds, seed)
    # user and system time, of this process and of the children that it has waited for
    return replace(found, cpu_s=sum(os.times()[:4]) - sum(before[:4]))


def _answer(engine: str, machine: Machine, request: Plain, seconds: float, seed: int) -> Answer:
    if engine == OURS:
        return _ours(machine, request, seconds, seed)
    if engine == POLICIES:
        return _cheapest_policy(machine, request)
    sites = sites_or_reason(machine, request)
    if isinstance(sites, str):
        return Answer(None, 0.0, sites)
    begin = time.perf_counter()
    try:
        found = PEERS[engine].solve(sites, seconds, seed)
    except (OSError, ValueError) as fault:
        found = str(fault)
    spent = time.perf_counter() - begin
    if isinstance(found, str):
        return Answer(None, spent, found)
    return Answer(sites.answer(found[0]), spent, found[1])


_known: list[tuple[Machine, Plain, Sites | str]] = []


def sites_or_reason(machine: Machine, request: Plain) -> Sites | str:
    """Return the request for peers; the last one is kept, since all peers are asked in turn."""
    from skb.benching.sites import sites_of

    if not _known or _known[0][0] is not machine or _known[0][1] is not request:
        found = sites_of(machine, request)
        _known[:] = [(machine, request, f"not told to peers: {found}")] if isinstance(
            found, str) else [(machine, request, found)]  # fmt: skip
    return _known[0][2]


def _ours(machine: Machine, request: Plain, seconds: float, seed: int) -> Answer:
    begin = time.perf_counter()
    try:
        found = decide(machine, dict(request), Limits(seconds=seconds, seed=seed))
    except LimitError as fault:
        return Answer(None, time.perf_counter() - begin, str(fault))
    return Answer(found.answer.get("tasks"), time.perf_counter() - begin, decision=found)


def _cheapest_policy(machine: Machine, raw: Plain) -> Answer:
    begin = time.perf_counter()
    request = resolved(machine, read_request(dict(raw), Request, "placement"))
    tasks = expand(machine, request)
    check(machine, request, tasks)
    instance = Instance(machine, request, tasks)
    outcomes = Policies(instance, board_of(instance)).outcomes
    fit = [(one.price, one.name, one.seats) for one in outcomes if one.seats is not None]
    spent = time.perf_counter() - begin
    if not fit:
        return Answer(None, spent, "every named policy breaks a rule of the request")
    _price, name, seats = min(fit, key=lambda one: one[0])
    answer = {w.name: seat.placed() for w, seat in zip(instance.tasks, seats, strict=True)}
    return Answer(answer, spent, name)
