"""The model against hardware: pair costs and broadcasts that Smelt's authors measured.

Data: `data/smelt/intel_xeon_e5_v2_2x10` (S. Kaestle et al., OSDI 2016) beside the repository.
Expected deviations are those published for a model without any fit.
"""

from pathlib import Path

import pytest

from simulator.costs import POSTAL, MessageCosts
from simulator.scenario import Scenario, run
from simulator.trees import Tree, build_tree

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "smelt" / "intel_xeon_e5_v2_2x10"
PS_PER_CYCLE = 400  # 2.5 GHz
NODES = (tuple(range(10)), tuple(range(10, 20)))

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="measured pair costs are not here")


def pair_costs(kind: str) -> dict[tuple[int, int], int]:
    """Read one table of mean cycles by ordered pair, as picoseconds."""
    rows = (FOLDER / f"pairwise-nsend_{kind}").read_text().split("\n")
    fields = [row.split() for row in rows if row]
    return {(int(u), int(v)): round(float(cost) * PS_PER_CYCLE) for u, v, cost, *_ in fields}


def machine() -> MessageCosts:
    """Return the 20-core Intel machine."""
    send = {pair: cost for pair, cost in pair_costs("send").items() if pair[0] != pair[1]}
    receive = {pair: cost for pair, cost in pair_costs("receive").items() if pair[0] != pair[1]}
    return MessageCosts(tuple(range(20)), send, receive)


def tree(name: str) -> Tree:
    """Return a classic tree with PU 0 as root, as measured."""
    return build_tree(name, machine(), range(20), 0, NODES)


@pytest.mark.parametrize(
    ("name", "measured_kcyc", "deviation"),
    [("cluster", 2.872, -0.10), ("binary", 3.212, -0.07), ("sequential", 5.548, -0.24)],
)
def test_acknowledged_broadcast_deviates_as_stated(
    name: str, measured_kcyc: float, deviation: float
) -> None:
    """Postal, without fit: within two points of the published deviation."""
    result = run(Scenario(machine(), tree(name), name, "atomic-broadcast", model=POSTAL))
    cycles = result.latency_ps[0] / PS_PER_CYCLE
    assert cycles / (measured_kcyc * 1000) - 1 == pytest.approx(deviation, abs=0.02)


@pytest.mark.parametrize(
    ("name", "measured_kcyc", "deviation"),
    [("cluster", 6.852, 0.02), ("binary", 8.046, -0.10), ("sequential", 14.360, 0.08)],
)
def test_agreement_deviates_as_stated(name: str, measured_kcyc: float, deviation: float) -> None:
    """Simulated two-phase commit with phases that overlap, as on hardware; postal, without fit."""
    case = Scenario(machine(), tree(name), name, "two-phase-commit", model=POSTAL, overlap=True)
    result = run(case)
    cycles = result.latency_ps[0] / PS_PER_CYCLE
    assert cycles / (measured_kcyc * 1000) - 1 == pytest.approx(deviation, abs=0.02)


@pytest.mark.parametrize(
    ("name", "cycles"),
    [
        ("cluster", 1757),
        ("binary", 2072),
        ("mst", 2378),
        ("fibonacci", 2121),
        ("sequential", 3398),
    ],
)
def test_broadcast_agrees_with_the_published_baselines(name: str, cycles: int) -> None:
    """The greedy baselines of research/routing.md for this machine, to the cycle."""
    result = run(Scenario(machine(), tree(name), name, "atomic-broadcast", model=POSTAL))
    assert round(result.phases_ps["broadcast"] / PS_PER_CYCLE) == cycles
