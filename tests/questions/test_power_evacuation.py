"""Tasks that leave parts: as few as can, in steps that never collide."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.decision import Limits, Status
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions.power import QUESTION
from skb.questions.power_evacuation import MIB, Move, ordered
from skb.relations import Fact
from tests.machines import bundled, grown


def move(task: str, pu: int, to: int, numa: tuple[int, int] | None = None, mib: int = 0) -> Move:
    """Return a move of an exclusive task of one PU."""
    before, after = numa or (None, None)
    return Move(task, (pu,), (to,), before, after, mib * MIB, 1.0, True, "")


def floor(pus: int, mib: int = 0) -> Machine:
    """Return a machine of cores with one PU, and two nodes of so much memory."""
    sizes = [Fact("memory_size", (f"numa:{node}", mib * MIB)) for node in (0, 1)] if mib else []
    return grown(f"package:2 numa:1 core:{pus // 2} pu:1", *sizes)


def tasks(moves: list[Move]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tasks of moves as a placement request, and where they are."""
    rows = [{"name": m.task, "exclusive": True, "memory_mib": m.memory / MIB} for m in moves]
    return {"task": rows}, {m.task: {"pus": list(m.pus), "numa_node": m.numa} for m in moves}


def test_evacuation_waits_until_a_pu_is_free() -> None:
    """Who goes where somebody leaves goes after that."""
    moves = [move("a", 0, 1), move("b", 1, 2), move("c", 2, 3)]
    steps = ordered(floor(4), *tasks(moves), moves)
    assert [step["task"] for step in steps] == ["c", "b", "a"]


def test_evacuation_steps_aside_in_a_circle() -> None:
    """Two that change places need a third PU, and where none is free they are refused."""
    moves = [move("a", 0, 1), move("b", 1, 0)]
    steps = ordered(floor(4), *tasks(moves), moves)
    assert [(step["do"], step["task"]) for step in steps] == [
        ("step aside", "a"),
        ("move task", "b"),
        ("move task", "a"),
    ]
    assert steps[0]["to"] == steps[2]["from"]
    with pytest.raises(LimitError, match="circle"):
        ordered(floor(2), *tasks(moves), moves)


def test_evacuation_moves_memory_only_where_it_fits() -> None:
    """Memory that fits moves first; what waits for room in a circle is refused."""
    moves = [move("a", 0, 2, (0, 1), 600), move("b", 1, 3, (1, 0), 300)]
    steps = ordered(floor(4, 1000), *tasks(moves), moves)
    assert [step["task"] for step in steps if step["do"] == "move memory"] == ["a", "b"]
    tight = [move("a", 0, 2, (0, 1), 800), move("b", 1, 3, (1, 0), 250)]
    with pytest.raises(LimitError, match="circle"):
        ordered(floor(4, 1000), *tasks(tight), tight)
    wide = grown("package:3 numa:1 core:2 pu:1", *(
        Fact("memory_size", (f"numa:{node}", 1000 * MIB)) for node in range(3)
    ))  # fmt: skip
    chain = [move("a", 0, 2, (0, 1), 800), move("b", 3, 5, (1, 2), 250)]
    steps = ordered(wide, *tasks(chain), chain)
    assert [step["task"] for step in steps if step["do"] == "move memory"] == ["b", "a"]


