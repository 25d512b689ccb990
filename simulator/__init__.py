"""Agreement simulator: takes plain values (costs, tree, scenario), gives plain values.

Imports nothing of `skb` or `api`. No wall clock, no global random state, integer picoseconds.
"""

from simulator.costs import MODELS, MessageCosts
from simulator.errors import ScenarioError, SimulatorError
from simulator.faults import Fault
from simulator.links import Links
from simulator.protocols import PROTOCOLS
from simulator.result import Result
from simulator.scenario import Scenario, run
from simulator.trees import TREES, Tree, build_tree

__all__ = [
    "MODELS",
    "PROTOCOLS",
    "TREES",
    "Fault",
    "Links",
    "MessageCosts",
    "Result",
    "Scenario",
    "ScenarioError",
    "SimulatorError",
    "Tree",
    "build_tree",
    "run",
]
