"""The proof of a placement: both ways to it, what the rules imply, and interchangeable parts."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits, Status
from skb.engines.asp import Outcome
from skb.engines.placement_proof import PROVING, REFUTING, Aside, Proof, Work
from skb.machine import Machine
from skb.questions import placement, placement_implied
from skb.questions.placement import decide
from skb.questions.placement_implied import Need, Zone, implied
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Place, partition
from skb.questions.placement_program import Encoder, Priced
from skb.questions.placement_request import Request, expand, resolved
from skb.questions.placement_symmetry import Members
from skb.questions.question import read_request
from tests.questions.placement_brute import Brute
from tests.questions.placement_machines import machine
from tests.questions.placement_regular import regular, talking
from tests.questions.placement_small import Small

PARTS, EACH = 5, 64
LARGEST = 100_000  # placements that brute force may have to try


def drawn(seed: int) -> tuple[Small, dict[str, Any]]:
    """Return a machine of like parts and a request that brute force can do."""
    chance = random.Random(f"regular {seed}")
    while True:
        small = regular(chance)
        request = talking(small, chance)
        if Brute(small, request).size <= LARGEST:
            return small, request


def wrong(seed: int, limits: Limits | None = None) -> list[str]:
    """Return in words what is not as brute force has it."""
    small, request = drawn(seed)
    expected = Brute(small, request).value_ns()
    known = small.machine()
    decision = decide(known, request, limits or Limits(seconds=20))
    found = check(known, decision)
    value = decision.objective.value
    if (value is None) != (expected is None) or abs((value or 0) - (expected or 0)) > 1e-9:
        found.append(f"seed {seed}: {value}, brute force {expected}")
    if decision.status is not (Status.INFEASIBLE if expected is None else Status.OPTIMAL):
        found.append(f"seed {seed}: {decision.status.value}, brute force {expected}")
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_placement_on_like_parts_agrees_with_brute_force(part: int) -> None:
    """Rings, stars and lines of equal packages, some with a part off: same least price, proven."""
    for seed in range(part * EACH, (part + 1) * EACH):
        assert wrong(seed) == []


def hold(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], seconds: float) -> None:
    """Let one way to a proof begin late, as if its first conflicts had been spent."""
    told = Aside._run

    def late(aside: Aside) -> None:
        if aside._work.options == options:
            aside.begun = True
            end = time.monotonic() + seconds
            while not aside._ended and time.monotonic() < end:
                time.sleep(0.002)
        told(aside)

    monkeypatch.setattr(Aside, "_run", late)


def test_placement_refutes_what_is_cheaper_than_the_optimum_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where clingo finds nothing, what the local search found is proven from above, or clingo finds
    what is cheaper: the answer is that of brute force all the same.
    """
    hold(monkeypatch, PROVING, 0.5)
    refuted = 0
    told = Proof.outcome

    def outcome(proof: Proof, deadline: float) -> Outcome | None:
        nonlocal refuted
        refuted += proof.refuted
        return told(proof, deadline)

    monkeypatch.setattr(Proof, "outcome", outcome)
    for seed in range(1000, 1014):
        assert wrong(seed) == []
    assert refuted > 2


def planted(monkeypatch: pytest.MonkeyPatch, seeds: range) -> int:
    """Return how many requests are answered wrongly, without the local search to help."""
    monkeypatch.setattr(
        "skb.questions.placement_policies.Policies.improve", lambda _s, seats, _b: seats
    )
    return sum(1 for seed in seeds if wrong(seed))


def test_placement_oracle_catches_parts_that_are_not_interchangeable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A symmetry that looks at no rule, price or distance gives dearer answers, or none."""

    def careless(
        _instance: Instance, places: Sequence[Place], _matrix: Sequence[Sequence[int]]
    ) -> list[tuple[Members, Members]]:
        return [((place,), (place + 1,)) for place in range(len(places) - 1)]

    monkeypatch.setattr("skb.questions.placement_program.pairs", careless)
    assert planted(monkeypatch, range(60)) > 3


def test_placement_oracle_catches_a_wrong_count_of_those_who_must_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One task fewer near another than fits there gives dearer answers."""
    right = placement_implied._Room.most

    def fewer(room: Any, task: int, others: Any) -> int:
        return max(0, right(room, task, others) - 1)

    monkeypatch.setattr(placement_implied._Room, "most", fewer)
    assert planted(monkeypatch, range(60)) > 3


# ------------------------------------------------------------ what the rules imply
def lone(core: int) -> Place:
    return Place(((core,),))


