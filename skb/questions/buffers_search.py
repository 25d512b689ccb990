"""The search of `buffers`: the engine decides, the rules say why nothing fits.

Amounts that even 64 bits do not hold reach the engine rounded: down for the bound and for refusals,
and, where that answer breaks an exact limit, up for the answer. An answer counts only if it keeps
the exact limits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from skb.decision import Limits, Reason
from skb.engines.asp import engine_name
from skb.engines.buffers_choice import Choice, choice
from skb.engines.buffers_solve import Solved, solve
from skb.questions.buffers_clash import FILES, families_of, refused, satisfiable
from skb.questions.buffers_instance import Block, Chosen, Instance, Option
from skb.questions.buffers_seats import Seats, class_of, seated, seats_of

__all__ = ["ENGINE", "FILES", "Found", "search"]
ENGINE = "Lagrange, regret greedy, states"


@dataclass(frozen=True, slots=True)
class Found:
    """A choice of each group (None: none), a lower bound of the weights, and what proved it."""

    chosen: Chosen | None
    bound: int
    proven: bool
    engine: str
    refused: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """The engine's choice and, for each of its options in order, what it stands for; with `seats`
    the last resources are classes of PUs.
    """

    problem: Choice
    options: list[tuple[int, Block, Option]]
    seats: Seats | None = None


def search(instance: Instance, limits: Limits) -> Found:
    """Return the best answer that was found, and what is proven of it."""
    deadline = (time.monotonic() if limits.begun is None else limits.begun) + limits.seconds
    seats = None if instance.coarse else seats_of(instance)
    down = encoded(instance, seats=seats)
    if down is None:
        return _refused(instance, None, limits, deadline)
    base = int(instance.base / instance.unit)
    families = families_of(
        [*sorted(instance.tightest), *["seats"] * len(seats.room if seats else ())]
    )
    solved = solve(down.problem, deadline, base, families)
    chosen = _chosen(instance, down, solved.picked)
    if chosen is not None and instance.coarse and instance.exceeded(chosen):
        up = encoded(instance, up=True)
        again = None if up is None else solve(up.problem, deadline, base)
        chosen = None if up is None or again is None else _chosen(instance, up, again.picked)
        if chosen is None or instance.exceeded(chosen):
            return Found(None, solved.bound, False, ENGINE)
        solved = Solved(solved.picked, _weight(chosen), solved.bound, False, solved.multipliers)
    if chosen is not None:
        value = _weight(chosen)
        return Found(
            _tidied(instance, chosen), min(value, solved.bound), value <= solved.bound, ENGINE
        )
    plain = encoded(instance) if seats else down
    problem = down.problem if plain is None else plain.problem
    return _refused(instance, (problem, solved), limits, deadline)


def encoded(instance: Instance, *, up: bool = False, seats: Seats | None = None) -> Encoded | None:
    """Return the engine's choice of what is allowed, None where a group has nothing."""
    limits = sorted(instance.tightest)
    number = {resource: position for position, resource in enumerate(limits)}
    steps = instance.steps
    classes = {own: len(limits) + at for at, own in enumerate(seats.room if seats else ())}
    options: list[tuple[int, Block, Option]] = []
    groups = []
    for position, group in enumerate(instance.groups):
        blocks = []
        for block in group.blocks:
            rows = [[one for one in p.options if instance.allowed(one)] for p in block.pieces]
            if not all(rows):
                continue
            pieces = []
            for piece, row in zip(block.pieces, rows, strict=True):
                if seats is not None and piece.ring is None:
                    pieces.append([(row[0].weight, {classes[class_of(instance, piece)]: 1})])
                    options.append((position, block, row[0]))
                    continue
                pieces.append([(one.weight, _whole(one, number, steps, up)) for one in row])
                options += [(position, block, one) for one in row]
            blocks.append(pieces)
        if not blocks:
            return None
        groups.append(blocks)
    most = [int(instance.tightest[resource] // steps[resource]) for resource in limits]
    most += [] if seats is None else seats.room.values()
    return Encoded(choice(groups, most), options, seats)


def _whole(
    option: Option, number: Mapping[str, int], steps: Mapping[str, Fraction], up: bool
) -> dict[int, int]:
    found = {}
    for resource, amount in option.uses.items():
        at = number.get(resource)
        if at is not None:
            step = steps[resource]
            found[at] = int(-(-amount // step) if up else amount // step)
    return found


def _chosen(instance: Instance, encoded_: Encoded, picked: Sequence[int] | None) -> Chosen | None:
    if picked is None:
        return None
    rows: dict[int, tuple[Block, list[Option]]] = {}
    for number in picked:
        group, block, option = encoded_.options[number]
        rows.setdefault(group, (block, []))[1].append(option)
    found = [rows[group] for group in range(len(instance.groups))]
    return found if encoded_.seats is None else seated(instance, encoded_.seats, found)


def _weight(chosen: Chosen) -> int:
    return sum(option.weight for _, options in chosen for option in options)


def _tidied(instance: Instance, chosen: Chosen) -> Chosen:
    """Let each piece have the first of its places that costs the same and is free."""
    used = instance.used(chosen)
    limits = instance.tightest
    for block, options in chosen:
        for position, piece in enumerate(block.pieces):
            now = options[position]
            for other in piece.options:
                if other is now:
                    break
                if other.weight != now.weight or not instance.allowed(other):
                    continue
                fits = all(
                    used[resource] - now.uses.get(resource, 0) + amount <= limits[resource]
                    for resource, amount in other.uses.items()
                    if resource in limits
                )
                if fits:
                    for resource, amount in now.uses.items():
                        used[resource] -= amount
                    for resource, amount in other.uses.items():
                        used[resource] += amount
                    options[position] = other
                    break
    return chosen


def _refused(
    instance: Instance, tried: tuple[Choice, Solved] | None, limits: Limits, deadline: float
) -> Found:
    """Say why nothing fits; where that is not known, ask the rules, and else say so."""
    certain = tried is None or tried[1].proven
    engine = f"{ENGINE}, {engine_name()}"
    reasons = refused(instance, None if tried is None else tried[0], certain, limits, deadline)
    if reasons:
        return Found(None, 0, True, engine, reasons)
    if tried is not None and not certain:
        verdict = satisfiable(instance, limits, deadline)
        if verdict is not None and not verdict:
            everything = tuple(instance.reasons[name] for name in sorted(instance.reasons))
            return Found(None, 0, True, engine, everything)
    return Found(None, 0 if tried is None else tried[1].bound, False, engine)
