"""The protocols that the simulator knows, one readable file each."""

from collections.abc import Mapping

from simulator.errors import UnknownNameError
from simulator.protocols.atomic_broadcast import AtomicBroadcast
from simulator.protocols.barrier import Barrier
from simulator.protocols.chain_replication import ChainReplication
from simulator.protocols.ipi_shootdown import IpiShootdown
from simulator.protocols.membership import Membership
from simulator.protocols.multi_paxos import MultiPaxos
from simulator.protocols.node_replication import NodeReplication
from simulator.protocols.one_paxos import OnePaxos
from simulator.protocols.page_sharing import PageSharing
from simulator.protocols.partitioned_fleet import PartitionedFleet
from simulator.protocols.pbft import Pbft
from simulator.protocols.protocol import Protocol
from simulator.protocols.queue_lock import QueueLock
from simulator.protocols.raft import Raft
from simulator.protocols.reduction import Reduction
from simulator.protocols.replicated_state import ReplicatedState
from simulator.protocols.rpc_server import RpcServer
from simulator.protocols.shared_lock import SharedLock
from simulator.protocols.shared_update import SharedUpdate
from simulator.protocols.single_phase_commit import SinglePhaseCommit
from simulator.protocols.two_phase_commit import TwoPhaseCommit

PROTOCOLS: Mapping[str, type[Protocol]] = {
    protocol.name: protocol
    for protocol in (
        SinglePhaseCommit,
        TwoPhaseCommit,
        AtomicBroadcast,
        Barrier,
        Reduction,
        IpiShootdown,
        Raft,
        MultiPaxos,
        SharedLock,
        QueueLock,
        SharedUpdate,
        RpcServer,
        NodeReplication,
        ReplicatedState,
        PartitionedFleet,
        PageSharing,
        Membership,
        ChainReplication,
        OnePaxos,
        Pbft,
    )
}


def require_protocol(name: str) -> type[Protocol]:
    """Return the protocol of a name; raise `UnknownNameError` if there is none such."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
