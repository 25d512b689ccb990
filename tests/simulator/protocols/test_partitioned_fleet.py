"""A fleet of servers, with and without backups."""

import pytest

from simulator.faults import Fault
from simulator.history import ORDERED, PREPARED
from simulator.planted import Planted
from simulator.planted.partitioned_fleet import PLANTED
from simulator.protocols.partitioned_fleet import Copy, Kept, PartitionedFleet
from simulator.scenario import Scenario, observe
from simulator.trees import Tree
from tests.simulator.protocols.memories import (
    DOMAINS,
    assert_caught,
    assert_clean,
    assert_safe,
    on,
    uneven,
)


def test_partitioned_fleet_idle_operation_is_a_call_and_a_copy() -> None:
    """To the primary, to its backup and back, and the answer; a read needs no backup."""
    costs = uneven(6)
    given = {"clients": (5,), "items": 1, "work_ps": 40}
    fleet = {"servers": 2, "backups": 1}
    result = on(costs, PartitionedFleet, parameters=fleet, **given)
    call = costs.one_way(5, 0) + 40
    copy = costs.one_way(0, 3) + 40 + costs.one_way(3, 0)
    assert result.latency_ps == (call + copy + costs.one_way(0, 5),)
    result = on(costs, PartitionedFleet, parameters=fleet, reads_per_mille=1000, **given)
    assert result.latency_ps == (call + costs.one_way(0, 5),)


def test_partitioned_fleet_has_one_server_in_each_domain() -> None:
    """Unless it is told otherwise; items go round."""
    place = on(uneven(6), PartitionedFleet, clients=(2,), items=1, domains=((0, 1, 2), (3, 4, 5)))
    costs = uneven(6)
    assert place.latency_ps == (costs.one_way(2, 0) + costs.one_way(0, 2),)


def test_partitioned_fleet_serves_more_than_one_server() -> None:
    """The same load over six items is done sooner by three servers than by one."""
    given = {"operations": 300, "outstanding": 12, "items": 12, "work_ps": 400}
    alone, three = (
        on(uneven(12), PartitionedFleet, parameters={"servers": servers}, **given)
        for servers in (1, 3)
    )
    assert three.elapsed_ps < 0.6 * alone.elapsed_ps


def test_partitioned_fleet_clean_under_load() -> None:
    """With as many backups as there are others, and with more than that."""
    for servers, backups in ((0, 0), (1, 3), (3, 1), (7, 6), (9, 9)):
        parameters = {"servers": servers, "backups": backups}
        assert_clean(PartitionedFleet, work_ps=30, parameters=parameters, domains=DOMAINS)


class AnswersBeforeItsBackups(PartitionedFleet):
    """A primary that has told its backups does not wait for them."""

    def copy(self, op: int) -> None:
        super().copy(op)
        self.complete(op)


class KeepsNothing(PartitionedFleet):
    """A backup that says that it has an update, and has not."""

    def copied(self, m: Copy) -> None:
        self.record(m.op, PREPARED, m.number)
        self.send(m.source, Kept(m.op))


def _lacking(protocol: type[PartitionedFleet]) -> int:
    """Return how many updates end before, or are at last without, a copy at their backup."""
    case = Scenario(
        uneven(6),
        Tree(0, {0: (1, 2, 3, 4, 5)}),
        "by hand",
        PartitionedFleet.name,
        operations=60,
        outstanding=6,
        items=6,
        parameters={"servers": 3, "backups": 1},
        faults=(Fault(0, 4, "slow", 50_000),),
    )
    nodes, _, history = observe(case, protocol)
    numbers = {op: place // 3 for _, _, op, _, place in history.by_event[ORDERED]}
    copied = {(pu, op): time for time, pu, op, _, _ in history.by_event[PREPARED]}
    assert len(history.finished) == 60
    missing = 0
    for op, (end, _) in history.finished.items():
        item = history.proposals[op].item
        backup = (item + 1) % 3 * 2
        node = nodes[backup]
        assert isinstance(node, PartitionedFleet)
        late = copied.get((backup, op), end + 1) > end
        missing += late or node.newest[item] < numbers[op]
    return missing


def test_partitioned_fleet_has_what_has_ended_at_its_backup() -> None:
    """One server of three stands still at first, and whoever needs it waits."""
    assert _lacking(PartitionedFleet) == 0
    assert _lacking(AnswersBeforeItsBackups) > 0
    assert _lacking(KeepsNothing) > 0


def test_partitioned_fleet_safe_under_random_plans() -> None:
    """Whatever fails or is lost, no read is stale; without and with backups."""
    assert_safe(PartitionedFleet, range(60), work_ps=400)
    fleet = {"servers": 3, "backups": 2}
    assert_safe(PartitionedFleet, range(60), work_ps=400, parameters=fleet)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_partitioned_fleet_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)
