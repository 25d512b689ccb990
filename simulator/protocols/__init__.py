"""The protocols that the simulator knows, one readable file each."""

from collections.abc import Mapping

from simulator.errors import UnknownNameError
from simulator.protocols.atomic_broadcast import AtomicBroadcast
from simulator.protocols.barrier import Barrier
from simulator.protocols.protocol import Protocol
from simulator.protocols.reduction import Reduction
from simulator.protocols.single_phase_commit import SinglePhaseCommit
from simulator.protocols.two_phase_commit import TwoPhaseCommit

PROTOCOLS: Mapping[str, type[Protocol]] = {
    protocol.name: protocol
    for protocol in (SinglePhaseCommit, TwoPhaseCommit, AtomicBroadcast, Barrier, Reduction)
}


def require_protocol(name: str) -> type[Protocol]:
    """Return the protocol of a name; raise `UnknownNameError` if there is none such."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
