"""Compact remote calls to one server that keeps the data to itself.

The message side of the experiment behind A. Baumann et al., "Your computer is already a distributed
system. Why isn't your OS?", HotOS 2009, section 3, and "The multikernel", SOSP 2009, section 2.3:
an operation and its result each fit into one message, and the server (the root) updates lines that
stay in its own cache (MSG1, MSG8). `shared-update` is its counterpart.

While the server is down nobody is served, and a call that was lost is not repeated.
"""

from simulator.history import COMMIT, ORDERED
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerItem,
    Phase,
    Protocol,
    Start,
    message,
    on,
)


@message
class Call(Message):
    """An operation, on its way to the server."""

    item: int
    value: int
    write: int


@message
class Reply(Message):
    """What came of it."""

    result: int


class RpcServer(Protocol):
    """A client; the root is the server, and calls itself without a message.

    The server needs `work_ps` for each of the `lines` that it touches (0: one). `register` holds
    the items, `served` counts the operations in the order in which it carries them out.
    """

    name = "rpc-server"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = (Phase("served", ORDERED, "first"),)

    lines: Parameter
    work_ps: Parameter
    register: PerItem
    served: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Call the server."""
        if self.me == self.root:
            self.done(m.op, self.serve(m.op, m.item, m.value, m.write))
        else:
            self.send(self.root, Call(m.op, m.item, m.value, m.write))

    @on(Call)
    def call(self, m: Call) -> None:
        """Carry an operation out and answer."""
        self.reply(m.source, m.op, self.serve(m.op, m.item, m.value, m.write))

    def reply(self, client: int, op: int, result: int) -> None:
        """Tell a client what came of its operation."""
        self.send(client, Reply(op, result))

    def serve(self, op: int, item: int, value: int, write: int) -> int:
        """Read or change an item; return the result."""
        self.served += 1
        # before the work: a crash in between must not lose what others will read
        self.record(op, ORDERED, self.served)
        self.work(self.work_ps * (self.lines if self.lines > 0 else 1))
        if write > 0:
            self.register[item] = value
            return COMMIT
        return self.register[item]

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Take the result."""
        self.done(m.op, m.result)
