"""The judge's walk through the steps of a power answer: parts go, tasks move, parts come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from skb.checkers.power_reach import LINK, Floor, kind
from skb.machine import Machine

MIB = 2**20
# memory of a task of which only the node is said
TOKEN_MIB = 1.0
INNER = frozenset(("core", "pu", "l1d", "l1i", "l2", "l2i", "l3", "l3i", "l4", "l5"))
FULL = 1.0 + 1e-6


def check_order(floor: Floor, off: Collection[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Judge the order in which parts go: each is still reached when its turn comes."""
    names = [str(row["part"]) for row in rows]
    before, _home = floor.there(())
    due = {name for name in off if name in before or name not in floor.parts}
    if len(set(names)) < len(names) or set(names) != due:
        return ["the order does not name each part that goes once"]
    _after, home = floor.there(off)
    # with ends inside ends, or links that lead one way, no order may be without a cut
    both_ways = _both(floor)
    wrong: list[str] = []
    turn = {name: at for at, name in enumerate(names)}
    reached = _still(floor, (), home)
    for at, name in enumerate(names):
        if name.startswith(LINK) and name not in floor.parts:
            continue
        outer = [other for other in _around(floor, name) if turn.get(other, at) < at]
        if outer:
            wrong.append(f"{outer[0]} goes before {name}, which is in it")
        elif both_ways and name in before & reached and name not in _still(floor, names[:at], home):
            wrong.append(f"{name} is cut off before its turn")
    return wrong


def _still(floor: Floor, gone: Sequence[str], home: str) -> set[str]:
    """Return what is there; what only stops the PUs inside it takes nothing else."""
    cutting = [n for n in gone if n.startswith(LINK) or kind(n) not in INNER]
    key = (len(cutting), cutting[-1] if cutting else "", home)
    known: dict[tuple[int, str, str], set[str]] = floor.__dict__.setdefault("still", {})
    if key not in known:
        known[key] = floor.there(cutting, home)[0]
    return known[key]


def _around(floor: Floor, name: str) -> list[str]:
    return floor.chain(name)[1:] if name in floor.parts else []


def check_resume(
    floor: Floor, off: Sequence[str], wanted: Sequence[str], told: Mapping[str, Any]
) -> list[str]:
    """Judge the order in which parts come back: each is reached as soon as it is up."""
    names = [str(row["part"]) for row in told["steps"]]
    expected = {_full(floor, name) for name in (wanted or off)}
    if set(names) != expected or len(names) != len(expected):
        return ["the resume order does not name each part once"]
    never = {str(row["part"]) for row in told["still_unreachable"]}
    stay = [name for name in off if name not in names]
    there, home = floor.there([*stay], back=names)
    _down, stayed = floor.there(off)
    home = stayed if stayed and stayed in there else home
    turn = {name: at for at, name in enumerate(names)}
    wrong = []
    for at, name in enumerate(names):
        if name.startswith(LINK) and name not in floor.parts:
            continue
        if kind(name) in INNER and name in there:
            if outer := [other for other in _around(floor, name) if turn.get(other, at) > at]:
                wrong.append(f"{name} comes up before {outer[0]}, which it is in")
            continue
        down = [other for other in off if other not in names[: at + 1]]
        held = [other for other in names[at + 1 :] if other in floor.facts]
        left = {*down, *held}
        up, _home = floor.there(left, home, back=names[: at + 1])
        if (name in there) == (name in never):
            wrong.append(f"{name} is told wrongly as {'lost' if name in never else 'there'}")
        elif name in there and name not in up and _both(floor):
            wrong.append(f"{name} is not reached when it comes up")
    return wrong


def _both(floor: Floor) -> bool:
    nested = any(at in floor.ends for end in floor.ends for at in floor.chain(end)[1:])
    return not nested and all((b, a) in floor.links for a, b in floor.links)


def _full(floor: Floor, name: str) -> str:
    if name in floor.parts:
        return name
    if f"device:{name}" in floor.parts:
        return f"device:{name}"
    for a, b in sorted(floor.links):
        if name == f"{LINK}{b}-{a}" and _sorted(a) < _sorted(b):
            return f"{LINK}{a}-{b}"
    return name


def _sorted(name: str) -> tuple[str, int, str]:
    index = name.partition(":")[2]
    return name.partition(":")[0], int(index) if index.isdigit() else -1, index


