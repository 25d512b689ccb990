"""Local search for placements: greedy insertion, then ruin and recreate, on concrete PUs.

It judges nothing: what a task may use comes in, worked out by the rules. Work is counted in
candidates, not in seconds, so a seed replays a run. Beyond the sizes that clingo proves it gives
the incumbent.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from skb.engines.placement_board import Board, Job, Seat, Seats, terms

# tuned on 16 to 64 tasks with random traffic: restarts matter more than patience
ATTEMPTS = 3
HEAT = 1.0  # of the mean price of a task: by how much a step may be worse at the start


class State:
    """A partial placement with what is left of the machine; tasks sit down and stand up again."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.seats: list[Seat | None] = [None] * len(board.jobs)
        self.spent = 0
        self._load: dict[int, int] = defaultdict(int)
        self._on_core: dict[str, int] = defaultdict(int)
        self._locked: set[str] = set()
        self._used: dict[tuple[str, int], int] = defaultdict(int)
        self._cached: dict[str, int] = defaultdict(int)
        self._peers: list[list[tuple[int, int, bool]]] = [[] for _ in board.jobs]
        for a, b, rate in board.traffic:
            self._peers[a].append((b, rate, True))
            self._peers[b].append((a, rate, False))
        self._together = _by_task(board.together)
        self._apart = _by_task(board.apart)

    def sit(self, task: int, seat: Seat) -> None:
        self._change(task, seat, 1)
        self.seats[task] = seat

    def stand(self, task: int) -> Seat:
        seat = self.seats[task]
        assert seat is not None, "only a seated task stands up"
        self._change(task, seat, -1)
        self.seats[task] = None
        return seat

    def _change(self, task: int, seat: Seat, sign: int) -> None:
        board, job = self.board, self.board.jobs[task]
        cores = {board.core_of[pu] for pu in seat.pus}
        for pu in seat.pus:
            self._load[pu] += sign * job.load
        for core in cores:
            self._on_core[core] += sign
            if job.exclusive:
                (self._locked.add if sign > 0 else self._locked.discard)(core)
        if seat.node is not None:
            for resource, amount in job.amounts.items():
                self._used[resource, seat.node] += sign * amount
        if job.cache:
            self._cached[board.cache_of.get(seat.first, "")] += sign * job.cache

    def free(self, task: int) -> list[int]:
        """Return the PUs that a task could use now, lowest first."""
        board, job = self.board, self.board.jobs[task]
        found = []
        for pu in sorted(job.allowed):
            core = board.core_of[pu]
            if core in self._locked or (job.exclusive and self._on_core[core]):
                continue
            if self._load[pu] + job.load <= board.full:
                found.append(pu)
        if job.whole:
            have = set(found)
            fits = {c for c in board.complete if have.issuperset(board.core_pus[c])}
            found = [pu for pu in found if board.core_of[pu] in fits]
        return self._grouped(task, found)

    def _grouped(self, task: int, pus: list[int]) -> list[int]:
        for members, object_of in self._together[task]:
            other = next((s for m in members if m != task and (s := self.seats[m])), None)
            if other is not None:
                pus = [pu for pu in pus if object_of[pu] == object_of[other.first]]
        for members, object_of in self._apart[task]:
            taken = {
                object_of[pu]
                for member in members
                if member != task and (seat := self.seats[member]) is not None
                for pu in seat.pus
            }
            pus = [pu for pu in pus if object_of[pu] not in taken]
        return pus

    def best(self, task: int, noise: Callable[[], float] | None = None) -> Seat | None:
        """Return the cheapest seat of a task as things stand, None where there is none."""
        found: tuple[float, int, Seat] | None = None
        for seat, price in self.candidates(task):
            weight = price * (1 + noise()) if noise else price
            if found is None or (weight, seat.first) < found[:2]:
                found = (weight, seat.first, seat)
        return None if found is None else found[2]

    def candidates(self, task: int) -> Iterable[tuple[Seat, int]]:
        """Yield a seat for each free PU that differs from those before it, with its price."""
        board, job = self.board, self.board.jobs[task]
        free = self.free(task)
        seen: set[tuple[int, str]] = set()
        for pu in free:
            core = board.core_of[pu]
            key = (board.alike[pu], core if self._on_core[core] else "")
            if pu not in job.first or key in seen:
                continue
            seen.add(key)
            self.spent += 1 + len(self._peers[task])
            pus = self._around(task, pu, free) if self._cache_fits(job, pu) else None
            if pus is None:
                continue
            node = self.node(task, pu)
            if node is None and job.nodes:
                continue
            seat = Seat(pu, pus, node)
            yield seat, self.price(task, seat)

    def _cache_fits(self, job: Job, pu: int) -> bool:
        cache = self.board.cache_of.get(pu, "")
        size = self.board.cache_size.get(cache) if job.cache else None
        return size is None or self._cached[cache] + job.cache <= size

    def _around(self, task: int, first: int, free: list[int]) -> tuple[int, ...] | None:
        """Return the nearest free PUs (or whole cores) around a first PU, None where too few."""
        board, job = self.board, self.board.jobs[task]
        if job.need == 1 and not job.whole:
            return (first,)
        for _members, object_of in self._together[task]:
            free = [pu for pu in free if object_of[pu] == object_of[first]]
        core = board.core_of[first]
        if job.whole:
            if job.need == 1:
                return board.core_pus[core]
            cores = {board.core_of[pu]: pu for pu in reversed(free)}
            order = sorted(
                cores, key=lambda c: (c != core, board.latency(first, cores[c]), cores[c])
            )
            chosen = order[: job.need]
            self.spent += len(order)
            if len(chosen) < job.need:
                return None
            return tuple(sorted(pu for c in chosen for pu in board.core_pus[c]))
        others = [pu for pu in free if pu != first]
        if len(others) < job.need - 1:
            return None
        self.spent += len(others)
        others.sort(key=lambda pu: (board.latency(first, pu), board.core_of[pu] != core, pu))
        return tuple(sorted([first, *others[: job.need - 1]]))

    def node(self, task: int, pu: int) -> int | None:
        """Return the nearest memory node with room for a task, None where there is none."""
        job = self.board.jobs[task]
        if not job.nodes:
            return self.board.nearest[pu]
        fits = [
            node
            for node in job.nodes
            if all(
                self._used[resource, node] + amount <= self.board.supply[resource].get(node, inf)
                for resource, amount in job.amounts.items()
            )
        ]
        return min(fits, key=lambda node: (self.board.memory(pu, node), node), default=None)

    def price(self, task: int, seat: Seat) -> int:
        """Return what a seat costs beside those that sit already."""
        board, job = self.board, self.board.jobs[task]
        total = job.toll(seat.first)
        for peer, rate, outwards in self._peers[task]:
            other = seat if peer == task else self.seats[peer]
            if other is not None:
                pair = (seat.first, other.first) if outwards else (other.first, seat.first)
                total += rate * board.latency(*pair)
        if job.remembers and seat.node is not None:
            total += board.unit * board.memory(seat.first, seat.node)
        if len(seat.pus) > 1:
            total += board.unit * sum(
                board.latency(seat.first, pu) for pu in seat.pus if pu != seat.first
            )
        if job.current is not None and job.current != frozenset(seat.pus):
            total += job.moving
        return total

    def neighbours(self, task: int) -> list[int]:
        return [peer for peer, _rate, _outwards in self._peers[task] if peer != task]


