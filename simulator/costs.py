"""What one message costs between two PUs, in integer picoseconds (docs/message-model.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from simulator.errors import CostsError, UnknownNameError

POSTAL = "postal"
LOGP = "logp"
MODELS = (POSTAL, LOGP)

PairTable = Mapping[tuple[int, int], int]
"""Picoseconds by ordered pair (sending PU, receiving PU)."""


def require_model(model: str) -> str:
    """Return the name of a message model; raise `UnknownNameError` if there is none such."""
    if model not in MODELS:
        raise UnknownNameError("message model", model, MODELS)
    return model


@dataclass(frozen=True, slots=True)
class MessageCosts:
    """Message costs of every ordered pair of a machine's PUs.

    `send_ps` is the time the sender is busy, `receive_ps` the time the receiver is busy (it
    contains the transfer of the line), `propagation_ps` the flight in between (None: 0 for all
    pairs) and `gap_ps` the time that a further send in a burst adds (None: equal to `send_ps`).
    `transfer_ps` is the time that a cache line takes from one PU to another (None: `receive_ps`),
    `hit_ps` the time of an access to a line that one has.
    Raises `CostsError` where a pair is missing, negative or not an integer.
    """

    members: tuple[int, ...]
    send_ps: PairTable
    receive_ps: PairTable
    propagation_ps: PairTable | None = None
    gap_ps: PairTable | None = None
    transfer_ps: PairTable | None = None
    hit_ps: int = 0

    def __post_init__(self) -> None:
        """Check that every table holds a usable number for every pair, and keep own copies."""
        if not self.members:
            raise CostsError("message costs need at least one PU")
        if len(set(self.members)) != len(self.members):
            raise CostsError(f"message costs name a PU twice: {sorted(self.members)}")
        object.__setattr__(self, "members", tuple(self.members))
        for name in ("send_ps", "receive_ps", "propagation_ps", "gap_ps", "transfer_ps"):
            table = getattr(self, name)
            if table is not None:
                object.__setattr__(self, name, _complete(name, table, self.members))

    def send(self, sender: int, receiver: int) -> int:
        """Picoseconds that an idle sender is busy with one message."""
        return self.send_ps[sender, receiver]

    def receive(self, sender: int, receiver: int) -> int:
        """Picoseconds that the receiver is busy with one message."""
        return self.receive_ps[sender, receiver]

    def propagation(self, sender: int, receiver: int) -> int:
        """Picoseconds between the end of the send and the arrival."""
        return 0 if self.propagation_ps is None else self.propagation_ps[sender, receiver]

    def further_send(self, sender: int, receiver: int, model: str) -> int:
        """Picoseconds that a further send in a burst adds: the gap in `logp`, else the send."""
        if model == LOGP and self.gap_ps is not None:
            return self.gap_ps[sender, receiver]
        return self.send_ps[sender, receiver]

    def transfer(self, owner: int, asker: int) -> int:
        """Picoseconds that a cache line takes to a PU from its last owner."""
        if owner == asker:
            return self.hit_ps
        table = self.receive_ps if self.transfer_ps is None else self.transfer_ps
        return table[owner, asker]

    def polled(self) -> "MessageCosts":
        """Return costs under which a message is seen half a receive after its send began, or later.

        Its store has to win the line back from a receiver that polls it, which is a transfer like
        the receiver's own, two of which are under way at a time; where the sender waits for longer
        than that anyway, nothing is added.
        """
        late = {
            pair: max(self.propagation(*pair), receive // 2 - self.send(*pair))
            for pair, receive in self.receive_ps.items()
        }
        return replace(self, propagation_ps=late)

    def posted(self) -> "MessageCosts":
        """Return costs under which no sender waits for its stores: each send takes its gap at most.

        What a stated send takes beyond that is flight, so an idle message takes as long as ever. It
        suits a server that goes on to the next call while its reply is under way; a send that was
        measured in a stream over one channel is the rate of that channel.
        """
        send = {
            pair: min(cost, self.further_send(*pair, LOGP)) for pair, cost in self.send_ps.items()
        }
        late = {
            pair: self.propagation(*pair) + cost - send[pair] for pair, cost in self.send_ps.items()
        }
        return replace(self, send_ps=send, propagation_ps=late)

    def one_way(self, sender: int, receiver: int) -> int:
        """Picoseconds from the begin of the send to the end of the receive, both sides idle."""
        return (
            self.send(sender, receiver)
            + self.propagation(sender, receiver)
            + self.receive(sender, receiver)
        )


def _complete(name: str, table: PairTable, members: Iterable[int]) -> dict[tuple[int, int], int]:
    """Copy the pairs of the members out of a table; raise `CostsError` at the first bad one."""
    pus = sorted(members)
    kept: dict[tuple[int, int], int] = {}
    for sender in pus:
        for receiver in pus:
            if sender == receiver:
                continue
            cost = table.get((sender, receiver))
            if cost is None:
                raise CostsError(f"{name} has no cost from PU {sender} to PU {receiver}")
            if not isinstance(cost, int) or isinstance(cost, bool):
                raise CostsError(
                    f"{name} from PU {sender} to PU {receiver} is {cost!r}: "
                    "costs are whole picoseconds"
                )
            if cost < 0:
                raise CostsError(f"{name} from PU {sender} to PU {receiver} is negative: {cost}")
            kept[sender, receiver] = cost
    return kept
