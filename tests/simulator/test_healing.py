"""What a fault plan means to the checks."""

from simulator.faults import Fault
from simulator.healing import fallen, healed, in_time, kinds_of
from simulator.history import APPLIED, LOST
from simulator.protocols import require_protocol
from simulator.scenario import observe
from tests.simulator.worlds import scenario

FALL = (Fault(10, 1, "down"), Fault(20, 1, "up"))


def test_kinds_are_named_as_protocols_survive_them() -> None:
    """Each state of a fault has its kind, and the network has two."""
    plan = (Fault(1, 0, "off"), Fault(2, 0, "on"), Fault(3, 1, "slow", 5), Fault(4, 2, "cut", 1))
    assert kinds_of(plan) == {"power", "slow", "partition"}
    assert kinds_of(FALL, loss_per_million=1, delay_per_million=1) == {"crash", "loss", "delay"}
    assert kinds_of(()) == frozenset()


def test_plan_is_healed_where_all_are_up_and_together() -> None:
    """A PU that stays down or apart is not healed; one that is slow is."""
    assert healed(FALL)
    assert not healed(FALL[:1])
    assert not healed((Fault(1, 0, "cut", 1),))
    assert healed((Fault(1, 0, "cut", 1), Fault(2, 0, "joined"), Fault(3, 0, "slow", 9)))
    assert fallen((*FALL, Fault(1, 0, "cut", 1), Fault(3, 2, "off"))) == {1, 2}


def test_record_is_brought_into_order_of_time_where_somebody_falls() -> None:
    """Each member keeps the order of its own entries; without faults nothing is done."""
    entries = ((10, 1, 0, APPLIED, 1), (10, 1, 0, LOST, 0), (5, 0, 0, APPLIED, 1))
    assert in_time(entries, FALL) == (entries[2], *entries[:2])
    assert in_time(entries, ()) is entries


def test_run_knows_whether_it_must_end_well() -> None:
    """Without faults and with those that are survived and healed, not with others."""
    protocol = require_protocol("two-phase-commit")
    histories = [
        observe(scenario("two-phase-commit", faults=faults), protocol)[2]
        for faults in ((), (Fault(1, 0, "slow", 10),), FALL)
    ]
    assert [history.settled for history in histories] == [True, True, False]
    assert [history.disturbed for history in histories] == [False, True, True]
