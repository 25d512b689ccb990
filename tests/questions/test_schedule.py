"""Schedule: gangs in time slots and core sets, their price, and what refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question
from skb.relations import Fact
from tests.machines import bundled, grown

SCHEDULE = question("schedule")
BOARD = "tyan-s4985"


def app(name: str, least: int, most: int | None = None, **more: Any) -> dict[str, Any]:
    """Return an application of a request."""
    return {"name": name, "threads_min": least, "threads_max": most or least, **more}


def ask(machine: Machine, *applications: dict[str, Any], **more: Any) -> Decision:
    """Decide and let the checker agree."""
    decision = SCHEDULE.decide(machine, {"application": list(applications), **more}, Limits())
    assert SCHEDULE.check(machine, decision) == []
    return decision


def texts(decision: Decision) -> str:
    return "; ".join(reason.text for reason in decision.reasons)


def test_schedule_puts_what_synchronises_into_one_package() -> None:
    """Four threads with barriers share a package; their price is one latency for each barrier."""
    machine = grown("package:2 l3:1 core:4 pu:1", Fact("latency_within", ("l3", 40.0)))
    decision = ask(machine, app("calm", 4), app("busy", 4, sync=1000))
    busy = decision.answer["applications"]["busy"]
    assert (busy["packages"], busy["spread_ns"], busy["value"]) == (1, 40.0, 40_000.0)
    assert decision.status is Status.OPTIMAL
    assert decision.objective.value == decision.bound == 40_000.0


def test_schedule_takes_as_few_slots_as_fit() -> None:
    """Four gangs of half the board need two slots, and no PU idles."""
    decision = ask(bundled(BOARD), *(app(f"a{n}", 16) for n in range(4)))
    assert len(decision.answer["slots"]) == decision.answer["least"]["slots"] == 2
    assert decision.answer["idle"] == 0
    assert all(len(slot) == 2 for slot in decision.answer["slots"])


def test_schedule_packing_beats_what_counting_allows() -> None:
    """Three gangs of 20 threads fill less than two slots, but no two of them share one."""
    decision = ask(bundled(BOARD), *(app(f"a{n}", 20) for n in range(3)))
    assert decision.answer["least"]["slots"] == 3
    assert decision.status is Status.OPTIMAL


def test_schedule_grows_threads_and_repeats_gangs_rather_than_idle() -> None:
    """Threads grow up to their limit; what fits beside the others runs in every slot."""
    decision = ask(bundled(BOARD), app("a", 16, 24), app("b", 24), app("c", 8))
    rows = decision.answer["applications"]
    assert decision.answer["idle"] == 0
    assert rows["c"]["slots"] == [1, 2]
    assert rows["a"]["threads"] == 24


def test_schedule_price_of_an_idle_core_is_its_time() -> None:
    """One core of two that idles in the only slot loses a second each second."""
    decision = ask(grown("package:1 core:2 pu:1"), app("a", 1))
    assert decision.answer["idle"] == 1
    assert decision.objective.value == 1e9


def test_schedule_counts_idle_units_before_synchronisation() -> None:
    """Where barriers could outweigh an idle core, it is priced so that it still comes first."""
    decision = ask(grown("package:2 core:2 pu:1"), app("a", 2, 4, sync=1e9))
    assert decision.answer["idle"] == 0
    assert "still count first" in decision.warnings[0]


def test_schedule_gives_whole_cores_unless_pus_are_asked_for() -> None:
    """A thread has a core with both PUs, or one PU; the choice of the unit is told."""
    machine = grown("package:1 core:2 pu:2")
    cores = ask(machine, app("a", 1))
    assert len(cores.answer["slots"][0]["a"]["pus"]) == 2
    assert any(entry.fact == "unit = cores" for entry in cores.assumed)
    assert len(ask(machine, app("a", 1), unit="pus").answer["slots"][0]["a"]["pus"]) == 1


def test_schedule_never_uses_what_is_off() -> None:
    """A package without power is no room for a gang."""
    off = Fact("power", ("package:0", "off"))
    machine = grown("package:2 core:2 pu:1", off)
    assert ask(machine, app("a", 2)).answer["slots"] == [{"a": {"pus": [2, 3]}}]
    assert ask(machine, app("a", 3)).status is Status.INFEASIBLE


def test_schedule_keeps_applications_to_their_kind_and_place() -> None:
    """Core kind and place limit an application; two gangs for one kind need two slots."""
    board = bundled("odroid-n2")
    pair = (app("a", 3, kind="performance"), app("b", 3, kind="performance"))
    decision = ask(board, *pair)
    assert len(decision.answer["slots"]) == decision.answer["least"]["slots"] == 2
    inside = ask(bundled(BOARD), app("a", 4, at="package:3"))
    assert inside.answer["slots"] == [{"a": {"pus": [12, 13, 14, 15]}}]


def test_schedule_refuses_with_the_limit_that_leaves_too_little() -> None:
    """The reasons name the application and only the limit that is to blame."""
    decision = ask(bundled(BOARD), app("a", 5, at="package:3", isa="x86_64"), app("b", 1))
    assert decision.status is Status.INFEASIBLE
    assert [reason.id for reason in decision.reasons] == ["threads:a", "at:a"]
    assert "5 threads" in texts(decision)
    assert "package:3" in texts(decision)


def test_schedule_refuses_too_few_slots_with_the_gangs_that_clash() -> None:
    """Three of five gangs are enough to overfill two slots; the small ones are not named."""
    gangs = [app(name, 20) for name in "pqr"]
    decision = ask(bundled(BOARD), app("s", 2), *gangs, app("t", 1), slots=2)
    named = {reason.id for reason in decision.reasons}
    assert named == {"slots", "threads:p", "threads:q", "threads:r"}


def test_schedule_refuses_memory_that_is_not_there() -> None:
    """The memory of all applications stays through all slots; those named are needed."""
    size = Fact("memory_size", ("numa:0", 2**30))
    machine = grown("package:1 numa:1 core:4 pu:1", size)
    wanted = {"a": 600, "b": 500, "c": 20}
    decision = ask(machine, *(app(n, 1, memory_mib=m) for n, m in wanted.items()))
    assert {reason.id for reason in decision.reasons} == {"memory:a", "memory:b"}


def test_schedule_prices_a_forced_place() -> None:
    """`why not` forces an application into a part and pays for it."""
    machine = bundled(BOARD)
    raw = {"application": [app("a", 4, sync=1000), app("b", 28)]}
    base = SCHEDULE.decide(machine, raw, Limits())
    assert SCHEDULE.force is not None
    forced = SCHEDULE.force(machine, raw, {"application": "b", "package": "1"})
    assert SCHEDULE.decide(machine, forced, Limits()).status is Status.INFEASIBLE
    forced = SCHEDULE.force(machine, raw, {"application": "a", "package": "6"})
    other = SCHEDULE.decide(machine, forced, Limits())
    assert other.answer["slots"][0]["a"]["pus"] == [24, 25, 26, 27]
    assert base.objective.value is not None
    assert other.objective.value == pytest.approx(base.objective.value)


def test_schedule_gives_a_bound_at_a_thousand_cores() -> None:
    """Fifty applications on 1024 cores get an admissible answer, and a bound below it."""
    machine = bundled("mesh-1024")
    gangs = [app(f"a{n}", 8 + 7 * n % 40, 64, sync=100 * (n % 5)) for n in range(50)]
    raw = {"application": gangs}
    decision = SCHEDULE.decide(machine, raw, Limits(seconds=1))
    assert decision.bound is not None
    assert decision.objective.value is not None
    assert 0 < decision.bound <= decision.objective.value
    pus = [pu for gang in decision.answer["slots"][0].values() for pu in gang["pus"]]
    assert len(set(pus)) == len(pus)


def test_schedule_is_the_same_every_time() -> None:
    """Same request, same seed: same decision."""
    gangs = [app(f"a{n}", 3 + n, 8 + n, sync=500 * n) for n in range(6)]
    assert ask(bundled(BOARD), *gangs).id == ask(bundled(BOARD), *gangs).id


@pytest.mark.parametrize(
    ("applications", "more", "words"),
    [
        ([], {}, "application"),
        ([{"name": "a"}], {}, "threads"),
        ([app("a", 1), app("a", 2)], {}, "two applications"),
        ([app("a", 3, 2)], {}, "above threads_max"),
        ([{"name": "a", "threads": 2, "threads_max": 3}], {}, "beside"),
        ([app("a", 1, at="package:99")], {}, "package:99"),
        ([app("a", 1, sync=-1)], {}, ">= 0"),
        ([app("a", 1)], {"slots": 65}, "<= 64"),
        ([app("a", 1)], {"forced": [{"application": "b", "at": "pu:0"}]}, "no application"),
    ],
)
def test_schedule_refuses_a_bad_request_by_name(
    applications: list[dict[str, Any]], more: dict[str, Any], words: str
) -> None:
    """What is wrong is said with place and mend."""
    with pytest.raises(RequestError, match=words) as caught:
        SCHEDULE.decide(bundled(BOARD), {"application": applications, **more}, Limits())
    assert caught.value.place
    assert caught.value.mend
