"""What one task alone would gain or lose elsewhere: the binding reasons and the alternatives of a
placement.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from skb.decision import Reason
from skb.engines.placement_board import Board, Seats
from skb.engines.placement_search import State
from skb.questions.placement_instance import Instance

# above this many tasks the what-ifs behind reasons and alternatives are left out
MOST_REASONED = 128
# above this many they may not cost more work than that, in candidates and seats: about 0.3 s
FEW, MOST_WORK = 64, 150_000


def what_ifs(
    instance: Instance, board: Board, seats: Seats, deadline: float
) -> tuple[tuple[Reason, ...], list[dict[str, Any]], tuple[str, ...]]:
    """Return binding reasons, alternatives, and a warning where some are left out."""
    if len(seats) > MOST_REASONED:
        both = "binding reasons and the tasks' alternatives are"
        return (), [], (f"{both} left out: more than {MOST_REASONED} tasks",)
    reasons: tuple[Reason, ...] = ()
    others: list[dict[str, Any]] | None = None
    try:
        what_if = _WhatIf(instance, board, seats, deadline)
        others = what_if.alternatives()
        reasons = what_if.reasons()
    except TimeoutError:
        also = " and the tasks' alternatives" if others is None else ""
        text = f"binding reasons{also} are left out: the limit of work or time came first"
        return (), others or [], (text,)
    return reasons, others, ()


class _WhatIf:
    """What one task alone would gain or lose elsewhere, all others staying where they are."""

    def __init__(self, instance: Instance, board: Board, seats: Seats, deadline: float) -> None:
        self.deadline = deadline
        self.work = 0
        self.instance = instance
        self.board = board
        self.seats = seats
        self.state = State(board)
        for task, seat in enumerate(seats):
            self.state.sit(task, seat)
        self.now = [self.state.price(task, seat) for task, seat in enumerate(seats)]

    def reasons(self) -> tuple[Reason, ...]:
        """Return the rules and the capacity that keep some task from a cheaper place."""
        found: list[Reason] = []
        for task in range(len(self.seats)):
            self._in_time()
            found += self._binding_rules(task)
            found += self._single_choice(task)
            found += self._full(task)
        found += self._groups()
        seen: dict[tuple[str, str], Reason] = {}
        for reason in found:
            seen.setdefault((reason.id, reason.text), reason)
        return tuple(seen.values())

    def alternatives(self) -> list[dict[str, Any]]:
        """Return for each task its best other first PU and what it costs more."""
        found: list[dict[str, Any]] = []
        for task, wanted in enumerate(self.instance.tasks):
            self._in_time()
            mine = self.state.stand(task)
            others = [
                (price, seat.first, seat)
                for seat, price in self.state.candidates(task)
                if not set(seat.pus) & set(mine.pus) and price >= self.now[task]
            ]
            self.state.sit(task, mine)
            if others:
                price, _first, seat = min(others, key=lambda other: other[:2])
                found.append(
                    {
                        "task": wanted.name,
                        **seat.placed(),
                        "costs_more": self.instance.ns(price - self.now[task]),
                        "unit": "ns/s",
                    }
                )
        return found

    def _saving(self, task: int, state: State) -> int:
        best = min((price for _seat, price in state.candidates(task)), default=None)
        self.work += state.spent
        return 0 if best is None else self.now[task] - best

    def _in_time(self) -> None:
        spent = self.work + self.state.spent
        if time.monotonic() >= self.deadline or (len(self.seats) > FEW and spent > MOST_WORK):
            raise TimeoutError

    def _without(self, task: int, board: Board) -> State:
        self._in_time()
        self.work += len(self.seats)
        state = State(board)
        for other, seat in enumerate(self.seats):
            if other != task:
                state.sit(other, seat)
        return state

    def _binding_rules(self, task: int) -> Iterable[Reason]:
        mine = [n for n in self.instance.narrowings if n.task == task]
        for rule in mine:
            free = frozenset(self.instance.pus).intersection(
                *(n.pus for n in mine if n is not rule and n.kind != "start")
            )
            first = free.intersection(*(n.pus for n in mine if n is not rule and n.kind == "start"))
            job = replace(self.board.jobs[task], allowed=free, first=first)
            jobs = tuple(job if t == task else other for t, other in enumerate(self.board.jobs))
            saving = self._saving(task, self._without(task, replace(self.board, jobs=jobs)))
            if saving > 0:
                words = self.instance.rules[rule.id]
                text = f"{words.text}; without it {self.instance.ns(saving):g} ns/s less"
                yield Reason(rule.id, text, words.items)

    def _single_choice(self, task: int) -> Iterable[Reason]:
        job, name = self.board.jobs[task], self.instance.tasks[task].name
        mine = [n for n in self.instance.narrowings if n.task == task]
        pus = frozenset(self.seats[task].pus)
        if mine and job.allowed == pus:
            rule = self.instance.rules[mine[0].id]
            yield Reason(rule.id, f"{rule.text}; that leaves task {name} no choice", rule.items)

    def _full(self, task: int) -> Iterable[Reason]:
        state = State(self.board)
        state.seats = list(self.seats)
        state.seats[task] = None
        best = min(state.candidates(task), key=lambda c: (c[1], c[0].first), default=None)
        if best is None or best[1] >= self.now[task]:
            return
        name = self.instance.tasks[task].name
        pus = set(best[0].pus)
        cores = {self.board.core_of[pu] for pu in pus}
        there = [
            other
            for other, seat in enumerate(self.seats)
            if other != task and cores & {self.board.core_of[pu] for pu in seat.pus}
        ]
        others = [self.instance.tasks[other].name for other in there]
        saving = self.instance.ns(self.now[task] - best[1])
        where = f"pu:{best[0].first}"
        taken = f"there run {', '.join(others)}" if others else f"numa:{best[0].node} is full"
        items = (f"task:{name}", where, *(f"task:{other}" for other in others))
        text = f"task {name} would cost {saving:g} ns/s less from {where} on, but {taken}"
        yield Reason(f"capacity({name})", text, items)

    def _groups(self) -> Iterable[Reason]:
        for group in self.instance.groups:
            table = self.instance.objects(group.level)
            entry = (group.tasks, table)
            kept = {
                kind: tuple(row for row in getattr(self.board, kind) if row != entry)
                for kind in ("together", "apart")
            }
            board = replace(self.board, together=kept["together"], apart=kept["apart"])
            saving = max(self._saving(task, self._without(task, board)) for task in group.tasks)
            if saving > 0:
                rule = self.instance.rules[group.id]
                text = f"{rule.text}; without it {self.instance.ns(saving):g} ns/s less"
                yield Reason(rule.id, text, rule.items)
