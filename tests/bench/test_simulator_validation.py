"""The suite `validation`: how statements are judged, and what the model's rules do."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulator import timing
from simulator.costs import MessageCosts
from simulator.protocols.single_phase_commit import SinglePhaseCommit
from simulator.trees import Tree
from skb.benching import simulator_validation as validation
from skb.benching import simulator_validation_interrupts as interrupts
from skb.benching import simulator_validation_messages as messages
from skb.benching import simulator_validation_sharing as sharing
from skb.benching import simulator_validation_shootdown as shootdown
from skb.benching.pair_tables import subjects
from skb.benching.routing_rows import INTEL, Row
from skb.benching.simulator_validation_line import OneLineShootdown
from skb.benching.simulator_validation_model import (
    RULES,
    Rules,
    Statement,
    bundled,
    burst,
    charged,
    near,
    order,
    took,
)
from skb.costs import defaults
from skb.simulation import simulate
from skb.simulation_transports import cycles_ps

STAR = Tree(0, {0: (1, 2, 3)})


def even(send: int, receive: int) -> MessageCosts:
    """Return four PUs that cost the same to each other."""
    pairs = [(u, v) for u in range(4) for v in range(4) if u != v]
    gap = dict.fromkeys(pairs, receive // 2)
    return MessageCosts(
        (0, 1, 2, 3), dict.fromkeys(pairs, send), dict.fromkeys(pairs, receive), None, gap
    )


# ------------------------------------------------------------------ judging
@pytest.mark.parametrize(
    ("predicted", "met"), [(89.9, False), (90, True), (110, True), (111, False)]
)
def test_statement_near_a_measurement_is_judged_on_both_sides(predicted: float, met: bool) -> None:
    """Within a tenth, ends included; outside it is missed, and its row says so."""
    statement = near("x", "cycles", predicted, 100.0, 0.10)
    row = statement.row(0.5)
    assert (statement.met, row.met, row.status) == (met, met, "met" if met else "missed")
    assert bool(row.misses) is not met
    assert (row.value, row.bound) == (predicted, 100.0)
    assert row.gap == pytest.approx(predicted / 100.0 - 1)


def test_row_of_a_missed_statement_names_value_and_limits() -> None:
    """So that nobody has to compute what was asked for."""
    row = Statement("x", "", 4.0, 2.4, 0.0, 3.0).row(0.0)
    assert row.misses == ("4 is not within 0 to 3",)


@pytest.mark.parametrize(("values", "good"), [((3, 2, 1), 2), ((3, 3, 1), 1), ((1, 2, 3), 0)])
def test_order_counts_neighbours_that_descend(values: tuple[int, ...], good: int) -> None:
    """Equal ones are not in order."""
    statement = order("x", dict(zip("abc", values, strict=True)))
    assert statement.predicted == good
    assert statement.met is (good == 2)


# ------------------------------------------------------------------ the rules
def test_posted_store_is_seen_half_a_receive_after_its_send_began() -> None:
    """Rule 2 adds what a short send leaves, and nothing to a long one."""
    assert even(8, 300).polled().propagation(0, 1) == 150 - 8
    assert even(400, 300).polled().propagation(0, 1) == 0


def test_waiting_messages_are_received_in_half_the_time() -> None:
    """Rule 3: of three acknowledgements that wait, two come at half the price."""
    costs = even(1000, 300)
    plain = took("single-phase-commit", costs, STAR, bursts=False).latency_ps[0]
    assert took("single-phase-commit", costs, STAR).latency_ps[0] <= plain
    # sends are over at 1000 + 2 * 150; the first answer waits since 300 later
    waiting = even(100, 3000)
    alone = took("single-phase-commit", waiting, STAR, bursts=False).latency_ps[0]
    assert alone - took("single-phase-commit", waiting, STAR).latency_ps[0] == 2 * 1500


def test_receives_that_do_not_wait_cost_the_same_in_bursts() -> None:
    """A chain has no bursts, so charging in the handler changes nothing."""
    chain = Tree(0, {0: (1,), 1: (2,), 2: (3,)})
    costs = even(60, 100).polled()
    for protocol in ("single-phase-commit", "two-phase-commit", "reduction", "barrier"):
        both = [
            took(protocol, costs, chain, bursts=on, **_overlap(protocol)) for on in (False, True)
        ]
        assert both[0].latency_ps == both[1].latency_ps, protocol
        assert both[1].violations == ()


def _overlap(protocol: str) -> dict[str, bool]:
    return {"overlap": True} if protocol == "two-phase-commit" else {}


def test_protocol_in_bursts_keeps_name_and_promises() -> None:
    """It is the same protocol, and judged as such."""
    kind = burst(SinglePhaseCommit, ((0, 2), (2, 0)))
    assert (kind.name, kind.promises) == (SinglePhaseCommit.name, SinglePhaseCommit.promises)
    assert charged(even(1, 2)).receive(0, 1) == 0
    lined = replace(even(1, 2), transfer_ps=dict.fromkeys(even(1, 2).send_ps, 9))
    assert [charged(costs).transfer(0, 1) for costs in (even(1, 2), lined)] == [2, 9]


def test_rules_are_switched_one_by_one() -> None:
    """Without the second, costs stay as they are."""
    assert Rules(polled=False).costs(even(8, 300)).propagation(0, 1) == 0
    assert Rules().costs(even(8, 300)) == even(8, 300).polled()


def test_same_leaf_reports_where_receives_are_charged_in_handlers() -> None:
    """Who asks for agreement sits in the same NUMA node, however receives are charged."""
    found = {subject.name: subject for subject in subjects((), messages._unknown)}
    intel = found[INTEL]
    home = intel.machine.numa_of_pu
    for name, (costs, tree) in messages.trees(intel, messages.AGREEMENT).items():
        last = timing.last_core(tree, charged(costs), "logp")
        assert home[last] == home[timing.last_core(tree, costs, "logp")], name


# ------------------------------------------------------------------ structure of the answers
def test_polled_line_is_served_to_one_reader_after_the_other() -> None:
    """The initiator takes it, three read it; the last one's acknowledgement ends it."""
    send, receive, line = 5, 40, 1000
    pairs = even(send, receive).send_ps
    costs = replace(even(send, receive), transfer_ps=dict.fromkeys(pairs, line))
    found = took(OneLineShootdown, costs, STAR, clients=(0,))
    assert found.violations == ()
    assert found.latency_ps == (4 * line + send + receive,)


