"""Offers: who serves whom, where programs run, what refuses a service, and what the rest costs."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.knowledge import explain_alternative
from skb.machine import Machine
from skb.questions import question
from skb.questions.offers_request import condition
from skb.relations import Fact
from tests.machines import bundled, grown

OFFERS = question("offers")
ON_CORES = [
    Fact("latency_within", ("package", 10.0)),
    Fact("latency_within", ("machine", 100.0)),
]
ISA = [Fact("isa", ("package:0", "x86_64")), Fact("isa", ("package:1", "riscv"))]
NIC = '[[device]]\nname = "nic"\nkind = "network"\nat = "package:1"\nisa = "ebpf"\n'


def two(*facts: Fact, extra: str = "") -> Machine:
    """Return two packages of two PUs: 10 ns inside one, 100 ns between them."""
    return grown("package:2 core:2 pu:1", *ON_CORES, *facts, extra=extra)


def app(name: str = "app", at: str = "pu:0", **more: Any) -> dict[str, Any]:
    return {"name": name, "at": at, "needs": {"kind": "net"}, **more}


def net(name: str, at: str, capacity: int | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "at": at,
        "properties": {"kind": "net", **properties},
        **({} if capacity is None else {"capacity": capacity}),
    }


def ask(machine: Machine, request: dict[str, Any]) -> Decision:
    """Decide and let the checker agree."""
    decision = OFFERS.decide(machine, request, Limits())
    assert OFFERS.check(machine, decision) == []
    return decision


def used(decision: Decision, client: str = "app") -> list[str]:
    return [entry["service"] for entry in decision.answer["clients"][client]["services"]]


def refused(decision: Decision, client: str = "app") -> dict[str, str]:
    rows = decision.answer["clients"][client]["refused"]
    return {row["service"]: "; ".join(row["reasons"]) for row in rows}


# ------------------------------------------------------------------ matching
def test_offers_takes_the_nearest_that_suits_and_says_why_not_the_rest() -> None:
    """The service on the own PU speaks another protocol; of the others the nearer one serves."""
    offers = [net("far", "pu:2"), net("near", "pu:1"), net("own", "pu:0", kind="pipe")]
    decision = ask(two(), {"client": [app()], "offer": offers})
    assert used(decision) == ["near"]
    assert (decision.status, decision.objective.value) == (Status.OPTIMAL, 10.0)
    assert refused(decision) == {"own": "client app needs kind = net; own offers pipe"}
    ranking = decision.answer["clients"]["app"]["ranking"]
    assert [(row["service"], row["value"]) for row in ranking] == [("near", 10.0), ("far", 100.0)]
    assert [reason.id for reason in decision.reasons] == ["need:app:kind:own"]


@pytest.mark.parametrize(("worth", "best"), [(89.0, "near"), (91.0, "far")])
def test_offers_wish_is_worth_that_much_latency(worth: float, best: str) -> None:
    """A wish for which 90 ns more would be travelled is granted above that price only."""
    client = app(wishes={"copies": {"is": "< 1", "worth_ns": worth}})
    offers = [net("near", "pu:1", copies=1), net("far", "pu:2", copies=0)]
    decision = ask(two(), {"client": [client], "offer": offers})
    assert used(decision) == [best]
    terms = {cost.term: cost.value for cost in decision.costs}
    near = {"latency": 10.0, "wishes": worth}
    assert terms == (near if best == "near" else {"latency": 100.0, "wishes": 0.0})


@pytest.mark.parametrize(
    ("wanted", "value", "holds"),
    [
        ("tcp", "tcp", True),
        ("tcp", "TCP", False),
        (10, "10.0", True),
        (2.5, "2.50", True),
        (True, "true", True),
        (">= 10", "10", True),
        ("> 10", "10", False),
        ("<=1e3", "1000", True),
        ("< 10", "9.99", True),
        (">= 10", "fast", False),
        (["tcp", "rdma"], "rdma", True),
        ("in [tcp, rdma]", "rdma", True),
        ("in [tcp, rdma]", "udp", False),
    ],
)
def test_offers_condition_means_what_it_says(wanted: Any, value: str, holds: bool) -> None:
    """Equality, comparison of numbers and one of several are all that there is."""
    assert condition(wanted, "here").holds(value) is holds


def test_offers_reads_services_and_needs_from_the_facts() -> None:
    """Without clients in the request those of the facts are matched, at the parts stated there."""
    facts = [
        Fact("service", ("app", "pu:0")),
        Fact("need", ("app", "speed", ">= 10")),
        Fact("service", ("slow", "pu:1")),
        Fact("offer", ("slow", "speed", "1")),
        Fact("service", ("fast", "pu:3")),
        Fact("offer", ("fast", "speed", "40")),
    ]
    decision = ask(two(*facts), {})
    assert used(decision) == ["fast"]
    assert "slow offers 1" in refused(decision)["slow"]
    assert "app states no speed" in refused(decision)["app"]


def test_offers_request_adds_to_the_facts_of_a_service() -> None:
    """A property of the request overrides the stated one; the place stays that of the facts."""
    facts = [Fact("service", ("slow", "pu:1")), Fact("offer", ("slow", "kind", "pipe"))]
    request = {"client": [app()], "offer": [{"name": "slow", "properties": {"kind": "net"}}]}
    assert used(ask(two(*facts), request)) == ["slow"]


def test_offers_full_service_sends_the_dearer_client_away() -> None:
    """One seat goes to the client of greater weight; the other's reason is the capacity."""
    request = {
        "client": [app("light"), app("heavy", weight=5)],
        "offer": [net("near", "pu:1", 1), net("far", "pu:2")],
    }
    decision = ask(two(), request)
    assert (used(decision, "heavy"), used(decision, "light")) == (["near"], ["far"])
    assert decision.objective.value == 5 * 10 + 100
    assert [reason.id for reason in decision.reasons] == ["capacity:near"]
    prices = {row["name"]: row["value"] for row in decision.alternatives}
    swapped = 10 + 5 * 100
    assert prices == {"light uses near": swapped, "heavy uses far": swapped}


