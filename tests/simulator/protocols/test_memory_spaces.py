"""Small instances of the protocols on shared memory and of servers, in every order of delivery."""

import pytest

from simulator.explore import Instance, walk
from simulator.explore_tables import Bounds
from simulator.history import Proposal
from simulator.protocols import PROTOCOLS
from simulator.trees import Tree

CHAIN = Tree(0, {0: (1,), 1: (2,)})
UPDATE, RIVAL, READ = (
    Proposal(op, initiator, 0, value, 0, write)
    for op, initiator, value, write in ((0, 1, 5, 1), (1, 2, 7, 1), (2, 0, 0, 0))
)
LARGER = {"partitioned-fleet": {"servers": 3, "backups": 1}, "shared-update": {"lines": 2}}


@pytest.mark.parametrize(
    "name",
    [
        "page-sharing",
        "partitioned-fleet",
        "queue-lock",
        "replicated-state",
        "rpc-server",
        "shared-lock",
        "shared-update",
    ],
)
def test_three_operations_are_safe_in_every_order(name: str) -> None:
    """Two updates and a read of one item by three members: the whole space."""
    parameters = LARGER.get(name, {})
    found = walk(Instance(PROTOCOLS[name], CHAIN, (UPDATE, RIVAL, READ), 2, parameters=parameters))
    assert found.complete
    assert found.violations == ()


@pytest.mark.parametrize(
    "name", ["page-sharing", "partitioned-fleet", "rpc-server", "shared-lock", "shared-update"]
)
def test_three_operations_are_safe_with_a_crash_anywhere(name: str) -> None:
    """A member crashes between any two sends and comes up at any later moment."""
    found = walk(
        Instance(
            PROTOCOLS[name],
            CHAIN,
            (UPDATE, RIVAL, READ),
            2,
            parameters=LARGER.get(name, {}),
            bounds=Bounds(crashes=1),
        )
    )
    assert found.complete
    assert found.violations == ()


@pytest.mark.parametrize("name", ["node-replication", "queue-lock", "replicated-state"])
def test_two_rivals_are_safe_with_a_crash_anywhere(name: str) -> None:
    """The larger ones, with two updates of one item."""
    found = walk(
        Instance(PROTOCOLS[name], CHAIN, (UPDATE, RIVAL), 2, bounds=Bounds(crashes=1)), 100_000
    )
    assert found.complete
    assert found.violations == ()
