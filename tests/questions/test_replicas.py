"""Replicas: who shares, who talks, at what price, and what is said where nothing may be."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.checkers.replicas_prices import Prices
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.replicas import QUESTION
from skb.questions.whynot import alternative
from skb.relations import Fact
from tests.machines import bundled, grown

LIMITS = Limits(seconds=5)
BOARD = bundled("tyan-s4985")
CYCLES = 2.0  # per ns, of the board
SMALL = (
    "package:2 numa:1 l3:2 core:1 pu:2",
    "package:3 core:2 pu:1",
    "numa:2 package:1 l2:3 core:1 pu:1",
    "package:1 core:3 pu:2",
    "pu:5",
)
UNMAP = {"name": "unmap", "lines": 4, "read_rate": 1e6, "update_rate": 5000.0, "work_ns": 100.0}


def decided(machine: Machine, *objects: dict[str, Any], limits: Limits = LIMITS) -> Decision:
    """Decide objects and let the checker judge the answer."""
    found = QUESTION.decide(machine, {"object": list(objects)}, limits)
    assert QUESTION.check(machine, found) == []
    return found


def only(found: Decision) -> dict[str, Any]:
    """Return the answer about the one object."""
    [told] = found.answer["objects"].values()
    return dict(told)


# ---------------------------------------------------------------- what is best when
def test_replicas_reads_want_replicas_and_updates_sharing() -> None:
    """Readers are given replicas of their own where updates are few; writers share one."""
    read = {"name": "x", "lines": 4, "read_rate": 1e7, "update_rate": 1.0}
    assert only(decided(BOARD, read))["replicas"] > 1
    write = {"name": "x", "lines": 1, "read_rate": 0.0, "update_rate": 1e4}
    told = only(decided(BOARD, write))
    assert (told["replicas"], told["between"]) == (1, "nothing")
    assert told["operations"]["update"]["protocol"] in ("shared-lock", "node-replication")


def test_replicas_many_lines_are_combined_and_one_is_locked() -> None:
    """One order saves the transfer of many lines; with one line the lock is as good."""
    for lines, way in ((1, "lock"), (8, "combining")):
        asked = {**UNMAP, "lines": lines, "level": "package"}
        assert {row["inside"] for row in only(decided(BOARD, asked))["domains"]} == {way}


def test_replicas_one_user_is_alone() -> None:
    """A single user has the object to itself: no lock, no message, no wait for lines."""
    told = only(decided(BOARD, {**UNMAP, "members": [5]}))
    [row] = told["domains"]
    assert (row["inside"], row["part"], row["messages"]) == ("alone", "core:5", 0.0)
    assert told["tree"]["sends"] == []


def test_replicas_share_of_each_class_by_its_protocol() -> None:
    """Each class of updates has its own protocol; refused proposals are made again."""
    rows = [
        {"name": "map", "rate": 10.0, "consistency": "single-phase"},
        {"name": "retype", "rate": 10.0, "consistency": "two-phase", "refused": 0.5},
        {"name": "elect", "rate": 1.0, "consistency": "consensus"},
        {"name": "log", "rate": 1.0, "consistency": "consensus", "protocol": "multi-paxos"},
    ]
    asked = {"name": "x", "read_rate": 1e6, "operations": rows, "level": "package"}
    operations = only(decided(BOARD, asked))["operations"]
    protocols = {name: row["protocol"] for name, row in operations.items()}
    assert protocols == {
        "map": "single-phase-commit",
        "retype": "two-phase-commit",
        "elect": "raft",
        "log": "multi-paxos",
    }
    assert operations["retype"]["per_s"] == 2 * operations["map"]["per_s"]
    assert operations["map"]["latency_ns"]["worst"] < operations["retype"]["latency_ns"]["worst"]
    priced = {row["protocol"]: row for row in operations["elect"]["protocols"]}
    assert set(priced) == {"raft", "multi-paxos", "one-paxos", "chain-replication"}
    assert priced["raft"]["messages"] == 14
    assert priced["multi-paxos"]["survives"] == 3


def test_replicas_survive_failures() -> None:
    """A majority of 2f + 1 replicas is left when f fail."""
    asked = {"name": "x", "read_rate": 10.0, "update_rate": 100.0, "consistency": "consensus"}
    assert only(decided(BOARD, asked))["replicas"] == 1
    assert only(decided(BOARD, {**asked, "faults": 2}))["replicas"] >= 5


# ---------------------------------------------------------------- what is known
def test_replicas_server_against_shared_memory() -> None:
    """16 cores of the board that update the same lines add about 12,000 cycles to an update, and
    one server for all does twice the updates (SOSP 2009; within 40 percent).
    """
    asked = {
        "name": "x",
        "lines": 4,
        "update_rate": 1e3,
        "members": [f"package:{p}" for p in range(4)],
    }
    rows = {
        row["sharing"]: row["most_updates_per_s"]
        for row in decided(BOARD, asked).alternatives
        if row["level"] == "machine"
    }
    assert rows["combining"] / rows["lock"] == pytest.approx(2.0, rel=0.4)
    added = 15 * 1e9 / rows["lock"] * CYCLES
    assert added == pytest.approx(12_000, rel=0.4)


def test_replicas_messages_grow_slower_than_sharing() -> None:
    """From 2 to 32 cores an update by messages grows less than one that all cores make at once
    behind a lock, and at most 2.4 times, within 25 percent, with one replica per package.
    """
    times: dict[str, list[float]] = {"messages": [], "lock": []}
    for cores in ([0, 4], list(range(32))):
        asked = {"name": "x", "lines": 4, "update_rate": 100.0, "members": cores}
        found = decided(BOARD, {**asked, "level": "package"})
        times["messages"].append(only(found)["operations"]["update"]["latency_ns"]["mean"])
        locked = next(
            row
            for row in found.alternatives
            if (row["level"], row["sharing"]) == ("machine", "lock")
        )
        times["lock"].append(len(cores) * 1e9 / locked["most_updates_per_s"])
    growth = {way: late / early for way, (early, late) in times.items()}
    assert growth["messages"] < growth["lock"]
    assert growth["messages"] <= 2.4 * 1.25


# ---------------------------------------------------------------- is it the best
@pytest.mark.parametrize("seed", range(12))
def test_replicas_is_the_least_of_all_choices(seed: int) -> None:
    """On small machines no choice of domains and coordinator that the checker prices is cheaper."""
    draw = random.Random(seed)
    machine = grown(SMALL[seed % len(SMALL)])
    asked = {
        "name": "x",
        "lines": draw.choice([1, 4]),
        "read_rate": {f"pu:{pu}": 10 ** draw.uniform(2, 7) for pu in machine.pus},
        "update_rate": {f"pu:{pu}": 10 ** draw.uniform(0, 5) for pu in machine.pus},
        "consistency": draw.choice(["single-phase", "two-phase", "consensus"]),
    }
    found = decided(machine, asked)
    prices = Prices(machine, asked)
    everyone = {frozenset([pu]) for pu in machine.pus}
    parts = everyone | {frozenset(machine.pus_of(name)) for name in machine.objects}
    choices = list(_covers(sorted(machine.pus), {part for part in parts if part}))
    used = {part for choice in choices for part in choice}
    least = min(
        min(sum(price[part] for part in choice) for choice in choices)
        for seat in machine.pus
        for price in [{part: prices.cheapest(sorted(part), seat) for part in used}]
    )
    assert found.status is Status.OPTIMAL
    assert found.objective.value == pytest.approx(least, rel=1e-6)


def _covers(pus: list[int], parts: set[frozenset[int]]) -> Any:
    """Yield every set of parts that holds each PU once."""
    if not pus:
        yield ()
        return
    for part in parts:
        if pus[0] in part and part <= set(pus):
            for rest in _covers([pu for pu in pus if pu not in part], parts):
                yield (part, *rest)


def test_replicas_crossover_is_where_the_answer_changes() -> None:
    """Just below each crossover the granularity is still the best, just above it is the other."""
    told = only(decided(BOARD, UNMAP))
    assert told["crossovers"]
    for row in told["crossovers"]:
        for nudge in (0.999, 1.001):
            asked = {**UNMAP, "update_rate": UNMAP["update_rate"] * row["factor"] * nudge}
            asked["at"] = [told["coordinator"]]
            found = QUESTION.decide(BOARD, {"object": [asked]}, LIMITS)
            past = (nudge > 1) == (row["side"] == "above")
            expected = row["best"] if past else told["granularity"]
            if row["best"] != "none may be" or not past:
                assert only(found)["granularity"] == expected


def test_replicas_alternatives_are_what_forcing_them_costs() -> None:
    """Each price of an alternative is the objective with that level and sharing forced."""
    found = decided(BOARD, UNMAP)
    assert len(found.alternatives) == 5
    for row in found.alternatives[::2]:
        forced = {**UNMAP, "level": row["levels"][0]}
        if row["sharing"] != "alone":
            forced["sharing"] = row["sharing"]
        assert decided(BOARD, forced).objective.value == pytest.approx(row["value"], rel=1e-9)


def test_replicas_why_not_a_part() -> None:
    """Forcing a domain or a level costs the difference, exactly."""
    found = decided(BOARD, UNMAP)
    for clause in ({"object": "unmap", "level": "core"}, {"domain": "core:0"}):
        told = alternative(
            QUESTION,
            BOARD,
            found.to_json(),
            clause,
            LIMITS,
            lambda _name, machine, raw, limits: QUESTION.decide(machine, raw, limits),
        )
        assert told["exact"]
        assert told["difference"] >= 0


# ---------------------------------------------------------------- limits
def test_replicas_keep_to_their_limits() -> None:
    """Reads, numbers of replicas, memory and coordinator are as the request wants them."""
    free = only(decided(BOARD, UNMAP))
    slow = free["read_ns"]["worst"]
    bound = decided(BOARD, {**UNMAP, "max_read_ns": slow / 2})
    assert any(reason.id == "limits:unmap" for reason in bound.reasons)
    quick = only(bound)
    assert quick["read_ns"]["worst"] <= slow / 2
    assert only(decided(BOARD, {**UNMAP, "max_replicas": free["replicas"] - 1}))["replicas"] < 8
    bound = decided(BOARD, {**UNMAP, "not_at": [free["coordinator"]], "at": ["package:6"]})
    assert only(bound)["coordinator"] in BOARD.pus_of("package:6")
    one = {**UNMAP, "bytes": 4096, "memory_bytes": 4096, "level": "core"}
    assert QUESTION.decide(BOARD, {"object": [one]}, LIMITS).status is Status.INFEASIBLE


def test_replicas_updates_within_their_limit() -> None:
    """Where the cheapest choice is too slow for updates, a dearer one that is not is found."""
    free = decided(BOARD, UNMAP)
    late = only(free)["operations"]["update"]["latency_ns"]["worst"]
    found = decided(BOARD, {**UNMAP, "max_update_ns": 0.5 * late})
    assert only(found)["operations"]["update"]["latency_ns"]["worst"] <= 0.5 * late
    assert (found.objective.value or 0) > (free.objective.value or 0)
    assert found.bound is not None
    assert found.bound <= (found.objective.value or 0)


def test_replicas_share_the_memory_of_a_node() -> None:
    """Objects together do not take more than a NUMA node has; what that costs is no proof."""
    sizes = [Fact("memory_size", (f"numa:{n}", 1 << 20), "asserted") for n in range(2)]
    machine = grown("package:2 numa:1 core:4 pu:1", *sizes)
    read = {"lines": 4, "read_rate": 1e7, "update_rate": 1.0, "level": "package"}
    big = {**read, "bytes": 600_000}
    alone = decided(machine, {**big, "name": "a"})
    assert only(alone)["replicas"] == 2
    both = decided(machine, {**big, "name": "a"}, {**big, "name": "b"})
    assert both.status is Status.UNKNOWN
    free = {key: value for key, value in big.items() if key != "level"}
    found = decided(machine, {**free, "name": "a"}, {**free, "name": "b", "max_replicas": 1})
    assert found.answer["objects"]["b"]["replicas"] == 1
    nodes = [row["numa_node"] for o in found.answer["objects"].values() for row in o["domains"]]
    assert len(nodes) == len(set(nodes))


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"max_replicas": 3, "faults": 2}, {"max_replicas", "faults"}),
        ({"level": "package", "domains": ["core:0"], "max_replicas": 30}, {"level", "domains"}),
        ({"max_read_ns": 0.5}, {"max_read_ns"}),
        ({"memory_bytes": 0, "max_replicas": 3}, {"memory"}),
        ({"at": ["pu:3"], "not_at": ["package:0"]}, {"at", "not_at"}),
        ({"max_update_ns": 90.0, "faults": 1}, {"max_update_ns"}),
    ],
)
def test_replicas_infeasible_names_a_minimal_set(
    wishes: dict[str, Any], expected: set[str]
) -> None:
    """The reasons clash together, and without any one of them there is a choice."""
    found = decided(BOARD, {**UNMAP, **wishes})
    assert found.status is Status.INFEASIBLE
    named = {reason.id.partition(":")[0] for reason in found.reasons}
    assert named == expected
    clash = {"memory_bytes" if name == "memory" else name for name in named}
    for dropped in clash:
        kept = {key: value for key, value in wishes.items() if key in clash - {dropped}}
        again = QUESTION.decide(BOARD, {"object": [{**UNMAP, **kept}]}, LIMITS)
        assert again.status is not Status.INFEASIBLE


def test_replicas_overload_is_said() -> None:
    """More updates than a replica can take are refused, with how many would be possible."""
    asked: dict[str, Any] = {"name": "x", "lines": 8, "update_rate": 1e7}
    found = decided(BOARD, asked)
    assert found.status is Status.INFEASIBLE
    assert [reason.id for reason in found.reasons] == ["load:x"]
    most = float(found.reasons[0].text.split("; about ")[1].split()[0]) / len(BOARD.pus)
    assert decided(BOARD, {**asked, "update_rate": most * 0.99}).answer
    assert not decided(BOARD, {**asked, "update_rate": most * 1.01}).answer


# ---------------------------------------------------------------- machines
def test_replicas_leave_out_what_is_off() -> None:
    """PUs whose package is off are no members, and naming one of them is refused."""
    machine = Machine("b", [*BOARD.facts, Fact("power", ("package:3", "off"), "asserted")])
    told = only(decided(machine, UNMAP))
    assert {pu for row in told["domains"] for pu in row["pus"]} == set(BOARD.pus) - set(
        range(12, 16)
    )
    with pytest.raises(RequestError, match="package:3"):
        QUESTION.decide(machine, {"object": [{**UNMAP, "members": ["package:3"]}]}, LIMITS)


@pytest.mark.parametrize("tree", SMALL)
def test_replicas_levels_of_unlike_machines(tree: str) -> None:
    """Every level that a machine has can be forced; SMT siblings, caches and NUMA nodes too."""
    machine = grown(tree)
    for level in {row for each in decided(machine, UNMAP).alternatives for row in each["levels"]}:
        told = only(decided(machine, {**UNMAP, "level": level}))
        assert sum(len(row["pus"]) for row in told["domains"]) == len(machine.pus)


def test_replicas_parts_of_unequal_depth() -> None:
    """Users under parts of unequal depth are each in one domain."""
    members = ["package:0", "core:9", "pu:30"]
    told = only(decided(BOARD, {**UNMAP, "members": members, "level": "l3"}))
    assert sorted(len(row["pus"]) for row in told["domains"]) == [1, 1, 4]


def test_replicas_is_determined() -> None:
    """The same facts and request give the same decision."""
    one, two = (decided(BOARD, UNMAP).to_json() for _ in range(2))
    assert one["id"] == two["id"]
    assert one["answer"] == two["answer"]


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("wishes", "place", "words"),
    [
        ({"read_rate": -1.0}, "$.object[0].read_rate", ">= 0"),
        ({"read_rate": {"package:99": 1.0}}, "read_rate['package:99']", "no package:99"),
        ({"read_rate": 1e-300}, "$.object[0].read_rate", "fewer"),
        ({"members": []}, "$.object[0]", "no PU uses"),
        ({"members": ["device:eth0"]}, "members[0]", "device:eth0"),
        ({"sharing": "hope"}, "sharing", "Invalid enum value"),
        ({"level": "die"}, "level", "no die"),
        ({"domains": ["package:77"]}, "domains[0]", "no package:77"),
        ({"operations": [{"name": "a", "rate": 1.0}]}, "update_rate", "both"),
        ({"memory_bytes": {"package:0": 5}}, "memory_bytes", "no memory"),
        ({"colour": "red"}, "$.object[0]", "colour"),
        ({"at": [64]}, "at[0]", "no pu:64"),
        ({"read_rate": {"package:0": 1.0, "l3:0": 2.0}}, "read_rate", "different rates"),
    ],
)
def test_replicas_bad_input_names_the_place(wishes: dict[str, Any], place: str, words: str) -> None:
    """A bad request gets one error with its place."""
    with pytest.raises(RequestError) as fault:
        QUESTION.decide(BOARD, {"object": [{**UNMAP, **wishes}]}, LIMITS)
    assert place in fault.value.place
    assert words in str(fault.value)


@pytest.mark.parametrize(
    "operations",
    [
        [{"name": "a", "rate": 1.0}, {"name": "a", "rate": 2.0}],
        [{"name": "a", "rate": 1.0, "refused": 0.5}],
        [{"name": "a", "rate": 1.0, "protocol": "raft"}],
    ],
)
def test_replicas_operations_must_make_sense(operations: list[dict[str, Any]]) -> None:
    """Names are unique, only two-phase proposals are refused, protocols fit their class."""
    with pytest.raises(RequestError) as fault:
        QUESTION.decide(BOARD, {"object": [{"name": "x", "operations": operations}]}, LIMITS)
    assert "operations[" in fault.value.place
