"""Routes under conditions on links, domains and transports, and what crosses each link."""

from __future__ import annotations

import time
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.route import check
from skb.decision import Decision, Limits, Status
from skb.engines import route_rules
from skb.engines.asp import Atom
from skb.engines.route_rules import Verdict
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question, route
from skb.questions.route_request import read
from skb.relations import Fact
from tests.machines import bundled, grown

ROUTE = question("route")
BOARD = bundled("tyan-s4985")
QUICK = Limits(conflicts=2000)


def decide(machine: Machine, **request: Any) -> Decision:
    decision = ROUTE.decide(machine, request, QUICK)
    assert ROUTE.check(machine, decision) == []
    return decision


def ring(count: int, *facts: Fact) -> Machine:
    """Packages of two cores in a ring, with costs by hops."""
    links = [
        Fact("link", (f"package:{a}", f"package:{b % count}", "ht"))
        for at in range(count)
        for a, b in ((at, at + 1), ((at + 1) % count, at))
    ]
    costs = [
        Fact("message_cost_hops", (hops, "cache_line", role, cost + 100 * hops))
        for hops in (1, 2)
        for role, cost in (("send", 20), ("receive", 50))
    ]
    within = [
        Fact("message_cost_within", ("package", "cache_line", role, 30))
        for role in ("send", "receive")
    ]
    return grown(f"package:{count} numa:1 core:2 pu:1", *links, *costs, *within, *facts)


RING = ring(4)
PACKAGES = {pu: pu // 2 for pu in range(8)}


def crossings(decision: Decision) -> Counter[tuple[int, int]]:
    """Messages of a broadcast between neighbours on a ring of four; two hops go over the lower."""
    found: Counter[tuple[int, int]] = Counter()
    for row in decision.answer["sends"]:
        for to in row["to"]:
            a, b = PACKAGES[row["from"]], PACKAGES[to]
            if (b - a) % 4 == 2:
                middle = min((a + 1) % 4, (a - 1) % 4)
                found[a, middle] += 1
                found[middle, b] += 1
            elif a != b:
                found[a, b] += 1
    return found


def test_the_load_of_each_link_is_counted() -> None:
    """Against a count by hand on a ring, where two hops go over the first neighbour."""
    decision = decide(RING, root=0, model="postal")
    stated = {
        (int(row["from"][8:]), int(row["to"][8:])): row["messages"]
        for row in decision.answer["link_load"]
    }
    assert stated == dict(crossings(decision))
    loads = [row["messages"] for row in decision.answer["link_load"]]
    assert loads == sorted(loads, reverse=True)


def test_no_message_crosses_a_forbidden_link() -> None:
    """The tree goes round; which costs no less."""
    free = decide(RING, root=0)
    tied = decide(RING, root=0, forbid_links=[["package:1", "package:0"]])
    assert not {(0, 1), (1, 0)} & set(crossings(tied))
    assert {(0, 1)} & set(crossings(free))
    assert (tied.objective.value or 0) >= (free.objective.value or 0)
    assert any("forbid_links" in row.get("breaks", "") for row in tied.alternatives)


def test_a_part_cut_off_by_links_is_explained_by_them() -> None:
    """Exactly the links around the package, and nothing else of the request."""
    around = [["package:0", "package:1"], ["package:1", "package:2"]]
    decision = decide(RING, forbid_links=[*around, ["package:2", "package:3"]], max_fan_out=6)
    assert decision.status == Status.INFEASIBLE
    texts = {row.text for row in decision.reasons}
    assert texts < {
        "forbidden link package:0 - package:1",
        "forbidden link package:1 - package:2",
        "forbidden link package:2 - package:3",
    }
    assert len(texts) == 2
    assert {item for row in decision.reasons for item in row.items} <= set(RING.links)


@pytest.mark.parametrize("operation", ["broadcast", "reduce", "barrier"])
def test_a_limit_of_link_load_is_kept_and_named(operation: str) -> None:
    """Each package is entered over a link once at least, so one message for each link will do."""
    decision = decide(RING, root=0, operation=operation, max_link_load=1, model="postal")
    assert max(row["messages"] for row in decision.answer["link_load"]) == 1
    assert any(row.id == "max_link_load" for row in decision.reasons)
    free = decide(RING, root=0, operation=operation, model="postal")
    assert (decision.objective.value or 0) >= (free.bound or 0)


def test_a_limit_of_link_load_that_nobody_can_keep_is_the_reason() -> None:
    """Nothing leaves the package of the root."""
    decision = decide(RING, root=0, max_link_load=0)
    assert decision.status == Status.INFEASIBLE
    assert [row.text for row in decision.reasons] == ["max_link_load 0"]


def test_the_table_of_a_links_decision_says_the_ways() -> None:
    """With a table that goes the other way round, other links are loaded."""
    table = {
        f"package:{a}": {
            f"package:{b}": f"package:{(a - 1) % 4 if (b - a) % 4 > 1 else (a + 1) % 4}"
            for b in range(4)
            if a != b
        }
        for a in range(4)
    }
    asked = {"root": 0, "members": [0, 4], "next_hop": table}
    over = [(row["from"], row["to"]) for row in decide(RING, **asked).answer["link_load"]]
    assert over == [("package:0", "package:3"), ("package:3", "package:2")]
    plain = decide(RING, root=0, members=[0, 4]).answer["link_load"]
    assert [row["to"] for row in plain] == ["package:1", "package:2"]
    with pytest.raises(RequestError, match="no way leads from package:0"):
        ROUTE.decide(RING, {**asked, "next_hop": {}, "max_link_load": 1}, QUICK)


@pytest.mark.parametrize(("per", "count"), [("core", 32), ("numa", 8), ("package", 8)])
def test_one_member_of_each_part(per: str, count: int) -> None:
    """The root stands for its own part, the first usable PU for every other."""
    decision = decide(BOARD, root=6, per=per)
    reached = {int(pu) for pu in decision.answer["arrivals"]}
    assert len(reached) == count
    assert 6 in reached
    if per != "core":
        assert reached == {6, *range(0, 32, 4)} - {4}


def test_one_member_of_each_part_skips_what_is_off() -> None:
    """Powered off cores are no members, so the next one of the package is taken."""
    machine = ring(4, Fact("power", ("core:2", "off")))
    assert {int(pu) for pu in decide(machine, per="package").answer["arrivals"]} == {0, 3, 4, 6}


def test_another_transport_has_its_own_costs() -> None:
    """Stated ones only; a gap that nobody stated is the send cost and listed."""
    costs = [
        Fact("message_cost_within", ("package", "ipi", role, cost))
        for role, cost in (("send", 400), ("receive", 900))
    ]
    decision = decide(ring(4, *costs), members=[0, 1], root=0, transport="ipi")
    assert decision.objective.value == 1300
    assert any("gap of ipi" in row.fact for row in decision.assumed)
    with pytest.raises(RequestError, match="states no ipi message costs"):
        ROUTE.decide(RING, {"transport": "ipi"}, QUICK)


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        ({"forbid_links": [["package:0", "package:2"]]}, "$.forbid_links[0]"),
        ({"max_link_load": -1}, "$.max_link_load"),
        ({"max_link_load": 1, "objective": "occupancy"}, "$.max_link_load"),
        ({"per": "l2"}, "$.per"),
        ({"per": "socket"}, "$.per"),
        ({"transport": "pigeon"}, "$.transport"),
    ],
)
def test_a_bad_condition_names_its_place(request_: dict[str, Any], place: str) -> None:
    """With a mend."""
    with pytest.raises(RequestError) as caught:
        ROUTE.decide(RING, request_, QUICK)
    assert place in caught.value.place
    assert caught.value.mend


