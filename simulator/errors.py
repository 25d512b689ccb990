"""What can go wrong in the simulator, one tree under `SimulatorError`."""

from collections.abc import Iterable


class SimulatorError(Exception):
    """Something in the simulator that its caller can act upon."""


class ScenarioError(SimulatorError, ValueError):
    """A scenario, or a part of it, that cannot be simulated as it was given."""


class CostsError(ScenarioError):
    """Message costs that are incomplete, negative or not whole picoseconds."""


class TreeError(ScenarioError):
    """A broadcast tree that does not span its members exactly once."""


class FaultPlanError(ScenarioError):
    """A fault plan whose rows contradict each other or name an unknown PU."""


class UnknownNameError(ScenarioError):
    """A name that is in none of the lists the simulator knows."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        """Say which `what` was asked for by `name`, and list the known ones."""
        super().__init__(f"unknown {what} {name!r}: known are {', '.join(sorted(known))}")
