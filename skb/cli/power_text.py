"""A decision about power in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skb.cli.output import number, table
from skb.wording import counted, led, listed, spans

SHOWN_ROWS = 40
SHOWN_POINTS = 4
SHOWN_NAMES = 6
# of what is lost these are told one by one, the rest in numbers
_WORDS = {"pu": "PU", "numa": "NUMA node", "pci": "PCI function", "memcache": "memory-side cache"}
_TOLD = ("package", "group", "die", "numa", "device", "service")


def print_power(answer: Mapping[str, Any]) -> None:
    """Print what goes, what is lost and why, who leaves, and the orders."""
    if "saving" in answer:
        _saving(answer["saving"], answer.get("kept"))
    elif "kept" in answer:
        _kept(answer["kept"])
    if answer.get("unreachable"):
        _lost(answer)
    for row in answer.get("other_way", ()):
        over = ", ".join(row["over"])
        print(f"{row['part']} stays: a link joins it to {over}, too")
    if "evacuation" in answer:
        _moves(answer["evacuation"])
    elif len(answer.get("order", ())) > 1:
        parts = [row["part"] for row in answer["order"]]
        print(f"to switch off in this order: {_named(parts)}")
    _resume(answer.get("resume", {}))
    _points(answer.get("single_points", ()))


def print_hits(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print which stored decisions use what is lost."""
    if rows:
        print("stored decisions that use what is lost:")
        cells = [[row["id"][:12], row["question"], listed(row["parts"], 6)] for row in rows]
        table(["decision", "question", "uses"], cells[:SHOWN_ROWS])


def _saving(told: Mapping[str, Any], kept: Mapping[str, Any] | None) -> None:
    parts = told["parts"]
    many = counted(len(parts), told["kind"])
    amount = f", {number(told['amount'])} W" if told["unit"] == "W" else ""
    print(f"{many} of {told['of']} can go{amount}: {_named(parts)}")
    if kept is not None:
        _kept(kept)


def _kept(kept: Mapping[str, Any]) -> None:
    if kept.get("tasks"):
        rows = [[name, led(t["pus"]), t["numa_node"]] for name, t in kept["tasks"].items()]
        table(["task that keeps running", "PUs", "NUMA node"], rows[:SHOWN_ROWS])
        return
    words = [f"PUs {spans(kept['pus'])}"] if kept["pus"] else []
    words += [f"NUMA nodes {spans(kept['numa'])}"] if kept["numa"] else []
    words += [listed(kept["devices"], SHOWN_NAMES)] if kept["devices"] else []
    if words:
        print(f"the load runs on {', '.join(words)}")


def _lost(answer: Mapping[str, Any]) -> None:
    told = answer["lost"]
    kinds = ", ".join(counted(n, _WORDS.get(kind, kind)) for kind, n in told["kinds"].items())
    memory = f"; {number(told['memory_mib'])} MiB of memory" if told["memory_mib"] else ""
    print(f"lost: {kinds}{memory}")
    rows = [row for row in answer["unreachable"] if row["part"].partition(":")[0] in _TOLD]
    telling = [row["text"] for row in rows if _telling(row)]
    for text in telling[:SHOWN_ROWS]:
        print(f"  - {text}")
    if len(telling) > SHOWN_ROWS:
        print(f"… and {len(telling) - SHOWN_ROWS} more; --json has all")


def _telling(row: Mapping[str, Any]) -> bool:
    """Tell whether a row says more than that a part goes, or its own memory with it."""
    plain = row["part"].startswith("numa:") and row["hangs_on"] == row["dominator"]
    return row["part"] not in row["because"] and not plain


def _moves(told: Mapping[str, Any]) -> None:
    rows = [
        [
            s["step"],
            s["do"],
            s.get("task", s.get("part")),
            _place(s.get("from")),
            _place(s.get("to")),
        ]
        for s in told["steps"]
    ]
    table(["step", "do", "what", "from", "to"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more steps; --json has all")
    before, after = told["before"]["value"], told["after"]["value"]
    proven = "proven" if told["after"]["proven"] else "not proven"
    moves = f"{counted(told['moves'], 'task')} move{'s' * (told['moves'] == 1)}"
    price = f"{number(before)} ns/s before, {number(after)} after, {proven}"
    print(f"{moves}, {told['stay']} stay; {price}")


def _place(value: Any) -> str | None:
    if isinstance(value, list):
        return f"PUs {led(value)}"
    return None if value is None else f"numa:{value}"


def _resume(told: Mapping[str, Any]) -> None:
    steps = told.get("steps", ())
    if len(steps) > 1 or any(True for _ in told.get("still_unreachable", ())):
        print(f"to bring back in this order: {_named([row['part'] for row in steps])}")
    elif steps:
        print(f"to bring back: {steps[0]['part']}")
    for row in told.get("still_unreachable", ()):
        print(f"  - {row['text']}")


def _points(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    cells = [
        [_named(row["parts"]), row["lost"], row["pus"], row["memory_mib"], row["devices"]]
        for row in rows[:SHOWN_POINTS]
    ]
    table(["without each of", "go others", "PUs", "MiB", "devices"], cells)
    if len(rows) > SHOWN_POINTS:
        print(f"… and {len(rows) - SHOWN_POINTS} rows of parts that take less; --json has all")


def _named(parts: Sequence[str]) -> str:
    """Write parts in their order; runs of one kind as `package:1-6`."""
    found: list[tuple[str, list[int]]] = []
    for name in parts:
        kind, _, index = name.partition(":")
        if not index.isdigit():
            found.append((name, []))
        elif found and found[-1][0] == kind and found[-1][1][-1] + 1 == int(index):
            found[-1][1].append(int(index))
        else:
            found.append((kind, [int(index)]))
    words = [f"{kind}:{spans(numbers)}" if numbers else kind for kind, numbers in found]
    return listed(words, 2 * SHOWN_NAMES)
