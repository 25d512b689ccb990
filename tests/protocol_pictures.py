"""A message diagram of each protocol, from a real run: what `docs/pictures/protocols` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator import run
from simulator.flights import flights
from simulator.protocols import PROTOCOLS
from simulator.trace import kind_names
from skb.comparing_protocols import job_of
from skb.draw.simulation_space_time import space_time_svg
from skb.knowledge import decide
from skb.simulation import prepared
from tests.machines import bundled

MACHINE = "tyan-s4985"
# two cores of each of three packages
SETTINGS: Mapping[str, Any] = {
    "members": [0, 1, 4, 5, 8, 9],
    "root": 0,
    "route": "numa-aware",
    "model": "logp",
}
# everybody tells everybody: more than the four that one fault needs are no picture
FEWER: Mapping[str, Any] = {"pbft": {"members": [0, 1, 4, 5]}}
SHARED = "share a state"


def picture(name: str) -> str:
    """Return the drawing of an operation of a protocol, or of one of each of two clients."""
    protocol = PROTOCOLS[name]
    asked = {**SETTINGS, **FEWER.get(name, {}), "protocol": name}
    scenario = prepared(bundled(MACHINE), asked, decide).scenario
    members = scenario.tree.members
    if protocol.starts == "client":
        # who shares a state contends for it, or there would be little to see
        clients = (members[3], members[-1]) if job_of(name)[0] == SHARED else members[-1:]
        many = len(clients)
        scenario = replace(scenario, clients=clients, outstanding=many, operations=many)
    result = run(replace(scenario, trace=True))
    assert result.violations == () and result.completed == scenario.operations, name
    rows, came = result.trace, result.came_ps
    if protocol.endless:
        # timers go on for ever: the picture ends with the operations
        end = max(result.latency_ps)
        shown = [at for at, row in enumerate(rows) if row[0] <= end]
        rows, came = tuple(rows[at] for at in shown), tuple(came[at] for at in shown)
    title = f"{name} among {len(members)} cores of {MACHINE}"
    messages = flights(rows, scenario.costs, came)
    return space_time_svg(title, rows, messages, kind_names(protocol), scenario.domains) + "\n"