def test_shootdowns_by_messages_are_ordered_on_the_board() -> None:
    """A channel each, a tree, a tree with local buffers: ever cheaper."""
    names = (shootdown.UNICAST, shootdown.MULTICAST, shootdown.AWARE)
    values = [shootdown.shootdown(name, 32) for name in names]
    assert values == sorted(values, reverse=True)


def test_local_buffers_are_read_sooner_on_the_board() -> None:
    """The two series differ in receives, and in nothing else."""
    near, far = (shootdown.costs_of(series, 32) for series in ("NUMA", "noNUMA"))
    assert near.send_ps == far.send_ps
    assert sum(near.receive_ps.values()) < sum(far.receive_ps.values())


def test_messages_are_flat_inside_a_package_and_interrupts_are_not() -> None:
    """As measured: unmap by messages hardly grows up to five cores."""
    board = bundled(messages.BOARD)
    by_messages = [shootdown.by_messages(count) for count in (2, 4)]
    cycles = [2 * shootdown.by_interrupts(board, count) for count in (2, 4)]
    assert by_messages[1] - by_messages[0] < cycles[1] - cycles[0]


def test_interrupts_run_on_the_lines_of_the_product() -> None:
    """What the suite says of a shootdown is what `skb simulate` says of it."""
    machine = bundled(messages.BOARD)
    told = simulate(
        machine,
        {
            "protocol": "ipi-shootdown",
            "route": "sequential",
            "members": [0, 1, 2, 3],
            "clients": [0],
            "work_ns": cycles_ps(machine, defaults()["interrupt"]["invalidate_cycles"]) / 1000,
            "parameters": {"packed": 1},
        },
        _undecided,
    )
    assert told["latency"]["max"] == shootdown.by_interrupts(machine, 4)


def _undecided(*_: object) -> object:
    raise AssertionError("a named route needs no decision")


def test_posted_reply_leaves_an_idle_message_as_it_is_and_frees_the_server() -> None:
    """Only the sender gains."""
    costs = even(100, 60)
    posted = costs.posted()
    assert (posted.send(0, 1), posted.one_way(0, 1)) == (30, costs.one_way(0, 1))
    assert even(20, 60).posted().send(0, 1) == 20
    square = sharing.square()
    rules = RULES
    assert sharing.served(square.posted(), rules) < sharing.served(square, rules)


def test_round_trip_grows_with_links() -> None:
    """Each link more is dearer."""
    machine = bundled(messages.BOARD)
    trips = [messages.round_trip_ps(machine, messages.pair_at(machine, hops)) for hops in range(4)]
    assert trips == sorted(set(trips))


def test_interrupts_across_packages_are_dearer_than_further_ones_inside() -> None:
    """Two cores beyond the package cost more than two inside."""
    machine = interrupts.grown(14)
    inside = shootdown.by_interrupts(machine, 14) - shootdown.by_interrupts(machine, 12)
    across = shootdown.by_interrupts(machine, 16) - shootdown.by_interrupts(machine, 14)
    assert across > inside


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return all rows of the suite."""
    return list(validation.rows())


def test_rows_cover_every_statement_of_the_list(rows: list[Row]) -> None:
    """V10 and V12 to V18 and figure 3, each by a name of its own, in the suite's form."""
    names = [row.case for row in rows]
    assert len(set(names)) == len(names)
    assert {name.split()[0] for name in names} == {"2009", *(f"V{n}" for n in (10, *range(12, 19)))}
    assert all(row.suite == "validation" and row.target for row in rows)


def test_table_of_the_docs_is_what_the_suite_says(rows: list[Row]) -> None:
    """Nobody reads numbers that have changed since."""
    page = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
    assert validation.markdown(rows) in page


def test_table_of_rules_in_the_docs_is_what_the_suite_says() -> None:
    """What each rule buys and costs stands there as it is."""
    page = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
    assert validation.ablation() in page