def _by_task(
    groups: Iterable[tuple[tuple[int, ...], Mapping[int, str]]],
) -> dict[int, list[tuple[tuple[int, ...], Mapping[int, str]]]]:
    found: dict[int, list[tuple[tuple[int, ...], Mapping[int, str]]]] = defaultdict(list)
    for members, object_of in groups:
        for member in members:
            found[member].append((members, object_of))
    return found


def search(
    board: Board,
    seed: int,
    work: int,
    start: Sequence[Seat] | None = None,
    deadline: float = inf,
    attempts: int = ATTEMPTS,
) -> tuple[Seats, int] | None:
    """Return the best placement of several attempts and its price; None where none fits.

    `work` bounds the candidates of all attempts, one of which improves `start`; see `descend`.
    """
    share = work // (ATTEMPTS + 1)
    found = [descend(board, seed, share, start, deadline)] if start is not None else []
    found += [descend(board, seed + n, share, None, deadline) for n in range(attempts)]
    return min((one for one in found if one is not None), key=lambda one: one[1], default=None)


def descend(
    board: Board, seed: int, work: int, start: Sequence[Seat] | None = None, deadline: float = inf
) -> tuple[Seats, int] | None:
    """Return the best placement of one attempt and its price, None where not even a first one fits.

    Ruin and recreate with random neighbourhoods and a falling tolerance, after Schrimpf et al.,
    "Record breaking optimization results using the ruin and recreate principle" (2000).
    """
    randomness = random.Random(seed)
    state = State(board)
    if start is not None:
        for task, seat in enumerate(start):
            state.sit(task, seat)
    elif not _construct(state, randomness, work // 2, deadline):
        return None
    best = tuple(seat for seat in state.seats if seat is not None)
    value = current = sum(terms(board, best).values())
    heat = current / max(1, len(board.jobs)) * HEAT
    while state.spent < work and time.monotonic() < deadline:
        before = state.seats.copy()
        removed = _ruin(state, randomness)
        if not _recreate(state, removed, randomness):
            _restore(state, before, removed)
            state.spent += 1
            continue
        seats = tuple(seat for seat in state.seats if seat is not None)
        price = sum(terms(board, seats).values())
        state.spent += len(board.jobs)
        cooling = heat * (1 - state.spent / work)
        if price <= current + cooling * randomness.random():
            current = price
            if price < value:
                best, value = seats, price
        else:
            _restore(state, before, removed)
    return best, value


def _construct(state: State, randomness: random.Random, work: int, deadline: float) -> bool:
    """Seat every task, the least free first; shuffle the order until it fits."""
    jobs = state.board.jobs
    weight = [0] * len(jobs)
    for a, b, rate in state.board.traffic:
        weight[a] += rate
        weight[b] += rate
    order = sorted(
        range(len(jobs)),
        key=lambda t: (len(jobs[t].allowed & jobs[t].first), -jobs[t].need, -weight[t], t),
    )
    while True:
        stuck = _seat_all(state, order, deadline)
        if stuck is None:
            return True
        for task, seat in enumerate(state.seats):
            if seat is not None:
                state.stand(task)
        state.spent += len(order)
        if state.spent > work or time.monotonic() >= deadline:
            return False
        # who did not fit goes first next time; a little disorder avoids circles
        order.remove(stuck)
        order.insert(0, stuck)
        i, j = randomness.randrange(len(order)), randomness.randrange(len(order))
        order[i], order[j] = order[j], order[i]


def _seat_all(state: State, order: Iterable[int], deadline: float) -> int | None:
    for task in order:
        seat = state.best(task) if time.monotonic() < deadline else None
        if seat is None:
            return task
        state.sit(task, seat)
    return None


def _ruin(state: State, randomness: random.Random) -> list[int]:
    count = len(state.seats)
    size = min(count, 2 + randomness.randrange(randomness.choice((2, 2, 4, 10))))
    first = randomness.randrange(count)
    chosen = {first: None}
    near = state.neighbours(first)
    randomness.shuffle(near)
    for task in near[: randomness.randrange(size)]:
        chosen[task] = None
    while len(chosen) < size:
        chosen[randomness.randrange(count)] = None
    for task in chosen:
        state.stand(task)
    return list(chosen)


def _recreate(state: State, removed: list[int], randomness: random.Random) -> bool:
    order = removed.copy()
    randomness.shuffle(order)
    blur = randomness.choice((0.0, 0.0, 0.1))
    for task in order:
        seat = state.best(task, (lambda: blur * randomness.random()) if blur else None)
        if seat is None:
            return False
        state.sit(task, seat)
    return True


def _restore(state: State, before: Sequence[Seat | None], removed: Sequence[int]) -> None:
    for task in removed:
        if state.seats[task] is not None:
            state.stand(task)
    for task in removed:
        seat = before[task]
        if seat is not None:
            state.sit(task, seat)
