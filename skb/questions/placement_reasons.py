"""Further reasons why a placement is impossible, and the smallest mend.

Each clash must lose a member before a request can be kept (R. Reiter, "A theory of diagnosis from
first principles", 1987): lifting one rule of each known clash either mends the request or leaves a
clash that was not known. Where every way to do so mends it, no other clash exists.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import msgspec

from skb.decision import Decision, Limits
from skb.engines.placement_search import search
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import board_of, decision_of
from skb.questions.placement_clash import WORK_PER_TASK, Judge, instance_of, reasons_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_lift import without, words
from skb.questions.question import Raw

# rules that a mend may lift
LARGEST_MEND = 4
# seconds for a first placement where there was no time to decide
QUICK = 0.3


@dataclass(frozen=True, slots=True)
class Clashes:
    """Minimal clashes, each as the identifiers of its rules, and whether there are no others.

    `exact` has, for each, whether all members are proven to be needed.
    """

    rules: tuple[tuple[str, ...], ...]
    exact: tuple[bool, ...]
    complete: bool


def clashes(judge: Judge, most: int) -> Clashes:
    """Return up to so many minimal clashes of an impossible request."""
    rules = tuple(judge.instance.rules)
    first = judge.judge(rules, clash=True)
    known, exact = [first.rules], [first.exact]
    kept: list[frozenset[str]] = []
    doubt = not first.rules
    while len(known) < most:
        fresh = None
        for lifted in _hitting(known, kept):
            if time.monotonic() >= judge.deadline:
                return Clashes(tuple(known), tuple(exact), complete=False)
            verdict = judge.judge([rule for rule in rules if rule not in lifted])
            if verdict.possible is False and verdict.rules:
                fresh = verdict
                break
            # feasible, so are all that lift more; or not known, which ends this branch unproven
            kept.append(lifted)
            doubt = doubt or not verdict.possible
        if fresh is None:
            return Clashes(tuple(known), tuple(exact), complete=not doubt)
        known.append(fresh.rules)
        exact.append(fresh.exact)
    return Clashes(tuple(known), tuple(exact), complete=False)


def _hitting(
    known: Sequence[Sequence[str]], done: Sequence[frozenset[str]], largest: int | None = None
) -> Iterator[frozenset[str]]:
    """Yield sets with a member of each known clash, the smallest first, none that includes one of
    `done`.
    """
    union = list(dict.fromkeys(rule for clash in known for rule in clash))
    union.sort(key=lambda rule: rule.endswith((".pus", ".cores")))
    for size in range(1, min(len(known), largest or len(known)) + 1):
        for chosen in combinations(union, size):
            lifted = frozenset(chosen)
            if any(lifted.isdisjoint(clash) for clash in known):
                continue
            if not any(smaller <= lifted for smaller in done):
                yield lifted


def further(machine: Machine, decision: Raw, count: int, limits: Limits) -> dict[str, Any]:
    """Return up to `count` minimal clashes of an impossible request in the user's words.

    Raises `RequestError` where the request is possible.
    """
    instance = _impossible(machine, decision)
    judge = Judge(instance, limits, time.monotonic() + limits.seconds)
    found = clashes(judge, count)
    if found.complete:
        note = "there is no other"
    elif len(found.rules) >= count:
        note = "there may be others"
    else:
        note = "the limit came before it was clear whether there are others"
    return {
        "sets": [
            {"exact": exact, "reasons": _told(instance, rules)}
            for rules, exact in zip(found.rules, found.exact, strict=True)
        ],
        "complete": found.complete,
        "note": note,
    }


def mends(machine: Machine, decision: Raw, most: int, limits: Limits) -> dict[str, Any]:
    """Return up to `most` smallest sets of constraints whose lifting makes a request possible.

    Each comes with the request that remains, and what its placement costs. `smallest` says that no
    fewer rules will do; raises `RequestError` where the request is possible.
    """
    deadline = time.monotonic() + limits.seconds
    instance = _impossible(machine, decision)
    judge = Judge(instance, limits, deadline - limits.seconds / 2)
    chosen, smallest = _smallest(judge, most)
    keys = {rule.rpartition(".")[2] for rule in instance.rules if rule.startswith("task[")}
    names = {
        instance.rule_id(task, key): wanted.name
        for task, wanted in enumerate(instance.tasks)
        for key in keys
    }
    rows = []
    for number, lifted in enumerate(chosen):
        share = (deadline - time.monotonic()) / (len(chosen) - number)
        rows.append(_priced(machine, decision, instance, lifted, names, limits, share))
    rows.sort(key=lambda row: (row["objective"]["value"] is None, row["objective"]["value"] or 0))
    return {"mends": rows, "smallest": smallest}


def _smallest(judge: Judge, most: int) -> tuple[list[frozenset[str]], bool]:
    rules = tuple(judge.instance.rules)
    known = [judge.judge(rules, clash=True).rules]
    found: list[frozenset[str]] = []
    refused: set[frozenset[str]] = set()
    sure = True
    while len(found) < most and known[0]:
        size = len(found[0]) if found else LARGEST_MEND
        for lifted in _hitting(known, found, size):
            if lifted in refused:
                continue
            if time.monotonic() >= judge.deadline:
                return found, sure and bool(found)
            verdict = judge.judge([rule for rule in rules if rule not in lifted])
            if verdict.possible:
                found.append(lifted)
                break
            refused.add(lifted)
            if verdict.possible is None or not verdict.rules:
                sure = False
                continue
            known.append(verdict.rules)
            break
        else:
            break
    return found, sure and bool(found)


def _priced(
    machine: Machine,
    decision: Raw,
    instance: Instance,
    lifted: frozenset[str],
    names: dict[str, str],
    limits: Limits,
    seconds: float,
) -> dict[str, Any]:
    order = [rule for rule in instance.rules if rule in lifted]
    raw = without(machine, decision["request"], order)
    row: dict[str, Any] = {
        "lift": [
            {"id": rule, "do": words(rule, names), "text": instance.rules[rule].text}
            for rule in order
        ],
        "request": raw,
        "status": "unknown",
        "objective": {"name": "communication", "value": None, "unit": "ns/s"},
        "bound": None,
    }
    if not raw["task"]:
        return row | {"status": "optimal", "objective": {**row["objective"], "value": 0.0}}
    other: Decision | None
    try:
        other = decide(machine, raw, replace(limits, seconds=max(0.05, seconds)))
    except LimitError:
        other = None
    if other is None or other.objective.value is None:
        other = _quick(instance_of(machine, raw), limits)
    return row | {
        "status": other.status.value,
        "objective": msgspec.to_builtins(other.objective),
        "bound": other.bound,
    }


def _quick(instance: Instance, limits: Limits) -> Decision:
    """Return the first placement that a search finds, else the decision that there is none yet."""
    board = board_of(instance)
    now = time.monotonic()
    found = search(board, limits.seed, WORK_PER_TASK * len(board.jobs), None, now + QUICK, 1)
    return decision_of(instance, board, found[0] if found else None, None, deadline=now)


def _impossible(machine: Machine, decision: Raw) -> Instance:
    if decision["status"] != "infeasible":
        raise RequestError(
            f"decision {decision['id']} is {decision['status']}: nothing clashes",
            mend='`skb why DECISION --not "task=rx pu=5"` prices another choice',
        )
    return instance_of(machine, decision["request"])


def _told(instance: Instance, rules: Iterable[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.to_builtins(reasons_of(instance, rules))
    return found
