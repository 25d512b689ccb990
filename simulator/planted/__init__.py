"""Planted faults: protocols that are broken in one place each, to show that the checks notice.

One file per protocol, with a tuple `PLANTED`. A planted fault overrides methods of its protocol and
keeps to the notation, so that it runs on both engines and in the explorer.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from simulator.protocols.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Planted:
    """A broken protocol, the checks of which at least one must speak up, and how to provoke it.

    `settings` are those of a scenario (`simulator.scenario.Scenario`) beside machine and tree, on
    which it is certain to be caught; random fault plans must find it without them.
    """

    protocol: type[Protocol]
    checks: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def planted() -> dict[str, tuple[Planted, ...]]:
    """Return all planted faults by the name of their protocol."""
    found: dict[str, tuple[Planted, ...]] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for fault in getattr(import_module(f"{__name__}.{module.name}"), "PLANTED", ()):
            name = fault.protocol.name
            found[name] = (*found.get(name, ()), fault)
    return found
