"""Named queries: every one against plain Python, on real machines and on broken ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import RequestError, SkbError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.named import Named, named, named_queries
from skb.questions import question
from skb.relations import Fact
from skb.sources import read_path
from tests.machines import bundled, grown, shared
from tests.questions.named_oracle import answer

QUERY = question("query")
BOARD = bundled("tyan-s4985")
REAL = ("knl7250-snc4-flat.v2-converted.xml", "uv-24s384t.v3.xml")
GROWN = "package:2 numa:1 l3:2 l2:2 core:1 pu:2"


def ask(name: str, machine: Machine = BOARD, **values: Any) -> Decision:
    """Ask a named query, and let the checker agree."""
    decision = QUERY.decide(machine, {"named": name, "with": values}, Limits())
    assert QUERY.check(machine, decision) == []
    assert decision.status is Status.OPTIMAL
    return decision


def rows(decision: Decision) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in decision.answer["rows"]]


@cache
def broken() -> Machine:
    """Eight cores with parts off, absent and disallowed, some loads, and devices on both sides."""
    parts = """
[[device]]
name = "eth0"
kind = "network"
at = "package:0"
pci = "0000:01:00.0"
[[device]]
name = "ssd"
kind = "storage"
at = "l3:3"
[[link]]
from = "package:0"
to = "package:1"
mib_s = 5000
"""
    facts = (
        Fact("power", ("core:0", "off")),
        Fact("presence", ("core:6", "absent")),
        Fact("power", ("core:7", "sleep")),
        Fact("disallowed", ("pu:4", "cgroup")),
        Fact("disallowed", ("numa:1", "cgroup")),
        Fact("load", ("pu:2", 70)),
        Fact("load", ("core:2", 20)),
        Fact("load", ("pu:8", 5)),
        Fact("cache_size", ("l3:0", 2**21)),
        Fact("cache_line", ("l3:0", 128)),
        Fact("memory_kind", ("numa:0", "hbm")),
        Fact("core_kind", ("core:1", "performance")),
    )
    return grown(GROWN, *facts, extra=parts)


@cache
def machine(name: str) -> Machine:
    if name == "broken":
        return broken()
    if name in REAL:
        return machine_of(read_path(shared(f"hwloc/{name}")), name.partition(".")[0])
    return bundled(name)


def cases(query: Named, on: Machine) -> Iterator[dict[str, Any]]:
    """Yield parameters that cover a query: parts from the ends and the middle, and every word."""
    pus = [f"pu:{pu}" for pu in on.usable_pus]
    devices = [name for name in on.of_kind("device") if not on.unusable(name)]
    cores = [c for c in on.of_kind("core") if set(on.pus_of(c)) & set(on.usable_pus)]
    choices: dict[str, list[Any]] = {}
    for parameter in query.parameters:
        known: dict[str, list[Any]] = {
            "processor": [pus[0], cores[len(cores) // 2], pus[-1]],
            "device": devices[:1] + devices[-1:],
            "numa": [f"numa:{on.usable_numa[-1]}"] if on.usable_numa else [],
            "word": list(parameter.words[:4]),
            "int": [parameter.least + 3],
            "core_kind": sorted({str(f.args[1]) for f in on.facts_of("core_kind")})[:1],
        }
        some = known[parameter.type]
        choices[parameter.name] = some
        if parameter.default is None and not some:
            return
    required = [p.name for p in query.parameters if p.default is None]
    for at in range(max((len(choices[name]) for name in required), default=1)):
        base = {name: choices[name][(at + n) % len(choices[name])] for n, name in
                enumerate(required)}  # fmt: skip
        yield base
    for parameter in query.parameters:
        if parameter.default is not None:
            yield from ({**base, parameter.name: value} for value in choices[parameter.name])


def pairs() -> Iterator[tuple[str, str]]:
    """Yield every query with the board, the broken machine, and one of the large ones in turn."""
    for number, name in enumerate(sorted(named_queries())):
        for on in ("tyan-s4985", "broken", ("ex235a", *REAL)[number % 3]):
            yield name, on


@pytest.mark.parametrize(("name", "on"), list(pairs()))
def test_named_answer_is_that_of_plain_python(name: str, on: str) -> None:
    """On each machine the rows are exactly those that the oracle finds, none twice."""
    query = named(name)
    asked = list(cases(query, machine(on)))
    for values in asked if on == "broken" else asked[-1:]:
        found = rows(ask(name, machine(on), **values))
        assert len(set(found)) == len(found)
        assert sorted(map(repr, map(_plain, found))) == sorted(
            map(repr, map(_plain, answer(name, machine(on), values)))
        ), values


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(round(float(v), 6) if isinstance(v, int | float) else v for v in row)


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_named_query_works_on_a_thousand_pus(name: str) -> None:
    """The limit of pairs of a user's rules does not bind: what is given is what is needed."""
    mesh = bundled("mesh-1024")
    values = next(cases(named(name), mesh), None)
    if values is None:
        pytest.skip("the mesh has no such part")
    found = ask(name, mesh, **values)
    assert found.answer["count"] == 1
    if name in {"cores-near-core", "channel-buffer", "cost-of-hop", "cores-near-device"}:
        wanted = answer(name, mesh, values)
        assert sorted(map(repr, map(_plain, rows(found)))) == sorted(map(repr, map(_plain, wanted)))


