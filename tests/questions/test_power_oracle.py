"""The power question against plain search: every set of parts, every choice of PUs, every wish."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from skb.decision import Limits, Status
from skb.dependence import STATES
from skb.machine import Machine
from skb.questions.power import QUESTION
from tests.questions.power_oracle import largest, machine_of, request_of, runs, without
from tests.test_dependence import ENDS, PARENTS, PARTS, board

BLOCKS = range(6)
# on these another piece of the interconnect counts when more goes
PIECES = (2146, 2294)
PIECES_CLASH = (38, 634)


@pytest.mark.parametrize("block", BLOCKS)
def test_power_saves_as_much_as_trying_every_set(block: int) -> None:
    """The saving, and that there is none, is what all sets of parts and all choices of PUs say."""
    for seed in (*range(16 * block, 16 * block + 16), *PIECES[block : block + 1]):
        machine = machine_of(seed)
        raw = request_of(machine, seed)
        found = QUESTION.decide(machine, raw, Limits())
        best = largest(machine, raw)
        assert found.answer.get("saving", {}).get("amount") == best, (seed, raw)
        assert (found.status is Status.INFEASIBLE) == (best is None)
        assert found.status in (Status.OPTIMAL, Status.INFEASIBLE)
        assert QUESTION.check(machine, found) == []


def dropped(raw: dict[str, Any], wish: str) -> dict[str, Any]:
    """Return a request without one of its wishes."""
    other = deepcopy(raw)
    key, _, name = wish.partition(":")
    if key in ("off", "never"):
        other[key].remove(name)
    elif key == "keep.devices":
        other["keep"]["devices"].remove(name)
    else:
        del other["keep"][key.removeprefix("keep.")]
    return other


def possible(machine: Machine, raw: dict[str, Any]) -> bool:
    """Tell whether the load of a request runs with its parts off."""
    return runs(without(machine, raw["off"]), raw["keep"], raw.get("never", ()))


@pytest.mark.parametrize("block", BLOCKS)
def test_power_names_a_minimal_clash(block: int) -> None:
    """Where parts cannot go, the wishes that are named clash, and without any of them do not."""
    clashes = 0
    for seed in (*range(1000 + 15 * block, 1015 + 15 * block), *PIECES_CLASH[block : block + 1]):
        machine = machine_of(seed)
        rng = random.Random(seed)
        raw = request_of(machine, seed)
        del raw["save"]
        raw["off"] = rng.sample(machine.of_kind("package"), 2)
        raw.setdefault("never", []).append(rng.choice(machine.objects[1:]))
        raw["never"] = sorted(set(raw["never"]))
        found = QUESTION.decide(machine, raw, Limits())
        assert (found.status is Status.INFEASIBLE) == (not possible(machine, raw)), (seed, raw)
        if found.status is not Status.INFEASIBLE:
            continue
        clashes += 1
        named = [reason.id for reason in found.reasons]
        wishes = [f"off:{name}" for name in raw["off"]]
        wishes += [f"never:{name}" for name in raw["never"]]
        wishes += [f"keep.{key}" for key in raw["keep"] if key != "devices"]
        wishes += [f"keep.devices:{name}" for name in raw["keep"].get("devices", [])]
        only = raw
        for wish in wishes:
            if wish not in named:
                only = dropped(only, wish)
        assert not possible(machine, only), (seed, raw, named)
        for wish in named:
            assert possible(machine, dropped(only, wish)), (seed, raw, named, wish)
    assert clashes > 2


OWN = [{"bridge:1", "package:2"}, {"device:gpu0", "package:0"}, {"numa:1", "package:1"}]


def wires_of(rng: random.Random) -> set[tuple[str, str]]:
    """Return random links, some of them one-way, none to what a part hangs on."""
    pairs = {(rng.choice(ENDS), rng.choice(ENDS)) for _ in range(rng.randrange(8))}
    pairs = {(a, b) for a, b in pairs if a != b and {a, b} not in OWN}
    return pairs | {(b, a) for a, b in pairs} if rng.random() < 0.7 else pairs


@pytest.mark.parametrize("block", BLOCKS)
def test_power_tells_what_is_lost_as_the_facts_would(block: int) -> None:
    """What goes with parts is what is unusable where facts say that they are off, and the judge
    agrees with the dominators, the ways, and every order.
    """
    for seed in range(30 * block, 30 * block + 30):
        rng = random.Random(seed)
        wires = wires_of(rng)
        states = {
            part: rng.choice([*STATES, "off"]) for part in rng.sample(PARTS, rng.randrange(3))
        }
        machine = board(states, wires)
        links = sorted({f"link:{a}-{b}" for a, b in wires})
        raw: dict[str, Any] = {"off": rng.sample([*PARENTS, *links], rng.randint(1, 4))}
        if rng.random() < 0.5:
            raw["resume"] = rng.sample(sorted(PARENTS), 2)
        found = QUESTION.decide(machine, raw, Limits())
        assert QUESTION.check(machine, found) == [], (seed, raw)
        parts = [name for name in raw["off"] if not name.startswith("link:")]
        if len(parts) < len(raw["off"]):
            continue
        after = without(machine, parts)
        gone = {name for name in machine.objects if after.unusable(name)}
        had = {name for name in machine.objects if machine.unusable(name)}
        assert {row["part"] for row in found.answer["unreachable"]} == gone - had