@pytest.mark.parametrize("seed", range(16))
def test_evacuation_moves_only_those_that_have_to(seed: int) -> None:
    """With room for all, the tasks on what goes move, and no others; without, it is refused."""
    rng = random.Random(seed)
    machine = floor(8, 4000)
    pus = rng.sample(range(8), rng.randint(2, 7))
    now = {
        f"t{at}": {"pus": [pu], "numa_node": pu // 4, "memory_mib": rng.choice((100, 500))}
        for at, pu in enumerate(pus)
    }
    gone = rng.sample(range(8), rng.randint(1, 5))
    raw = {"off": [f"core:{core}" for core in gone], "current": now}
    found = QUESTION.decide(machine, raw, Limits())
    assert QUESTION.check(machine, found) == []
    if len(pus) > 8 - len(gone):
        assert found.status is Status.INFEASIBLE
        return
    assert found.answer["evacuation"]["moves"] == len(set(pus) & set(gone))


@pytest.mark.parametrize("block", range(4))
def test_evacuation_shares_no_core_of_an_exclusive_task_on_the_way(block: int) -> None:
    """Whoever moves or steps aside on cores of two PUs, no task that is alone there has company,
    no PU and no node is too full, and all end where they shall.
    """
    aside = 0
    for seed in range(150 * block, 150 * block + 150):
        rng = random.Random(seed)
        machine = grown(
            "package:2 numa:1 core:2 pu:2",
            *(Fact("memory_size", (f"numa:{node}", 6 * MIB)) for node in (0, 1)),
        )
        needs = {
            f"t{at}": (rng.choice((1.0, 0.5)), rng.random() < 0.5, rng.randint(1, 3))
            for at in range(rng.randint(2, 4))
        }
        now, then = (seats(machine, needs, rng) for _ in range(2))
        if now is None or then is None:
            continue
        rows = [
            {"name": name, "load": load, "exclusive": alone, "memory_mib": mib}
            for name, (load, alone, mib) in needs.items()
        ]
        where = {name: {"pus": list(p), "numa_node": n} for name, (p, n) in now.items()}
        moves = [
            Move(name, now[name][0], then[name][0], now[name][1], then[name][1], mib * MIB,
                 load, alone, "")
            for name, (load, alone, mib) in needs.items()
            if now[name] != then[name]
        ]  # fmt: skip
        try:
            steps = ordered(machine, {"task": rows}, where, moves)
        except LimitError:
            continue
        at = dict(now)
        for step in steps:
            pus, node = at[step["task"]]
            if step["do"] == "move memory":
                at[step["task"]] = (pus, step["to"])
            else:
                at[step["task"]] = (tuple(step["to"]), node)
            aside += step["do"] == "step aside"
            assert agrees(machine, needs, at), (seed, step)
        assert at == then
    assert aside


Seats = dict[str, tuple[tuple[int, ...], int]]
Needs = dict[str, tuple[float, bool, int]]


def agrees(machine: Machine, needs: Needs, at: Seats) -> bool:
    """Tell whether tasks can be where they are together."""
    for core in set(machine.core_of.values()):
        on = [name for name in at if any(machine.core_of[pu] == core for pu in at[name][0])]
        if len(on) > 1 and any(needs[name][1] for name in on):
            return False
    for pu in machine.pus:
        if sum(needs[name][0] for name in at if pu in at[name][0]) > 1:
            return False
    return all(sum(needs[t][2] for t in at if at[t][1] == node) <= 6 for node in (0, 1))


def seats(machine: Machine, needs: Needs, rng: random.Random) -> Seats | None:
    """Return random places of all tasks that agree, None where none was found."""
    for _ in range(60):
        found: Seats = {name: ((rng.choice(machine.pus),), rng.randrange(2)) for name in needs}
        if agrees(machine, needs, found):
            return found
    return None


def test_evacuation_needs_the_place_of_each_task_of_a_device() -> None:
    """Tasks for each device are known by number; where one of them is must be said, and its
    needs hold.
    """
    machine = bundled("tyan-s4985")
    load = {"task": [{"name": "io", "per": "network", "exclusive": True}, {"name": "b"}]}
    now = {"io0": {"pus": [0]}, "io1": {"pus": [28]}, "b": {"pus": [1]}}
    raw = {"off": ["core:0"], "keep": {"placement": load}, "current": now}
    found = QUESTION.decide(machine, raw, Limits())
    assert QUESTION.check(machine, found) == []
    assert found.answer["evacuation"]["moves"] == 1
    assert found.answer["kept"]["tasks"].keys() == now.keys()
    assert found.answer["kept"]["tasks"] == found.answer["evacuation"]["tasks"]
    del now["io1"]
    with pytest.raises(RequestError, match="io1"):
        QUESTION.decide(machine, raw, Limits())
