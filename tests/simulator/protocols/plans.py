"""Random fault plans for replicated protocols: who fails when, and all is healed in the end."""

from collections.abc import Sequence

from simulator.draws import draw
from simulator.faults import Fault
from simulator.planted import Planted
from simulator.protocols.protocol import Protocol
from simulator.result import Result
from simulator.scenario import Scenario, simulate
from simulator.trees import Tree
from tests.simulator.worlds import TWO_LEVELS, even_costs, scenario

SHAPES = (
    Tree(0, {0: (1, 2)}),
    Tree(1, {1: (0, 2), 2: (3,)}),
    Tree(0, {0: (1, 2), 1: (3, 4)}),
    Tree(2, {2: (0, 4), 0: (1, 3), 4: (5, 6)}),
)
KINDS = (("down", "up"), ("off", "on"), ("slow", ""), ("cut", "joined"))
EVERY_KIND = ("crash", "power", "slow", "partition")


def random_plan(
    seed: int, members: Sequence[int], span_ps: int, kinds: Sequence[str] = EVERY_KIND
) -> tuple[Fault, ...]:
    """Return up to four faults per member, one after the other, all of them healed."""
    numbers = iter(range(1 << 30))

    def pick(bound: int) -> int:
        return draw(seed, next(numbers), bound)

    faults: list[Fault] = []
    for pu in members:
        now = 0
        for _ in range(pick(5) if pick(2) else 0):
            begin, end = KINDS[EVERY_KIND.index(kinds[pick(len(kinds))])]
            now += 1 + pick(span_ps)
            length = 1 + pick(span_ps) // (1 + 4 * pick(3))
            if begin == "slow":
                faults.append(Fault(now, pu, "slow", length))
            else:
                faults.append(Fault(now, pu, begin, 1 if begin == "cut" else 0))  # type: ignore[arg-type]
                faults.append(Fault(now + length, pu, end))  # type: ignore[arg-type]
            now += length
    return tuple(faults)


def random_run(protocol: type[Protocol], seed: int, **settings: object) -> tuple[Scenario, Result]:
    """Run a protocol under a random plan; where the seed says so, messages are lost and late.

    Clients are the members that never go down, so that every operation has to end; else all are.
    """
    tree = SHAPES[seed % len(SHAPES)]
    plan = random_plan(seed, tree.members, 60_000)
    failed = {fault.pu for fault in plan if fault.state in ("down", "off")}
    given: dict[str, object] = {
        "operations": 20,
        "outstanding": 1 + draw(seed, 1, 3),
        "faults": plan,
        "clients": tuple(pu for pu in tree.members if pu not in failed),
        "seed": seed,
    }
    if seed % 3 == 0:
        given |= {
            "loss_per_million": draw(seed, 2, 50_000),
            "delay_per_million": draw(seed, 3, 100_000),
            "delay_ps": 5000,
        }
    costs = even_costs(max(tree.members) + 1)
    case = Scenario(costs, tree, "by hand", protocol.name, **(given | settings))  # type: ignore[arg-type]
    return case, simulate(case, protocol)


def caught(planted: Planted) -> tuple[set[str], tuple[str, ...]]:
    """Return the checks that speak of a planted fault, and what they say of the original."""
    broken = planted.protocol
    original = next(kind for kind in broken.__mro__[1:] if "name" in vars(kind))
    assert issubclass(original, Protocol)
    case = scenario(original.name, TWO_LEVELS, **planted.settings)
    said = {sentence.split(":")[0] for sentence in simulate(case, broken).violations}
    return said & set(planted.checks), simulate(case, original).violations
