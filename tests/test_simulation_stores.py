"""How stores leave a sender in a simulation: as stated, polled by the receiver, or posted."""

import pytest

from simulator.costs import MessageCosts
from skb.benching.simulator_validation_model import bundled
from skb.errors import RequestError
from skb.simulation import simulate
from tests.simulator.protocols.memories import uneven

BOARD = "tyan-s4985"


def undecided(*_: object) -> object:
    """Refuse to decide: a named route needs no decision."""
    raise AssertionError


def ran(stores: str, **more: object) -> dict[str, object]:
    """Return a run of a server that fifteen others call on the 2009 board."""
    asked = {
        "protocol": "rpc-server",
        "route": "sequential",
        "members": list(range(16)),
        "clients": list(range(1, 16)),
        "operations": 150,
        "outstanding": 15,
        "stores": stores,
        **more,
    }
    return simulate(bundled(BOARD), asked, undecided)


def rate(told: dict[str, object]) -> float:
    """Return the operations per second of a run."""
    value = told["throughput_per_s"]
    assert isinstance(value, float | int)
    return value


def test_posted_replies_let_a_server_do_more() -> None:
    """It does not wait for its replies; a client alone sees no difference."""
    assert rate(ran("posted")) > rate(ran("stated"))
    alone = {"operations": 1, "outstanding": 1, "clients": [5]}
    assert ran("posted", **alone)["latency"] == ran("stated", **alone)["latency"]


def test_polled_lines_change_nothing_where_senders_wait_for_longer() -> None:
    """The board's sends take 358 cycles, half of its dearest receive 316."""
    assert ran("polled")["latency"] == ran("stated")["latency"]


@pytest.mark.parametrize("stores", ["stated", "polled", "posted"])
def test_engines_agree_on_stores(stores: str) -> None:
    """Both take the same costs."""
    plain, compiled = (ran(stores, engine=engine) for engine in ("plain", "compiled"))
    assert plain["latency"] == compiled["latency"]
    assert plain["trace_digest"] == compiled["trace_digest"]


def test_posted_and_polled_costs_keep_what_is_stated_beside() -> None:
    """No flight gets shorter, no idle message sooner."""
    costs: MessageCosts = uneven(4)
    for pair in costs.send_ps:
        assert costs.posted().one_way(*pair) == costs.one_way(*pair)
        assert costs.polled().propagation(*pair) >= costs.propagation(*pair)
    assert costs.polled().send_ps == costs.send_ps
    assert costs.posted().receive_ps == costs.receive_ps


def test_stores_are_refused_where_messages_are_none() -> None:
    """An interrupt is no store, and unknown words are named."""
    with pytest.raises(RequestError, match="stores to cache lines"):
        ran("posted", protocol="ipi-shootdown")
    with pytest.raises(RequestError, match="some"):
        ran("some")