def test_named_rows_are_ordered_as_the_header_says() -> None:
    """Numbers ascend, parts follow their index, and a count takes the first."""
    every = rows(ask("cores-near-core", core="pu:0", count=31))
    assert [row[2] for row in every] == sorted(row[2] for row in every)
    assert rows(ask("cores-near-core", core="pu:0", count=5)) == every[:5]
    assert [row[0] for row in every[:3]] == ["pu:1", "pu:2", "pu:3"]
    assert [row[0] for row in rows(ask("available-cores"))][9:12] == ["pu:9", "pu:10", "pu:11"]


def test_named_unusable_parts_are_never_offered() -> None:
    """What is off, asleep, absent or disallowed stands in no row; the oracle looks at the rest."""
    on = broken()
    gone = {f"pu:{pu}" for pu in set(on.pus) - set(on.usable_pus)} | {"numa:1"}
    assert {"pu:0", "pu:4", "pu:12", "pu:14"} <= gone
    for name in ("available-cores", "lightly-loaded-core", "interrupt-groups", "cache-groups"):
        assert not {value for row in rows(ask(name, on)) for value in row} & gone, name
    near = rows(ask("memory-near-core", on, core="pu:10"))
    # the node of its own package is not allowed
    assert [row[0] for row in near] == ["numa:0"] and near[0][2] == "remote"


def test_named_cores_near_a_device_without_a_usable_pu_are_the_next() -> None:
    """With the device's package asleep, the cores nearest to its memory are given as remote."""
    asleep = Machine("m", [*BOARD.facts, Fact("power", ("package:0", "sleep"))])
    found = rows(ask("cores-near-device", asleep, device="device:eth0"))
    assert {row[2] for row in found} == {"remote"}
    # packages 1 and 7 are one hop away from package 0
    assert {row[0] for row in found} == {f"pu:{n}" for n in (4, 5, 6, 7, 28, 29, 30, 31)}


def test_named_hops_follow_the_links_that_are_on() -> None:
    """Without package 7 the way from package 0 to 6 is longer, and the answer says so."""
    assert rows(ask("hops-between-cores", first="pu:0", second="pu:24")) == [
        ("package:0", "package:6", 2)
    ]
    off = Machine("m", [*BOARD.facts, Fact("power", ("package:1", "off"))])
    # 0-7-6-5-4-2 instead of 0-1-2
    assert rows(ask("hops-between-cores", off, first="pu:0", second="pu:8")) == [
        ("package:0", "package:2", 5)
    ]


def test_named_channel_buffer_between_neighbours_is_at_either_end() -> None:
    """Between cores of two linked packages both nodes cost the same, and both are returned."""
    found = rows(ask("channel-buffer", first="pu:0", second="pu:4"))
    assert [row[0] for row in found] == ["numa:0", "numa:1"]
    assert found[0][1] == found[1][1]


def test_named_page_cost_is_lines_times_latency() -> None:
    """A page of 4 KiB has 64 lines of 64 bytes; a line more where it does not divide."""
    near, far = rows(ask("cost-to-reach-memory", core="pu:0"))[:2]
    assert near[0] == "numa:0" and near[2] == 64 and near[3] == near[1] * 64
    assert far[1] > near[1]
    odd = rows(ask("cost-to-reach-memory", core="pu:0", page_bytes=4097))
    assert odd[0][2] == 65
    huge = rows(ask("cost-to-reach-memory", core="pu:0", page_bytes=2**25))
    assert huge[0][3] == 2**19 * near[1]


def test_named_assumptions_are_listed() -> None:
    """An unstated load or line is assumed, and the decision says so; a stated one is not."""
    assumed = [a.fact for a in ask("lightly-loaded-core").assumed]
    assert assumed == ["load = 0 percent"]
    loaded = Machine("m", [*BOARD.facts, *(Fact("load", (f"pu:{p}", p)) for p in BOARD.pus)])
    assert ask("lightly-loaded-core", loaded).assumed == ()
    bare = grown("numa:1 core:2 pu:1")
    facts = [a.fact for a in ask("cost-to-reach-memory", bare, core="pu:0").assumed]
    assert "cache line = 64 bytes" in facts