def test_offers_capacity_may_be_a_fact() -> None:
    """The property `capacity` of the facts counts clients."""
    facts = [
        Fact("service", ("near", "pu:1")),
        Fact("offer", ("near", "kind", "net")),
        Fact("offer", ("near", "capacity", "0")),
    ]
    decision = ask(two(*facts), {"client": [app()], "offer": [net("far", "pu:2")]})
    assert used(decision) == ["far"]


def test_offers_several_services_share_the_place_of_their_client() -> None:
    """A client with a program and two services sits where the sum of both latencies is least."""
    machine = two(*ISA)
    request = {
        "client": [
            {"name": "app", "program": "p", "needs": {"kind": "net"}, "services": 2, "weight": 2}
        ],
        "offer": [net("a", "pu:1"), net("b", "pu:2"), net("c", "pu:3", kind="pipe")],
        "images": {"p": ["x86_64"]},
    }
    decision = ask(machine, request)
    row = decision.answer["clients"]["app"]
    assert (row["at"], sorted(used(decision))) == ("pu:1", ["a", "b"])
    assert decision.objective.value == 2 * (0 + 100)


# ------------------------------------------------------------------ what cannot be used
@pytest.mark.parametrize(
    ("fact", "word"),
    [
        (Fact("power", ("package:0", "off")), "powered off"),
        (Fact("presence", ("core:1", "absent")), "absent"),
        (Fact("disallowed", ("pu:1", "another cgroup")), "another cgroup"),
    ],
)
def test_offers_never_offers_a_service_on_an_unusable_part(fact: Fact, word: str) -> None:
    """A service on a part that is off, absent or not allowed is refused with that reason."""
    client = app(at="pu:3")
    request = {"client": [client], "offer": [net("gone", "pu:1"), net("there", "pu:2")]}
    decision = ask(two(fact), request)
    assert used(decision) == ["there"]
    assert word in refused(decision)["gone"]


