"""Shared memory without a lock: every PU updates the same few cache lines directly.

The shared-memory side of the experiment behind A. Baumann et al., "Your computer is already a
distributed system. Why isn't your OS?", HotOS 2009, section 3, and "The multikernel", SOSP 2009,
section 2.3: an update changes n lines (SHM1, SHM2, SHM4, SHM8), one after the other, each of which
has to come from the PU that changed it last. `rpc-server` is its counterpart.

The first line holds the registers of all items: there an operation takes effect.
"""

from simulator.history import COMMIT
from simulator.protocols.protocol import Parameter
from simulator.protocols.shared_memory import FLAG, LOAD, SWAP, Access, CacheLines

LINES = 8
"""Lines that there are; who updates more of them goes round."""


class SharedUpdate(CacheLines):
    """A PU, or one of the lines that all update.

    An operation is about `lines` of them (0: one). A read loads each; an update loads each and then
    stores to it, as an addition to memory does: it fetches the line, and then makes the other
    copies invalid. `made` counts the accesses so far, `result` is what the operation ends with.
    """

    name = "shared-update"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = ()
    cache_lines = ("one", "one", "one", "one", "one", "one", "one", "one")
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    lines: Parameter
    made: int
    result: int

    def begin(self, op: int) -> None:
        """Take the first line."""
        self.made = 0
        self.reach(op)

    def reach(self, op: int) -> None:
        """Make the next access; the item is read by the first one, or changed by the second."""
        slot = self.slot(op)
        write = self.write[slot]
        line = self.count + self.made // (1 + write) % LINES
        word = self.item[slot] if self.made == write else FLAG
        if write > 0 and self.made % 2 == 1:
            self.send(line, Access(op, SWAP, word, self.value[slot], 0, 1))
        else:
            self.send(line, Access(op, LOAD, word, 0, 0, 1))

    def proceed(self, op: int, value: int) -> None:
        """Take the next line, or end."""
        write = self.write[self.slot(op)]
        if self.made == write:
            self.result = COMMIT if write > 0 else value
        self.made += 1
        lines = self.lines if self.lines > 0 else 1
        if self.made < lines * (1 + write):
            self.reach(op)
        else:
            self.finish(op, self.result)
