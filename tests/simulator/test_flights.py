"""Messages found again from rows: every one, and when it was sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from simulator import PROTOCOLS
from simulator.flights import flights
from simulator.scenario import run
from simulator.timing import broadcast_arrivals
from simulator.trees import Tree
from tests.simulator.worlds import STAR, TWO_LEVELS, even_costs, scenario

SEND, FLIGHT, RECEIVE = 60, 30, 100


def test_flights_of_a_broadcast_are_those_of_the_closed_form() -> None:
    """On an idle machine each member has heard when the closed form says."""
    costs = even_costs(7)
    result = run(scenario("atomic-broadcast", TWO_LEVELS, trace=True))
    found = flights(result.trace, costs, result.came_ps)
    arrivals = broadcast_arrivals(TWO_LEVELS, costs, "logp")
    down = [flight for flight in found if flight.source < flight.target]
    assert {flight.target: flight.heard_ps for flight in down} == {
        pu: arrival for pu, arrival in arrivals.items() if pu
    }
    assert all(flight.sent_ps + FLIGHT == flight.begun_ps for flight in down)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_flights_fit_the_rows_of_every_protocol(name: str) -> None:
    """As many as rows with another source, sent while the sender ran, and never too late."""
    result = run(scenario(name, TWO_LEVELS, trace=True, operations=4, outstanding=4))
    found = flights(result.trace, even_costs(7), result.came_ps)
    expected = [row for row in result.trace if row[5] != row[2]]
    pairs = Counter((row[5], row[2], row[3], row[4]) for row in expected)
    assert Counter((f.source, f.target, f.kind, f.operation) for f in found) == pairs
    for flight in found:
        begin, end, pu, *_ = result.trace[flight.sender_row]
        assert pu == flight.source and begin <= flight.sent_ps <= end
        between = min(flight.source, flight.target) >= 0
        assert flight.sent_ps + between * FLIGHT <= flight.begun_ps <= flight.heard_ps
        assert flight.begun_ps == result.trace[flight.row][0]


def test_flights_that_waited_were_sent_earlier() -> None:
    """Three reports reach a busy root at once: it serves them one after the other."""
    result = run(scenario("reduction", STAR, trace=True))
    found = flights(result.trace, even_costs(4), result.came_ps)
    assert [flight.sent_ps for flight in found] == [SEND] * 3
    first = SEND + FLIGHT
    assert [flight.begun_ps for flight in found] == [first + at * RECEIVE for at in range(3)]
    blind = flights(result.trace, even_costs(4))
    assert [flight.sent_ps for flight in blind] == [SEND] * 3, "by the end of its row"


def test_flights_do_not_depend_on_who_is_missing() -> None:
    """Rows without those of the sender have no flight from it."""
    result = run(scenario("atomic-broadcast", Tree(0, {0: (1,), 1: (2,)}), trace=True))
    kept = [at for at, row in enumerate(result.trace) if row[2] != 1]
    rows = [result.trace[at] for at in kept]
    came = [result.came_ps[at] for at in kept]
    assert all(flight.source != 1 for flight in flights(rows, even_costs(3), came))


def test_arrivals_are_kept_with_the_rows_alone() -> None:
    """One per row, -1 for what no node has sent; the digest is the same without them."""
    traced = run(scenario("two-phase-commit", STAR, trace=True))
    plain = run(scenario("two-phase-commit", STAR))
    assert len(traced.came_ps) == len(traced.trace) and plain.came_ps == ()
    assert traced.trace_digest == plain.trace_digest
    for came, (begin, _, pu, _, _, source) in zip(traced.came_ps, traced.trace, strict=True):
        assert came <= begin
        assert (came >= 0) >= (source != pu)


def test_flights_of_delayed_messages_leave_while_their_sender_runs() -> None:
    """However late a message comes, nobody sends after having finished."""
    world = scenario("reduction", STAR, trace=True, operations=20)
    late = replace(world, delay_per_million=1_000_000, delay_ps=100_000)
    result = run(late)
    assert result.delayed
    found = flights(result.trace, even_costs(4), result.came_ps)
    assert len(found) == sum(row[5] != row[2] for row in result.trace)
    for flight in found:
        assert flight.sent_ps <= result.trace[flight.sender_row][1]