def test_offers_alone_on_an_unusable_part_clashes_with_the_need() -> None:
    """Where only a sleeping part has what is needed, both are named."""
    request = {"client": [app(at="pu:3")], "offer": [net("gone", "pu:1")]}
    decision = ask(two(Fact("power", ("package:0", "sleep"))), request)
    assert decision.status is Status.INFEASIBLE
    assert [reason.id for reason in decision.reasons] == ["unusable:gone"]
    assert "asleep" in decision.reasons[0].text


# ------------------------------------------------------------------ code images
def test_offers_program_runs_where_it_has_code() -> None:
    """The service is on x86, the image is for RISC-V: the nearest RISC-V part runs the client."""
    request = {
        "client": [{"name": "app", "program": "filter", "needs": {"kind": "net"}}],
        "offer": [net("a", "pu:1")],
    }
    machine = two(*ISA, Fact("image", ("filter", "riscv")))
    row = ask(machine, request).answer["clients"]["app"]
    assert (row["at"], row["alike"], row["isa"]) == ("pu:2", "pu:2-3", "riscv")


def test_offers_program_may_run_on_a_programmable_device() -> None:
    """With code for the NIC the client sits on the NIC that offers the service."""
    machine = two(*ISA, extra=NIC)
    client = {"name": "app", "program": "filter", "needs": {"kind": "net"}}
    request = {"client": [client], "offer": [net("rx", "nic")], "images": {"filter": ["ebpf"]}}
    row = ask(machine, request).answer["clients"]["app"]
    assert (row["at"], row["isa"], row["services"][0]["latency_ns"]) == ("device:nic", "ebpf", 0.0)
    off = two(*ISA, Fact("power", ("device:nic", "off")), extra=NIC)
    decision = ask(off, {**request, "offer": [net("rx", "pu:0")]})
    assert [reason.id for reason in decision.reasons] == ["image:app"]


def test_offers_program_without_services_only_gets_a_place() -> None:
    """A program that needs nothing from others is placed where it has code."""
    request = {"client": [{"name": "app", "program": "p"}], "images": {"p": ["riscv"]}}
    decision = ask(two(*ISA), request)
    assert decision.answer["clients"]["app"]["at"] == "pu:2"
    assert used(decision) == []


# ------------------------------------------------------------------ impossible
def without(request: dict[str, Any], rule: str) -> dict[str, Any]:
    """Return the request of the next test without one of its rules."""
    client = {**request["client"][0], "needs": dict(request["client"][0]["needs"])}
    kind, _, rest = rule.partition(":")
    if kind == "need":
        del client["needs"][rest.partition(":")[2]]
    elif kind == "latency":
        del client["max_latency_ns"]
    elif kind == "at":
        del client["at"]
    else:
        del client["program"]
    return {**request, "client": [client]}


def test_offers_impossible_names_needs_that_are_each_needed() -> None:
    """Without any one of the reasons there is a match; the speed, which all have, is no reason."""
    client = app(program="p", max_latency_ns=50)
    client["needs"] = {"kind": "net", "speed": ">= 1"}
    request = {
        "client": [client],
        "offer": [net("far", "pu:2", speed=9), net("near", "pu:1", kind="pipe", speed=9)],
        "images": {"p": ["x86_64", "riscv"]},
    }
    machine = two(*ISA)
    decision = ask(machine, request)
    assert decision.status is Status.INFEASIBLE
    ids = [reason.id for reason in decision.reasons]
    assert ids == ["at:app", "need:app:kind", "latency:app"]
    for rule in ids:
        assert ask(machine, without(request, rule)).status is Status.OPTIMAL


def test_offers_too_many_clients_name_the_capacity() -> None:
    """Two clients and one seat: the capacity clashes, whoever is refused."""
    request = {"client": [app("a"), app("b")], "offer": [net("s", "pu:1", 1)]}
    decision = ask(two(), request)
    assert [reason.id for reason in decision.reasons] == ["capacity:s"]


# ------------------------------------------------------------------ why not
def test_offers_why_not_prices_another_service_exactly() -> None:
    """Forcing the far service costs the difference; forcing one that does not suit says why."""
    machine = two()
    offers = [net("near", "pu:1"), net("far", "pu:2"), net("own", "pu:0", kind="pipe")]
    decision = ask(machine, {"client": [app()], "offer": offers})
    told = explain_alternative(machine, decision.to_json(), {"client": "app", "service": "far"})
    assert (told["difference"], told["exact"]) == (90.0, True)
    told = explain_alternative(machine, decision.to_json(), {"client": "app", "service": "own"})
    assert {reason["id"] for reason in told["reasons"]} == {"need:app:kind", "forced:app:own"}


