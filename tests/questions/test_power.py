"""What goes when parts go, what can go while a load runs, and in which order, on known machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import LimitError, RequestError
from skb.knowledge import explain_alternative, machine_of
from skb.machine import Machine
from skb.questions.placement import QUESTION as PLACEMENT
from skb.questions.power import QUESTION
from skb.questions.power_hits import hits
from skb.relations import Fact
from skb.resources import bundled_machines
from skb.sources import read_path
from tests.machines import CHAIN, bundled, grown, shared

BOARD = bundled("tyan-s4985")
EPYC = bundled("epyc-7401-2p")
TASKS = {
    "task": [
        {"name": "a", "pus": 2, "exclusive": True},
        {"name": "b", "exclusive": True},
        {"name": "c", "exclusive": True},
    ],
    "traffic": [{"from": "a", "to": "b", "messages_per_s": 1000}],
}
NOW = {"a": {"pus": [0, 1]}, "b": {"pus": [4]}, "c": {"pus": [30]}}


def asked(machine: Machine, raw: dict[str, Any]) -> Decision:
    """Return a decision that its judge accepts."""
    found = QUESTION.decide(machine, raw, Limits())
    assert QUESTION.check(machine, found) == []
    return found


def row_of(found: Decision, part: str) -> dict[str, Any]:
    """Return what is told of a lost part."""
    return next(row for row in found.answer["unreachable"] if row["part"] == part)


# ------------------------------------------------------------------ what goes
def test_power_a_package_takes_its_devices_by_the_only_way() -> None:
    """A network device hangs on the package of its bridge, and the whole way is told."""
    row = row_of(asked(BOARD, {"off": ["package:0"]}), "device:eth0")
    assert row["dominator"] == "package:0"
    assert row["hangs_on"] == "pci:0000:01:00.0"
    assert row["text"] == (
        "device:eth0 hangs on package:0: the only way was machine:0 -> package:0 -> bridge:0"
        " -> pci:0000:01:00.0 -> device:eth0"
    )


def test_power_two_parts_together_cut_off_a_third() -> None:
    """A package between two that go has no single dominator, but a lost way over each."""
    row = row_of(asked(BOARD, {"off": ["package:1", "package:7"]}), "package:0")
    assert row["dominator"] is None
    assert row["because"] == ["package:1", "package:7"]
    assert [set(way) & {"package:1", "package:7"} for way in row["ways"]] == [
        {"package:1"},
        {"package:7"},
    ]


def test_power_links_go_like_parts() -> None:
    """Without its two links a package is cut off, which neither of them does alone."""
    links = ["link:package:0-package:1", "link:package:7-package:0"]
    both = asked(BOARD, {"off": links})
    assert both.answer["lost"]["pus"] == 4
    assert row_of(both, "pu:0")["because"] == sorted(
        ["link:package:0-package:1", "link:package:0-package:7"]
    )
    assert asked(BOARD, {"off": links[:1]}).answer["unreachable"] == []


def test_power_a_device_with_two_hosts_keeps_its_other_way() -> None:
    """A device that is linked to a second package stays while either of the two is on."""
    extra = CHAIN + '[[link]]\nfrom = "package:2"\nto = "device:nic"\nkind = "pcie"\n'
    machine = grown(
        "package:3 core:2 pu:1",
        Fact("contains", ("package:0", "bridge:0")),
        Fact("contains", ("bridge:0", "device:nic")),
        extra=extra,
    )
    one = asked(machine, {"off": ["package:0"]})
    assert "device:nic" not in {row["part"] for row in one.answer["unreachable"]}
    assert one.answer["other_way"] == [{"part": "device:nic", "over": ["package:2"]}]
    both = row_of(asked(machine, {"off": ["package:0", "package:2"]}), "device:nic")
    assert both["dominator"] is None
    assert both["because"] == ["package:0", "package:2"]
    assert len(both["ways"]) == 2


def test_power_a_core_takes_no_memory() -> None:
    """Memory that hangs under a core is merely local to it."""
    machine = grown("package:1 core:2 pu:1", Fact("contains", ("core:0", "numa:7")))
    lost = {row["part"] for row in asked(machine, {"off": ["core:0"]}).answer["unreachable"]}
    assert lost == {"core:0", "pu:0"}


def test_power_services_go_with_their_part() -> None:
    """A service is lost with the part that it runs on, and the way to that is told."""
    machine = grown("package:2 core:2 pu:1", Fact("service", ("nfsd", "pu:2")))
    row = row_of(asked(machine, {"off": ["package:1"]}), "service:nfsd")
    assert row["dominator"] == "package:1"
    assert "runs on pu:2" in row["text"]


def test_power_single_points_are_those_that_take_most() -> None:
    """In a chain of packages the middle one takes itself and one end; the table begins with it."""
    machine = grown("package:3 core:2 pu:1", extra=CHAIN)
    first = asked(machine, {"off": ["pu:0"]}).answer["single_points"][0]
    assert first["parts"] == ["package:1"]
    assert first["pus"] == 4


@pytest.mark.parametrize("name", sorted(bundled_machines()))
def test_power_every_bundled_machine_is_answered(name: str) -> None:
    """Each kind of part of every bundled machine can go, and come back."""
    machine = bundled(name)
    kinds = {part.partition(":")[0]: part for part in machine.objects}
    for kind in ("package", "group", "numa", "l3", "core", "pci", "device"):
        if kind in kinds:
            found = asked(machine, {"off": [kinds[kind]]})
            assert found.answer["resume"]["steps"][0]["part"] == kinds[kind]
            assert kinds[kind] in {row["part"] for row in found.answer["unreachable"]}


@pytest.mark.parametrize(
    ("file", "raw", "left"),
    [
        ("uv-24s384t.v3.xml", {"keep": {"pus": 40}, "save": {"kind": "package"}}, 3),
        ("x3950m2-96c.v3.xml", {"keep": {"pus": 30}, "save": {"kind": "group"}}, 2),
        ("hmat-memtiers-qemu.v3.xml", {"keep": {"pus": 2}, "save": {"kind": "core"}}, 2),
        ("opteron865-8s.v3.xml", {"keep": {"pus": 3}, "save": {"kind": "package"}}, 2),
    ],
)
def test_power_real_machines_keep_as_few_parts_as_counting_says(
    file: str, raw: dict[str, Any], left: int
) -> None:
    """40 PUs of packages with 16, 30 of groups with 24, and so on."""
    machine = machine_of(read_path(shared(f"hwloc/{file}")), "real")
    found = asked(machine, raw)
    assert found.status is Status.OPTIMAL
    assert found.objective.value == left


# ------------------------------------------------------------------ what can go
def test_power_keeps_what_the_load_needs_near_its_device() -> None:
    """Eight PUs and eth0: the device's package and a neighbour stay; the price of both is told."""
    found = asked(BOARD, {"keep": {"pus": 8, "devices": ["eth0"]}, "save": {"kind": "package"}})
    assert found.objective.value == found.bound == 2
    assert set(found.answer["saving"]["parts"]).isdisjoint({"package:0"})
    priced = {row["name"]: row for row in found.alternatives}
    assert priced["package:0 goes"]["value"] is None
    assert {row["unit"] for row in found.alternatives} == {"parts"}


