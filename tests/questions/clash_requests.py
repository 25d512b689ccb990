"""Parts of impossible requests, for tests that re-decide them without one constraint or another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from copy import deepcopy
from typing import Any

from skb.decision import Limits, Status
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_clash import instance_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_lift import without

_NEED = re.compile(r"task\[(\d+)\]\.(?:pus|cores)")


def of_rules(machine: Machine, raw: dict[str, Any], members: Collection[str]) -> dict[str, Any]:
    """Return the request of some constraints alone.

    A task that they name, but whose need is not among them, takes a millionth of one PU.
    """
    instance = instance_of(machine, raw)
    named = {item for rule in members for item in instance.rules[rule].items}
    needs = {instance.need_id(task): w.name for task, w in enumerate(instance.tasks)}
    gone = [rule for rule in instance.rules if rule not in members and rule not in needs]
    bare = [rule for rule in needs if rule not in members]
    found = without(machine, deepcopy(raw), [*gone])
    idle = {needs[rule] for rule in bare} & _idle(instance, members)
    for group in found.get("together", []):
        group["tasks"] = [name for name in group["tasks"] if name not in idle]
    left_out = [r for r in bare if f"task:{needs[r]}" not in named or needs[r] in idle]
    weak = {needs[rule] for rule in bare}
    for row in found["task"]:
        if row["name"] in weak:
            for key in ("cores", "exclusive"):
                row.pop(key, None)
            row |= {"pus": 1, "load": 1e-6}
    return without(machine, found, [_still(rule) for rule in left_out])


def _idle(instance: Instance, members: Collection[str]) -> set[str]:
    """Return the tasks that only one member names, which holds them together with others: without
    a need they change nothing.
    """
    named = Counter(item for rule in members for item in set(instance.rules[rule].items))
    return {
        item.removeprefix("task:")
        for rule in members
        if rule.startswith("together")
        for item in instance.rules[rule].items
        if named[item] == 1
    }


def _still(rule: str) -> str:
    """Return the need of a task that now wants PUs."""
    return _NEED.sub(r"task[\1].pus", rule)


def less(
    machine: Machine, raw: dict[str, Any], members: Collection[str], rule: str
) -> dict[str, Any]:
    """Return the request of some constraints but one of them; without its need a task is left
    out.
    """
    rest = [member for member in members if member != rule]
    found = of_rules(machine, raw, rest)
    instance = instance_of(machine, raw)
    needs = {instance.need_id(task): w.name for task, w in enumerate(instance.tasks)}
    if rule not in needs:
        return found
    names = [row["name"] for row in found["task"]]
    if needs[rule] not in names:
        return found
    return without(machine, found, [f"task[{names.index(needs[rule])}].pus"])


def possible(machine: Machine, raw: dict[str, Any]) -> bool:
    """Decide a request anew; nothing to place is possible."""
    if not raw["task"]:
        return True
    return decide(machine, raw, Limits(seconds=10)).status != Status.INFEASIBLE