def test_offers_why_not_moves_a_program() -> None:
    """A client with a program can be forced to another part that runs it."""
    machine = two(*ISA)
    request = {
        "client": [{"name": "app", "program": "p", "needs": {"kind": "net"}}],
        "offer": [net("a", "pu:1")],
        "images": {"p": ["x86_64", "riscv"]},
    }
    decision = ask(machine, request)
    told = explain_alternative(machine, decision.to_json(), {"client": "app", "at": "pu:3"})
    assert (decision.objective.value, told["difference"]) == (0.0, 100.0)


# ------------------------------------------------------------------ numbers and bad input
def test_offers_prices_beyond_31_bits_stay_bounded() -> None:
    """Weights of 1e12 beside 1e-6 do not fit clingo exactly; the bound stays below the price."""
    request = {
        "client": [app("a", weight=1e12), app("b", weight=1e-6), app("c", weight=0.333333)],
        "offer": [net("near", "pu:1"), net("far", "pu:2")],
    }
    decision = ask(two(), request)
    assert decision.objective.value == pytest.approx(10 * (1e12 + 1e-6 + 0.333333))
    assert decision.bound is not None
    assert decision.gap is not None and decision.gap < 1e-6


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "no clients"),
        ({"client": [app(at="pu:99")]}, "no pu:99"),
        ({"client": [app(), app()]}, "name of its own"),
        ({"client": [{"name": "x", "needs": {"a": "b"}}]}, "where x runs"),
        ({"client": [{"name": "x", "at": "pu:0"}]}, "needs nothing"),
        ({"client": [app(needs={"a": "> many"})]}, "no number"),
        ({"client": [app(needs={"a": []})]}, "no value"),
        ({"client": [app(weight=float("nan"))]}, "no amount"),
        ({"client": [app(weight=-1)]}, "no amount"),
        ({"client": [app(services=-1)]}, "out of range"),
        ({"client": [app()], "offer": [{"name": "s"}]}, "where s runs"),
        ({"client": [app()], "offer": [net("s", "pu:0", capacity=-1)]}, "out of range"),
        ({"client": [app()], "forced": [{"client": "b", "service": "s"}]}, "no client 'b'"),
        ({"client": [app()], "forced": [{"client": "app", "service": "s"}]}, "no service 's'"),
        ({"client": [app(colour="red")]}, "colour"),
        ({"client": [app(program="")]}, "has no name"),
    ],
)
def test_offers_bad_request_is_refused_in_words(request_: dict[str, Any], words: str) -> None:
    """What makes no sense is named, with its place and the mend."""
    with pytest.raises(RequestError, match=words) as caught:
        OFFERS.decide(two(), request_, Limits())
    assert caught.value.place or caught.value.mend


def test_offers_same_request_same_decision() -> None:
    """Asking twice gives the same decision, down to its identity."""
    from tomllib import loads

    machine, raw = bundled("tyan-s4985"), loads(OFFERS.example)
    assert ask(machine, raw).id == ask(machine, raw).id


def test_offers_of_many_clients_are_proven() -> None:
    """Forty clients and forty seats on two packages: proven, half of them across."""
    near = [net(f"near{n}", "pu:1", 5) for n in range(4)]
    far = [net(f"far{n}", "pu:2", 5) for n in range(4)]
    clients = [app(f"c{n}", weight=1 + n // 20) for n in range(40)]
    decision = ask(two(), {"client": clients, "offer": [*near, *far]})
    assert decision.status is Status.OPTIMAL
    assert decision.objective.value == 20 * 2 * 10 + 20 * 100
    full = ask(two(), {"client": [*clients, app("more")], "offer": [*near, *far]})
    assert full.status is Status.INFEASIBLE
    assert {reason.id for reason in full.reasons} >= {f"capacity:{s['name']}" for s in near}