def test_power_watts_choose_the_hungry_part() -> None:
    """Of two equal packages the one with more watts goes; both are told in W."""
    machine = grown("package:2 core:2 pu:1")
    raw = {"keep": {"pus": 2}, "watts": {"package:0": 95.5, "package:1": 60}}
    found = asked(machine, raw)
    assert found.answer["saving"]["parts"] == ["package:0"]
    assert found.objective.value == 60
    assert found.objective.unit == "W"


def test_power_watts_come_from_facts_and_gaps_are_told() -> None:
    """Idle power of one package is stated; that of the other counts nothing, and is told."""
    machine = grown(
        "package:2 core:2 pu:1", Fact("power_draw", ("package:1", "idle", "package", 30.0))
    )
    found = asked(machine, {"keep": {"pus": 2}})
    assert found.answer["saving"]["parts"] == ["package:1"]
    assert [one.fact for one in found.assumed] == ["power of package:0 = 0 W"]


def test_power_a_target_is_met_and_no_more_goes() -> None:
    """Three packages are asked for, and three go, although seven could."""
    found = asked(BOARD, {"keep": {"pus": 4}, "save": {"kind": "package", "parts": 3}})
    assert len(found.answer["saving"]["parts"]) == 3
    assert found.status is Status.OPTIMAL


