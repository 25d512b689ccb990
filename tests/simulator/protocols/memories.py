"""Machines on which no two pairs cost the same, or all do, and runs of clients on them."""

from simulator.costs import MessageCosts
from simulator.planted import Planted
from simulator.protocols.protocol import Protocol
from simulator.result import Result
from simulator.scenario import Scenario, simulate
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run

HIT = 7
DOMAINS = ((0, 1), (2, 3, 4), (5, 6))


def transfer(owner: int, asker: int) -> int:
    """Return what a line costs on the uneven machine."""
    return HIT if owner == asker else 100 + 10 * abs(owner - asker) + owner


def uneven(count: int) -> MessageCosts:
    """Return a machine on which no two pairs cost the same."""
    pairs = [(u, v) for u in range(count) for v in range(count) if u != v]
    return MessageCosts(
        tuple(range(count)),
        {(u, v): 60 + u for u, v in pairs},
        {(u, v): 90 + 3 * v + u for u, v in pairs},
        {(u, v): 30 + abs(u - v) for u, v in pairs},
        {(u, v): 20 + v for u, v in pairs},
        {(u, v): transfer(u, v) for u, v in pairs},
        HIT,
    )


def even(count: int, line: int) -> MessageCosts:
    """Return a machine on which every line costs the same, and messages nothing to speak of."""
    pairs = [(u, v) for u in range(count) for v in range(count) if u != v]
    table = dict.fromkeys(pairs, 1)
    return MessageCosts(
        tuple(range(count)), table, table, None, None, dict.fromkeys(pairs, line), HIT
    )


def on(
    costs: MessageCosts, protocol: type[Protocol], tree: Tree | None = None, /, **settings: object
) -> Result:
    """Run a protocol on a machine, over a star from PU 0 unless a tree is given."""
    star = Tree(0, {0: tuple(costs.members[1:])})
    case = Scenario(costs, tree or star, "by hand", protocol.name, **settings)  # type: ignore[arg-type]
    return simulate(case, protocol)


def assert_caught(planted: Planted) -> None:
    """Assert that a planted fault is noticed, and that the original is clean on its settings."""
    found, of_original = caught(planted)
    assert found
    assert of_original == ()


def assert_safe(protocol: type[Protocol], seeds: range, **settings: object) -> None:
    """Assert that random plans break no promise, and that they do disturb operations."""
    unfinished = 0
    for seed in seeds:
        # also members that fail are clients
        given: dict[str, object] = {"items": 2, "reads_per_mille": 500, "domains": DOMAINS}
        given["clients"] = ()
        case, result = random_run(protocol, seed, **(given | settings))
        assert result.violations == (), (protocol.name, seed, case.faults, result.violations)
        unfinished += result.unfinished
    assert unfinished > 0


def assert_clean(protocol: type[Protocol], **settings: object) -> Result:
    """Run a busy mix of reads and updates without faults, and assert that all is well."""
    given: dict[str, object] = {"operations": 300, "outstanding": 12, "items": 3}
    given |= {"reads_per_mille": 500, "domains": DOMAINS}
    result = on(uneven(7), protocol, **(given | settings))
    assert result.violations == ()
    assert result.completed == result.operations
    return result