def test_named_numbers_and_bare_names_are_understood() -> None:
    """A PU or node may be a number, a device its bare name, and an alias is its query."""
    full = ask("cores-near-device", device="device:eth0")
    short = ask("nearest-cores", device="eth0")
    assert rows(full) == rows(short)
    assert short.answer["named"] == "cores-near-device"
    assert short.answer["with"] == {"device": "device:eth0"}
    assert short.request == {"named": "nearest-cores", "with": {"device": "eth0"}}
    assert rows(ask("load-of-core", core=3)) == [("pu:3", "unknown")]
    assert rows(ask("load-of-core", core="3")) == [("pu:3", "unknown")]
    only = ask("cost-to-reach-memory", core="core:1", memory=2)
    assert [row[0] for row in rows(only)] == ["numa:2"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"named": "nearest-core"}, "did you mean nearest-cores"),
        ({"named": "zzz"}, "`skb queries` lists them"),
        ({"named": "cores-near-device"}, "device is missing"),
        ({"named": "cores-near-device", "with": {"device": "eth9"}}, "near names: device:eth"),
        ({"named": "cores-near-device", "with": {"device": "pu:0"}}, "a device or pci or bridge"),
        ({"named": "load-of-core", "with": {"core": "pu:99"}}, "pu:0 to pu:31 (32)"),
        ({"named": "load-of-core", "with": {"core": "package:0"}}, "a pu or core"),
        ({"named": "load-of-core", "with": {"core": True}}, "not one value"),
        ({"named": "load-of-core", "with": {"core": ["pu:0"]}}, "not one value"),
        ({"named": "load-of-core", "with": {"cores": "pu:0"}}, "no parameter 'cores'"),
        ({"named": "cores-sharing-cache", "with": {"core": 0, "level": "l9"}}, "one of any, l1"),
        ({"named": "cores-near-core", "with": {"core": 0, "count": -1}}, "whole number from 0"),
        ({"named": "cores-near-core", "with": {"core": 0, "count": "x"}}, "whole number from 0"),
        ({"named": "available-cores", "with": {"kind": "fast"}}, "no kind of core"),
        ({"named": "available-cores", "rules": "a."}, "both rules and named"),
        ({"rules": "a.", "with": {"core": 0}}, "with goes with named"),
        ({"named": "available-cores", "models": 0}, "leave out models"),
        ({"named": "available-cores", "show": ["pu/1"]}, "leave out models"),
    ],
)
def test_named_bad_request_says_what_was_wrong(request_: dict[str, Any], words: str) -> None:
    """What is unknown, missing or of another type is refused with place and mend."""
    with pytest.raises(RequestError) as refused:
        QUERY.decide(BOARD, request_, Limits())
    assert words in str(refused.value)
    assert refused.value.place.startswith("query request")


def test_named_asking_about_an_unusable_part_is_refused() -> None:
    """A core that is off is no place to ask about, and the reason is its own."""
    with pytest.raises(RequestError, match="core:0 is powered off"):
        ask("load-of-core", broken(), core="core:0")
    with pytest.raises(RequestError, match="not allowed: cgroup"):
        ask("load-of-core", broken(), core=4)


@pytest.mark.parametrize("text", ['pu:0") :- a. b("', "pu:0, pu:1", "#script", "pu:0\n", "X", ""])
def test_named_parameters_never_become_rules(text: str) -> None:
    """Whatever a parameter holds is one value, and no part has such a name."""
    for name, key in (("load-of-core", "core"), ("cores-near-device", "device")):
        with pytest.raises(SkbError) as refused:
            QUERY.decide(BOARD, {"named": name, "with": {key: text}}, Limits())
        assert refused.value.exit_code == 2


def test_named_empty_answer_is_an_answer() -> None:
    """No rows are a proven answer with its reason, not an error."""
    decision = ask("memory-of-kind", kind="hbm")
    assert decision.answer["rows"] == []
    assert [reason.text for reason in decision.reasons] == ["no part fits"]


def test_named_same_request_gives_the_same_decision() -> None:
    """Same snapshot, name and parameters: same identifier and rows."""
    first, second = (ask("cores-near-core", core="pu:0") for _ in range(2))
    assert (first.id, first.answer) == (second.id, second.answer)


def test_named_devices_of_a_core_that_has_none_are_the_nearest_elsewhere() -> None:
    """Local devices come first; without one those with the cheapest memory, of the kind asked."""
    assert rows(ask("devices-near-core", core="13")) == [
        ("device:eth0", "network", "package:0", "remote"),
        ("device:eth1", "network", "package:7", "remote"),
    ]
    assert {row[0] for row in rows(ask("devices-near-core", core="31"))} == {"device:eth1"}
    assert rows(ask("devices-near-core", core="31", kind="storage")) == []
