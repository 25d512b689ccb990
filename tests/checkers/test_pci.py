"""The judge of pci: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.benching.pci_trees import BASE, MIB, Device, machine_of_tree
from skb.checkers.pci import check
from skb.decision import Decision, Limits, Reason, Status
from skb.questions.pci import decide
from skb.relations import Fact

MACHINE = machine_of_tree(
    "judged",
    (0, 1),
    [
        Device(0, ((MIB, "memory32"),)),
        Device(1, ((2 * MIB, "memory32"), (MIB, "prefetchable32"))),
        Device(2, ((MIB, "memory64"), (4096, "memory32"))),
    ],
    64 * MIB,
    more=[
        Fact("pci_bar_base", ("pci:0000:00:00.0", 0, BASE + 8 * MIB)),
        Fact("reserved_range", ("machine:0", BASE + 20 * MIB, MIB, "firmware")),
        Fact("ioapic", (0, BASE + 22 * MIB, 0)),
    ],
)
REQUEST: dict[str, Any] = {
    "hotplug": [{"bridge": "bridge:2", "memory": "1 MiB"}],
    "pin": [{"pci": "00:00.0", "bar": 0, "keep": "current"}],
}
RIGHT = decide(MACHINE, REQUEST, Limits())

Change = Callable[[dict[str, Any]], None]


def _row(answer: dict[str, Any], pci: str, bar: int = 0) -> dict[str, Any]:
    rows: list[dict[str, Any]] = answer["registers"]
    return next(row for row in rows if (row["pci"], row["bar"]) == (pci, bar))


def _window(answer: dict[str, Any], bridge: str, space: str = "memory") -> dict[str, Any]:
    rows: list[dict[str, Any]] = answer["windows"]
    return next(row for row in rows if (row["bridge"], row["space"]) == (bridge, space))


def _moved(pci: str, base: int, bar: int = 0) -> Change:
    return lambda answer: _row(answer, pci, bar).update(base=base)


def _same_place(answer: dict[str, Any]) -> None:
    _row(answer, "pci:0000:02:00.0", 1)["base"] = _row(answer, "pci:0000:02:00.0")["base"]


def _missing(answer: dict[str, Any]) -> None:
    answer["registers"].pop()


def _twice(answer: dict[str, Any]) -> None:
    answer["registers"].append(dict(answer["registers"][0]))


def _resized(answer: dict[str, Any]) -> None:
    _row(answer, "pci:0000:01:00.0")["size"] = MIB


def _short_window(answer: dict[str, Any]) -> None:
    _window(answer, "bridge:2")["size"] -= MIB


def _crooked_window(answer: dict[str, Any]) -> None:
    _window(answer, "bridge:1")["size"] += 4096


def _no_window(answer: dict[str, Any]) -> None:
    answer["windows"].remove(_window(answer, "bridge:2"))


def _wide_window(answer: dict[str, Any]) -> None:
    _window(answer, "bridge:1")["size"] = 32 * MIB


def _window_over_window(answer: dict[str, Any]) -> None:
    row, other = _window(answer, "bridge:1", "prefetchable"), _window(answer, "bridge:1")
    row["base"] = other["base"]
    _row(answer, "pci:0000:01:00.0", 1)["base"] = other["base"]


def _no_room(answer: dict[str, Any]) -> None:
    answer["room"].clear()


def _room_on_register(answer: dict[str, Any]) -> None:
    answer["room"][0]["base"] = _row(answer, "pci:0000:02:00.0")["base"]


def _used(answer: dict[str, Any]) -> None:
    answer["roots"][0]["used"] -= 1


def _count(answer: dict[str, Any]) -> None:
    answer["moved"] += 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_moved("pci:0000:01:00.0", BASE + MIB), "multiple of its size"),
        (_moved("pci:0000:01:00.0", BASE + 62 * MIB), "does not cover all below"),
        (_moved("pci:0000:01:00.0", BASE + 64 * MIB), "outside the windows of bridge:0"),
        (_moved("pci:0000:01:00.0", BASE + 20 * MIB), "reserved"),
        (_moved("pci:0000:02:00.0", BASE + 22 * MIB), "reserved"),
        (_moved("pci:0000:00:00.0", BASE + 9 * MIB), "where it is pinned"),
        (_moved("pci:0000:01:00.0", 1 << 32), "32 bits"),
        (_same_place, "overlaps"),
        (_missing, "has no address"),
        (_twice, "two addresses"),
        (_resized, "not what the answer says"),
        (_short_window, "cover all below"),
        (_crooked_window, "not at multiples"),
        (_no_window, "have a window"),
        (_wide_window, "reserved"),
        (_window_over_window, "overlaps"),
        (_no_room, "room is not what was asked"),
        (_room_on_register, "overlaps"),
        (_used, "bytes are taken"),
        (_count, "registers move"),
    ],
)
def test_pci_judge_finds_a_planted_fault(change: Change, said: str) -> None:
    """Every rule is broken once, and told in its words."""
    answer = deepcopy(RIGHT.answer)
    change(answer)
    wrong = check(MACHINE, replace(RIGHT, answer=answer))
    assert any(said in text for text in wrong), wrong


def test_pci_judge_passes_the_answer() -> None:
    """The answer itself is right."""
    assert check(MACHINE, RIGHT) == []


def _objective(decision: Decision, value: int) -> Decision:
    return replace(decision, objective=replace(decision.objective, value=value))


def test_pci_judge_recounts_value_and_bound() -> None:
    """A value that is not the sum of the windows, and a bound above it, are told."""
    value = int(RIGHT.objective.value or 0)
    assert any("the value is" in text for text in check(MACHINE, _objective(RIGHT, value - 1)))
    high = replace(RIGHT, bound=value + 1)
    assert any("bound is above" in text for text in check(MACHINE, high))
    low = replace(RIGHT, bound=1)
    assert any("bound is below" in text for text in check(MACHINE, low))
    open_ = replace(RIGHT, bound=value - 1, status=Status.OPTIMAL)
    assert any("without a bound" in text for text in check(MACHINE, open_))


def test_pci_judge_doubts_a_refusal() -> None:
    """Where a greedy order fits, nothing fits is a lie; a refusal has reasons and no answer."""
    made = machine_of_tree("easy", (0,), [Device(1, ((MIB, "memory32"),))], 8 * MIB)
    refused = replace(
        decide(made, {}, Limits()),
        status=Status.INFEASIBLE,
        answer={},
        reasons=(Reason("registers", "too much"),),
    )
    assert any("greedy order fits" in text for text in check(made, refused))
    assert any("no reason" in text for text in check(made, replace(refused, reasons=())))
    told = replace(refused, answer={"registers": []})
    assert any("although there is none" in text for text in check(made, told))