def test_the_judge_recounts_links() -> None:
    """Other loads, a forbidden link that is crossed, a limit that is broken."""
    right = decide(RING, root=0)
    loads = deepcopy(right.answer)
    loads["link_load"][0]["messages"] += 1
    assert check(RING, replace(right, answer=loads))
    first = right.answer["link_load"][0]
    for more in ({"forbid_links": [[first["to"], first["from"]]]}, {"max_link_load": 0}):
        assert check(RING, replace(right, request={**right.request, **more}))
    assert check(RING, replace(right, request={**right.request, "per": "package"}))


def test_crossings_are_listed_only_for_those_who_need_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thousand PUs have millions: the task has those of forbidden links, the rules have all."""
    link = ["package:0", "package:1"]
    free = read(RING, {"max_link_load": 1})
    assert not [atom for atom in free.atoms if atom[0] == "crosses"]
    shut = read(RING, {"max_link_load": 1, "forbid_links": [link]})
    few = {atom for atom in shut.atoms if atom[0] == "crosses"}
    every = {atom for atom in shut.all_atoms if atom[0] == "crosses"}
    assert few == {atom for atom in every if sorted(map(str, atom[1][2:4])) == link}
    assert 0 < len(few) < len(every)
    request = {"max_link_load": 1, "root": 0, "require": [[0, 2], [0, 3]]}
    assert decide(RING, **request).status == Status.INFEASIBLE
    monkeypatch.setattr(route, "LARGEST_LINKED", 7)
    assert decide(RING, **request).status == Status.UNKNOWN


def test_the_rules_have_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question to them late in a request does not begin the limit anew."""
    asked: list[float] = []
    whole = route_rules.verdict

    def timed(atoms: tuple[Atom, ...], limits: Limits) -> Verdict:
        asked.append(limits.seconds)
        return whole(atoms, limits)

    monkeypatch.setattr(route, "verdict", timed)
    request = {"root": 0, "forbid": [[0, pu] for pu in range(1, 8)]}
    begun = time.monotonic() - 7.0
    found = ROUTE.decide(RING, request, Limits(seconds=10.0, begun=begun))
    assert found.status == Status.INFEASIBLE
    assert asked and max(asked) < 3.0
    late = ROUTE.decide(RING, request, Limits(seconds=5.0, begun=begun))
    assert late.status in (Status.INFEASIBLE, Status.UNKNOWN)
    assert asked[-1] == route.LEAST_RULES_S