def test_power_latency_counts_the_ways_that_are_left() -> None:
    """In a chain two packages are near enough for 2 hops only while the middle one forwards."""
    machine = grown(
        "package:3 core:2 pu:1",
        Fact("latency_hops", (1, 100.0)),
        Fact("latency_hops", (2, 200.0)),
        Fact("latency_within", ("package", 20.0)),
        extra=CHAIN,
    )
    raw = {"keep": {"pus": 4, "max_latency_ns": 100}, "save": {"kind": "package"}}
    found = asked(machine, raw)
    assert "package:1" not in found.answer["saving"]["parts"]
    assert found.objective.value == 2
    near = asked(machine, {"keep": {"pus": 4, "max_latency_ns": 30}})
    assert {reason.id for reason in near.reasons} == {"keep.pus", "keep.max_latency_ns"}


def test_power_never_is_kept_reachable_too() -> None:
    """What must stay on must stay reachable, so that the package in the middle stays as well."""
    machine = grown("package:3 core:2 pu:1", extra=CHAIN)
    raw = {"keep": {"pus": 1}, "never": ["package:0", "package:2"], "save": {"kind": "package"}}
    assert asked(machine, raw).answer["saving"]["parts"] == []


def test_power_too_much_is_refused_by_the_least_wishes() -> None:
    """Forty PUs are more than the board has, whatever else is wanted."""
    raw = {"keep": {"pus": 40, "devices": ["eth0"]}, "never": ["package:5"]}
    found = asked(BOARD, raw)
    assert found.status is Status.INFEASIBLE
    assert [reason.id for reason in found.reasons] == ["keep.pus"]


def test_power_off_and_never_clash() -> None:
    """eth0 cannot stay reachable without its package, and nothing else is to blame."""
    found = asked(BOARD, {"off": ["package:3", "package:0"], "never": ["eth0", "package:4"]})
    assert [reason.id for reason in found.reasons] == ["off:package:0", "never:eth0"]


def test_power_why_not_prices_a_part_that_goes_or_stays() -> None:
    """One package more stays on where a chosen one may not go; a forbidden one has reasons."""
    raw = {"keep": {"pus": 8, "devices": ["eth0"]}, "save": {"kind": "package"}}
    found = asked(BOARD, raw).to_json()
    part = found["answer"]["saving"]["parts"][0]
    told = explain_alternative(BOARD, found, {"on": "package:4"})
    assert told["difference"] >= 1 and told["exact"]
    assert part in found["answer"]["off"]
    none = explain_alternative(BOARD, found, {"off": "package:0"})
    assert none["status"] == "infeasible"
    assert {reason["id"] for reason in none["reasons"]} == {"off:package:0", "keep.devices:eth0"}


# ------------------------------------------------------------------ who leaves, and in which order
def test_power_tasks_leave_before_their_package_goes() -> None:
    """Only the task of the package that goes moves, memory first, and the package goes last."""
    now = {"a": {"pus": [0, 48], "numa_node": 0, "memory_mib": 30000}, "b": {"pus": [6]}}
    told = asked(EPYC, {"off": ["group:0"], "current": now}).answer["evacuation"]
    assert told["moves"] == 1
    assert [step["do"] for step in told["steps"]] == ["move memory", "move task", "off"]
    assert told["tasks"]["b"]["pus"] == [6]
    assert told["after"]["proven"]