# ------------------------------------------------------------------ tasks
def check_moves(
    after: Collection[str],
    floor: Floor,
    off: Collection[str],
    request: Mapping[str, Any],
    told: Mapping[str, Any],
) -> list[str]:
    """Judge an evacuation: take each step and see who is where."""
    before = {name: dict(place) for name, place in told["tasks_before"].items()}
    given = request.get("current", {})
    for name, seat in given.items():
        if name not in before or set(before[name]["pus"]) != set(seat["pus"]):
            return [f"task {name} did not run where the steps begin"]
    keep = (request.get("keep") or {}).get("placement") or {}
    needs = needed(floor.machine, keep.get("task", []))
    if not needs:
        needs = {
            name: {"memory_mib": seat.get("memory_mib", TOKEN_MIB)} for name, seat in given.items()
        }
    walk = _Walk(floor, before, needs)
    gone: list[str] = []
    for step in told["steps"]:
        if step["do"] == "off":
            gone.append(step["part"])
            there, _home = floor.there(gone)
            walk.wrong += walk.stranded(there, gone)
        else:
            walk.take(step)
    wrong = walk.wrong
    if set(gone) != {name for name in off if name in floor.there(())[0] or name not in floor.parts}:
        wrong.append("not all that goes is in the steps")
    for name, place in told["tasks"].items():
        now = walk.at[name]
        if place["numa_node"] is not None and f"numa:{place['numa_node']}" not in after:
            wrong.append(f"the memory of task {name} ends in a node that is lost")
        if set(now["pus"]) != set(place["pus"]) or now["numa_node"] != place["numa_node"]:
            wrong.append(f"the steps do not bring task {name} where it is said to be")
        wrong += [
            f"task {name} ends on pu:{pu}, which is lost"
            for pu in place["pus"]
            if f"pu:{pu}" not in after
        ]
    moved = sum(before[name] != dict(place) for name, place in told["tasks"].items())
    if moved > told["moves"]:
        wrong.append(f"{moved} tasks move, not {told['moves']}")
    return wrong


def needed(machine: Machine, tasks: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the rows of tasks by name; one for each device of a kind is called by its number."""
    rows: dict[str, Mapping[str, Any]] = {}
    for task in tasks:
        if "per" in task:
            for at, _device in enumerate(machine.of_device_kind(str(task["per"]))):
                rows[f"{task['name']}{at}"] = task
        else:
            rows[str(task["name"])] = task
    return rows


class _Walk:
    """Who is where while steps are taken."""

    def __init__(
        self,
        floor: Floor,
        at: Mapping[str, Mapping[str, Any]],
        needs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.at = {name: dict(place) for name, place in at.items()}
        self.needs = needs
        self.core_of = floor.machine.core_of
        self.wrong: list[str] = []
        self.size: dict[int, int] = {}
        for fact in floor.machine.facts_of("memory_size"):
            name = str(fact.args[0])
            if name.startswith("numa:"):
                node = int(name[5:])
                self.size[node] = self.size.get(node, 0) + int(str(fact.args[-1]))

    def take(self, step: Mapping[str, Any]) -> None:
        name, key = step["task"], "numa_node" if step["do"] == "move memory" else "pus"
        now = self.at[name][key]
        if (now if key == "numa_node" else sorted(now)) != (
            step["from"] if key == "numa_node" else sorted(step["from"])
        ):
            self.wrong.append(f"task {name} is not where step {step['step']} finds it")
        self.at[name][key] = step["to"]
        if key == "numa_node":
            self._memory(int(step["to"]))
        else:
            self._shared(name)

    def _memory(self, node: int) -> None:
        held = sum(
            float(self.needs.get(name, {}).get("memory_mib") or 0) * MIB
            for name, place in self.at.items()
            if place["numa_node"] == node
        )
        if node in self.size and held > self.size[node] + 1:
            self.wrong.append(f"numa:{node} holds more than it has")

    def _shared(self, name: str) -> None:
        own = self.needs.get(name, {})
        for pu in self.at[name]["pus"]:
            core = self.core_of[pu]
            for other, place in self.at.items():
                mates = [q for q in place["pus"] if self.core_of[q] == core]
                row = self.needs.get(other, {})
                if other != name and mates and (own.get("exclusive") or row.get("exclusive")):
                    self.wrong.append(f"tasks {name} and {other} are both on {core}")
            others = [n for n, place in self.at.items() if n != name and pu in place["pus"]]
            rows = [self.needs.get(other, {}) for other in others]
            if rows and sum(float(row.get("load", 1.0)) for row in [own, *rows]) > FULL:
                self.wrong.append(f"pu:{pu} has too much to do with {name}")

    def stranded(self, there: Collection[str], gone: Sequence[str]) -> list[str]:
        """Return who is still on a part that has gone."""
        return [
            f"task {name} is still on pu:{pu} when {gone[-1]} goes"
            for name, place in self.at.items()
            for pu in place["pus"]
            if f"pu:{pu}" not in there
        ]
