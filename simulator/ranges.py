"""Whole numbers of a scenario, each within its range."""

from simulator.errors import ScenarioError


def require_range(name: str, value: object, least: int, most: int | None) -> None:
    """Raise `ScenarioError` unless a number of a scenario is an integer within its range."""
    if value is None and name in ("interval_ps", "horizon_ps", "items"):
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise ScenarioError(f"{name} must be a whole number, not {value!r}")
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ScenarioError(f"{name} must be {limits}, not {value}")