def test_placement_implies_who_must_leave_from_rooms_and_loads() -> None:
    """Of four peers of a task two fit beside it in a place of three; half loads need half."""
    places = [Place(((0,), (1,), (2,))), Place(((3,), (4,), (5,)))]
    zones = [Zone((0,), frozenset({0})), Zone((1,), frozenset({1}))]
    star = [(0, peer, 1) for peer in range(1, 5)]
    whole = [Need(2, False, False)] * 5
    atoms = implied(star, [zones], places, whole, 2)
    assert ("leaves", (0, 1, 2)) in atoms
    assert ("classes", (1,)) in atoms and ("mutual", (1,)) in atoms
    assert not [atom for atom in atoms if atom[0] == "triangle"]
    half = [Need(2, False, False), *[Need(1, False, False)] * 4]
    assert not [atom for atom in implied(star, [zones], places, half, 2) if atom[0] == "leaves"]
    exclusive = [Need(1, False, True)] * 5
    assert ("leaves", (0, 1, 2)) in implied(star, [zones], places, exclusive, 2)


def test_placement_implies_nothing_of_one_way_distances() -> None:
    """Where nearness has a direction, nothing is said of who is apart."""
    zones = [Zone((0,), frozenset({0, 1})), Zone((1,), frozenset({1}))]
    found = implied([(0, 1, 1)], [zones], [lone(0), lone(1)], [Need(1, False, False)] * 2, 1)
    assert found == []


# ------------------------------------------------------------ the proof itself
SPREAD = {
    "task": [{"name": f"t{n}"} for n in range(9)],
    "traffic": [
        {"from": f"t{n}", "to": f"t{(n * step + 1) % 9}", "messages_per_s": 1 + n * step % 5}
        for n in range(9)
        for step in (2, 4)
        if n != (n * step + 1) % 9
    ],
}


def program(known: Machine, raw: dict[str, Any]) -> Priced:
    asked = resolved(known, read_request(raw, Request, "placement"))
    instance = Instance(known, asked, expand(known, asked))
    return Encoder(instance, partition(instance)).decide()


@pytest.fixture(scope="module")
def spread() -> tuple[Priced, int]:
    """A program and the least cost of its models."""
    priced = program(machine(3, 4, 1), SPREAD)
    work = Work(priced.program, Limits(conflicts=10**6), time.monotonic() + 60, options=PROVING)
    with Aside(work) as alone:
        outcome = alone.result(time.monotonic() + 60)
    assert outcome is not None and outcome.proven
    return priced, outcome.cost[0]


def test_proof_refutes_only_below_the_optimum(spread: tuple[Priced, int]) -> None:
    """No model costs less than the least; one costs just that."""
    priced, least = spread
    for most, gone in ((least - 1, True), (least, False)):
        limits = Limits(conflicts=10**6)
        with Proof(priced.program, limits, time.monotonic() + 60, inside=True) as proof:
            proof.refute(most)
            assert proof._second is not None
            proof._second.result(time.monotonic() + 60)
            assert proof.refuted is gone


def test_proof_is_the_same_with_conflicts_in_turns(
    spread: tuple[Priced, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A solver that begins anew after some conflicts comes to the same end."""
    priced, least = spread
    for first in (1, 50, 10**6):
        monkeypatch.setattr("skb.engines.placement_proof.FIRST", first)
        with Proof(priced.program, Limits(), time.monotonic() + 60, inside=True) as proof:
            assert proof.wait(time.monotonic() + 60)
            found = proof.outcome(time.monotonic())
        assert found is not None and found.proven and found.cost == (least,)


def test_proof_ends_with_its_context(spread: tuple[Priced, int]) -> None:
    """Who leaves early does not wait for the solver, and leaves no thread behind."""
    priced, _least = spread
    with Proof(priced.program, Limits(), time.monotonic() + 60, inside=True) as proof:
        proof.refute(1)
        members = (proof._first, proof._second)
    for member in members:
        assert isinstance(member, Aside) and member.done()


def test_placement_answers_alike_whichever_proof_is_first() -> None:
    """With the second way late or early the decision is the same, to the seat."""
    known = machine(3, 4, 1)
    found: list[Decision] = []
    for late in (PROVING, REFUTING):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("skb.engines.placement_proof.FIRST", 20)
            hold(monkeypatch, late, 0.3)
            found.append(decide(known, SPREAD, Limits(seconds=30)))
    assert [decision.status for decision in found] == [Status.OPTIMAL] * 2
    assert found[0].id == found[1].id


def test_placement_answers_alike_when_looked_at_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that came after the first conflicts counts as late, also where nobody looked between:
    on a busy host the one who waits sleeps longer.
    """
    known = machine(3, 4, 1)
    monkeypatch.setattr("skb.engines.placement_proof.FIRST", 20)
    found = []
    for poll in (0.0005, 1.5):
        monkeypatch.setattr("skb.engines.placement_proof.POLL", poll)
        found.append(decide(known, SPREAD, Limits(seconds=60)))
    assert [decision.status for decision in found] == [Status.OPTIMAL] * 2
    assert found[0].id == found[1].id


def test_placement_uses_the_seconds_that_it_is_given() -> None:
    """The conflicts of the default limits are those of about ten seconds, not of one."""
    assert placement.CONFLICTS * Limits().conflicts > 100_000
