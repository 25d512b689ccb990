"""A placement as plain values, for every engine: tasks, machine, seats, and what seats cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One task: `need` PUs (or cores, where `whole`), and what it may use.

    `first` limits the first PU, `allowed` all of them; `toll` is the price of a first PU; `nodes`
    are the memory nodes to choose from with `amounts` by resource, empty where the nearest usable
    node will do; `remembers` says that accesses to its node are priced; `current` and `moving`
    price a move.
    """

    need: int
    whole: bool
    exclusive: bool
    load: int
    allowed: frozenset[int]
    first: frozenset[int]
    toll: Callable[[int], int]
    nodes: tuple[int, ...] = ()
    remembers: bool = False
    amounts: Mapping[str, int] = field(default_factory=dict)
    cache: int = 0
    current: frozenset[int] | None = None
    moving: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """The machine and the request as plain values; prices are whole numbers of one scale.

    `full` is the load of one PU, `alike` numbers PUs that cannot be told apart by rules, prices and
    distances, `latency` gives picoseconds, `unit` is one message (or access) per second in the
    scale.
    """

    jobs: tuple[Job, ...]
    pus: tuple[int, ...]
    full: int
    core_of: Mapping[int, str]
    core_pus: Mapping[str, tuple[int, ...]]
    complete: frozenset[str]
    alike: Mapping[int, int]
    latency: Callable[[int, int], int]
    unit: int
    traffic: tuple[tuple[int, int, int], ...]
    memory: Callable[[int, int], int]
    nearest: Mapping[int, int | None]
    supply: Mapping[str, Mapping[int, int]]
    cache_of: Mapping[int, str]
    cache_size: Mapping[str, int]
    together: tuple[tuple[tuple[int, ...], Mapping[int, str]], ...] = ()
    apart: tuple[tuple[tuple[int, ...], Mapping[int, str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a task sits: its first PU, all its PUs (the first included, sorted), its memory
    node.
    """

    first: int
    pus: tuple[int, ...]
    node: int | None

    @property
    def listed(self) -> list[int]:
        """All PUs as answers list them: the first one, then the others."""
        return [self.first, *(pu for pu in self.pus if pu != self.first)]

    def placed(self) -> dict[str, Any]:
        """Return the seat as answers and requests write it."""
        return {"pus": self.listed, "numa_node": self.node}


Seats = tuple[Seat, ...]


def terms(board: Board, seats: Sequence[Seat]) -> dict[str, int]:
    """Return the price of a full placement by term, in the board's scale."""
    found = {"communication": 0, "near": 0, "memory": 0, "spread": 0, "migration": 0}
    for a, b, rate in board.traffic:
        found["communication"] += rate * board.latency(seats[a].first, seats[b].first)
    for job, seat in zip(board.jobs, seats, strict=True):
        found["near"] += job.toll(seat.first)
        if job.remembers and seat.node is not None:
            found["memory"] += board.unit * board.memory(seat.first, seat.node)
        found["spread"] += board.unit * sum(
            board.latency(seat.first, pu) for pu in seat.pus if pu != seat.first
        )
        if job.current is not None and job.current != frozenset(seat.pus):
            found["migration"] += job.moving
    return found