def test_power_tasks_stay_where_most_can_go() -> None:
    """The load is the tasks; of equal packages one with tasks stays, so that few move."""
    raw = {"keep": {"placement": TASKS}, "save": {"kind": "package"}, "current": NOW}
    found = asked(BOARD, raw)
    assert found.answer["saving"]["amount"] == 7
    assert found.answer["evacuation"]["moves"] < 3


def test_power_tasks_that_find_no_room_are_refused() -> None:
    """A full board has no room for the tasks of a package that goes."""
    now = {f"t{n}": {"pus": list(range(4 * n, 4 * n + 4))} for n in range(8)}
    found = asked(BOARD, {"off": ["package:0"], "current": now})
    assert found.status is Status.INFEASIBLE
    assert "off:package:0" in {reason.id for reason in found.reasons}


def test_power_comes_back_from_what_is_on_outwards() -> None:
    """In a chain that is off behind its first package, the middle comes before the end."""
    off = [Fact("power", (f"package:{n}", "off")) for n in (1, 2)]
    machine = grown("package:3 core:2 pu:1", *off, extra=CHAIN)
    told = asked(machine, {"resume": ["package:2", "package:1"]}).answer["resume"]
    assert [row["part"] for row in told["steps"]] == ["package:1", "package:2"]
    assert told["steps"][1]["after"] == ["package:1"]
    alone = asked(machine, {"resume": ["package:2"]}).answer["resume"]
    assert alone["still_unreachable"][0]["part"] == "package:2"


# ------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({}, "nothing goes, stays or comes back"),
        ({"off": ["package:9"]}, r"\$\.off\[0\].*has no package:9"),
        ({"off": ["link:package:0-package:4"]}, "has no link:package:0-package:4"),
        ({"off": "package:0"}, r"\$\.off"),
        ({"of": ["package:0"]}, "keys are: off, keep"),
        ({"keep": {"pus": -1}}, r"\$\.keep\.pus"),
        ({"keep": {"pus": 1, "devices": ["eth9"]}}, r"\$\.keep\.devices\[0\]"),
        ({"keep": {"pus": 1}, "save": {"kind": "socket"}}, "has no socket"),
        ({"keep": {"pus": 1}, "save": {"kind": "machine"}}, "no part that can be saved"),
        ({"keep": {"pus": 1}, "save": {"parts": 1, "watts": 2}}, "both given"),
        ({"keep": {"pus": 1}, "save": {"watts": 50}}, "nobody stated the power"),
        ({"keep": {"memory_mib": 1}}, "states no memory sizes"),
        ({"keep": {"decision": "3f2a"}}, "is not filled in"),
        ({"keep": {"placement": {"tsk": []}}}, "tsk"),
        ({"keep": {"placement": TASKS, "pus": 2}}, "not both"),
        ({"off": ["pu:0"], "watts": {"socket": 3}}, r"\$\.watts\.socket"),
        ({"off": ["pu:0"], "current": {"a": {"pus": []}}}, r"\$\.current"),
        ({"off": ["pu:0"], "current": {"a": {"pus": [0]}, "b": {"pus": [0]}}}, "cannot be where"),
        ({"off": ["pu:0"], "keep": {"placement": TASKS}, "current": {"z": {"pus": [0]}}}, "only"),
    ],
)
def test_power_bad_requests_name_place_and_mend(raw: dict[str, Any], text: str) -> None:
    """Each slip is refused with one sentence that says where it is."""
    with pytest.raises(RequestError, match=text):
        QUESTION.decide(BOARD, raw, Limits())


def joined(packages: int, pairs: list[tuple[str, str]], *more: Fact) -> Machine:
    """Return packages of one core with links one way, and more facts."""
    wires = [Fact("link", (a, b, "wire")) for a, b in pairs]
    return grown(f"package:{packages} core:1 pu:1", *wires, *more)


def test_power_a_device_of_two_hosts_stays_when_one_is_cut_off() -> None:
    """Packages in a row, the device of the last with a link to the first: the rest may go."""
    ways = [("package:0", "package:1"), ("package:1", "package:2"), ("package:0", "device:nic")]
    both = [way for a, b in ways for way in ((a, b), (b, a))]
    machine = joined(3, both, Fact("contains", ("package:2", "device:nic")))
    raw = {"keep": {"pus": 1, "devices": ["nic"]}, "save": {"kind": "package"}}
    found = asked(machine, raw)
    assert found.status is Status.OPTIMAL
    assert found.answer["saving"]["amount"] == 2
    one = asked(machine, {"off": ["package:1"]})
    assert one.answer["other_way"] == [{"part": "device:nic", "over": ["package:0"]}]


def test_power_tasks_of_small_loads_need_a_pu_each() -> None:
    """A task on eleven PUs stays on eleven, however little it does there; loads add up to one."""
    load = {"task": [{"name": "a", "load": 0.1, "pus": 11}]}
    found = asked(BOARD, {"keep": {"placement": load}, "save": {"kind": "core"}})
    assert (found.status, found.objective.value) == (Status.OPTIMAL, 11)
    rows = [{"name": f"t{at}", "load": share} for at, share in enumerate((0.7, 0.1, 0.2))]
    found = asked(BOARD, {"keep": {"placement": {"task": rows}}, "save": {"kind": "core"}})
    assert (found.status, found.objective.value) == (Status.OPTIMAL, 1)


def test_power_a_load_that_was_not_placed_in_time_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the placement of the tasks ran out of time nothing is excluded."""

    def late(*_args: object) -> Decision:
        raise LimitError("nothing was found", mend="allow more seconds")

    monkeypatch.setattr("skb.questions.power_load.PLACEMENT", replace(PLACEMENT, decide=late))
    found = asked(BOARD, {"off": ["package:0"], "keep": {"placement": TASKS}})
    assert found.status is Status.UNKNOWN


def test_power_what_is_trimmed_to_the_amount_still_runs() -> None:
    """With fewer parts off another piece of the interconnect has the most PUs: it is looked at."""
    facts = [
        Fact("link", (f"package:{a}", f"package:{b}", "wire"))
        for a, b in ((0, 2), (2, 0), (1, 2), (2, 1))
    ]
    for at in (10, 11):
        facts += [Fact("contains", ("package:1", f"core:{at}"))]
        facts += [Fact("contains", (f"core:{at}", f"pu:{at}"))]
    machine = grown("package:3 core:1 pu:1", *facts)
    found = asked(machine, {"never": ["pu:0"], "save": {"kind": "package", "parts": 1}})
    assert found.status is Status.OPTIMAL
    assert "package:1" in found.answer["saving"]["parts"]


def test_power_hits_read_the_nodes_of_buffers_as_nodes() -> None:
    """The nodes between which the best place of a buffer changes are no PUs."""
    flow = {"crossover": {"from": 1, "to": 2}, "consumer_pu": 4}
    row = {"id": "a", "question": "buffers", "machine": "m", "revision": 0, "request": {}}
    stored = {**row, "answer": {"flows": {"f": flow}}}
    assert hits([stored], {"pu:1", "numa:2", "pu:4"})[0]["parts"] == ["numa:2", "pu:4"]


def test_power_tasks_are_drawn_together_on_machines_without_all_levels() -> None:
    """Tasks whose first placement is too wide are put closer, on a machine without caches, too."""
    near = [Fact("latency_within", ("package", 40.0)), Fact("latency_within", ("machine", 150.0))]
    load = {
        "task": [{"name": name, "exclusive": True} for name in ("a", "b", "c")],
        "traffic": [
            {"from": "a", "to": "b", "messages_per_s": 1},
            {"from": "b", "to": "c", "messages_per_s": 1},
        ],
    }
    machine = grown("package:2 core:2 pu:1", *near)
    raw = {"off": ["core:0"], "keep": {"placement": load, "max_latency_ns": 50}}
    assert asked(machine, raw).status is Status.UNKNOWN
    wider = {**raw, "keep": {"placement": load, "max_latency_ns": 150}}
    assert asked(machine, wider).status is Status.OPTIMAL
